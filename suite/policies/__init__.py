"""Who plays when nobody trains: chance, SMAC's heuristic, a finished run, networks of PyMARL's."""

from suite.policies.find import HEURISTIC, NEAREST, RANDOM, find_policy
from suite.policies.policy import Policy

__all__ = ["HEURISTIC", "NEAREST", "RANDOM", "Policy", "find_policy"]
