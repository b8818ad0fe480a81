"""What the tests of CTDS and IGM-DA share: arms, sizes, and weights by network."""

from __future__ import annotations

from dataclasses import replace

import torch
from episodes import SMALL

from suite.algorithms import EpisodeBatch
from suite.algorithms.inputs import Inputs
from suite.algorithms.value.base import QLearner

SIZES = replace(SMALL, extra_observations={"unlimited_sight": 7, "sight_9": 5})
FORMS = [("vdn", "auto"), ("qmix", "auto"), ("qplex", "qatten"), ("qplex", "dmaq")]
FRAMEWORKS = ["ctds", "igm_da"]
ARMS = [(framework, *form) for framework in FRAMEWORKS for form in FORMS]

Weights = dict[str, torch.Tensor]


def by_network(framework: str, weights: Weights) -> tuple[Weights, Weights]:
    """The student's weights and the teacher's with the mixer's, under a single network's names."""
    if framework == "ctds":
        start, rest = "teacher.", {}
    else:
        agent = ("encoder.", "gru.", "head.")
        start = "expert."
        rest = {k: w for k, w in weights.items() if not k.startswith((*agent, start))}
    teacher = {k.removeprefix(start): w for k, w in weights.items() if k.startswith(start)}
    student = {k: w for k, w in weights.items() if not k.startswith(start) and k not in rest}
    return student, teacher | rest


def episodes_of(batch: EpisodeBatch, student: Inputs, teacher: Inputs) -> list[dict]:
    """The first member's whole episodes without padding."""
    found = []
    for b in range(batch.filled.shape[1]):
        n = int(batch.filled[0, b].sum())
        e = {
            "available": batch.available_actions[0, b, : n + 1],
            "state": batch.state[0, b, : n + 1],
            "actions": batch.actions[0, b, :n],
            "reward": batch.reward[0, b, :n],
            "terminated": batch.terminated[0, b, :n],
        }
        for who, inputs in (("student", student), ("teacher", teacher)):
            parts = []
            for name in inputs.parts:
                part = batch.array(name)[0, b, : n + 1].float()
                if name == "state":
                    part = part.unsqueeze(1).repeat(1, batch.actions.shape[3], 1)
                parts.append(part)
            e[who] = torch.cat(parts, dim=2)
        found.append(e)
    return found


def seen_by(learner: QLearner) -> tuple[Inputs, Inputs]:
    """What student and teacher see."""
    return learner.acting["decentralised"].inputs, learner.acting["teacher"].inputs
