"""Agents trained with PyMARL: the recurrent agent of its `agent.th` files.

A file is `torch.save` of the network's state; PyMARL2 and EPyMARL write the same. Skirmish gives
observations laid out as SMAC's, so that a network trained on a map of SMAC plays as it is.
Source: oxwhirl/pymarl, `src/modules/agents/rnn_agent.py` and `src/controllers/basic_controller.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor

from suite.algorithms import arm_settings, build_learner
from suite.algorithms.value.off_policy import EpsilonGreedy
from suite.disk import read_plain_file
from suite.environments import describe
from suite.environments.interface import BatchedEnvironment, EnvironmentInfo
from suite.errors import StoredDataError
from suite.policies.networks import Allowed
from suite.policies.policy import Policy
from suite.runs.modes import DECENTRALISED
from suite.training.weights.tensors import (
    LARGEST_BYTES,
    checksum,
    fault_of,
    reading,
    unpack_torch,
)

# PyMARL's layers and ours (docs/weights.md); gates of the GRU are in the same order.
_LAYERS = {"fc1": "encoder", "rnn": "gru", "fc2": "head"}
_CURE = "give an agent.th of PyMARL's agent `rnn` that was trained on this scenario"


def pymarl_policy(path: Path, scenario: str) -> Policy:
    """The agent of a file, greedy. Raises StoredDataError if it is none, or of other sizes."""
    info = describe(scenario)
    state = read_agent(path, info)
    weights = {_our_name(name): tensor for name, tensor in state.items()}
    hidden_size = len(state["fc1.bias"])
    try:
        settings = arm_settings("ctde", "iql", hidden_size=hidden_size)
    except ValidationError:
        what = "a hidden layer of a width that we do not offer"
        raise StoredDataError(what, where=str(path), value=hidden_size, cure=_CURE) from None
    learner = build_learner(settings, info.sizes, seeds=[0])
    learner.load_member_weights(0, weights)

    def actor(environment: BatchedEnvironment) -> Allowed:
        networks = EpsilonGreedy(learner, environment, DECENTRALISED.name)
        return Allowed(networks, environment, where=str(path), cure=_CURE)

    digest = checksum(state)[:12]
    words = f"PyMARL's recurrent agent with {hidden_size} hidden units (weights {digest}), greedy"
    return Policy(f"pymarl-{digest}", f"{words}, {DECENTRALISED.name}", actor)


def read_agent(path: Path, info: EnvironmentInfo) -> dict[str, Tensor]:
    """The state of an agent that fits a scenario, by PyMARL's names; no code in the file is run.

    Raises StoredDataError for every other file.
    """
    where = str(path)
    missing = StoredDataError("no such file", where=where, cure=_CURE)
    with reading(where, kind="agent file of PyMARL's", missing=missing, cure=_CURE):
        data = read_plain_file(path, LARGEST_BYTES)
        content = unpack_torch(data)
        return _checked(content, len(data), info, where)


def _checked(content: Any, n_bytes: int, info: EnvironmentInfo, where: str) -> dict[str, Tensor]:
    def refusal(what: str, value: object = None) -> StoredDataError:
        return StoredDataError(what, where=where, value=value, cure=_CURE)

    fault = fault_of(content, n_bytes)
    if fault:
        raise refusal(fault)
    inputs = info.observation_size + info.n_actions + info.n_agents
    hidden = content["fc1.bias"].numel() if "fc1.bias" in content else 0
    shapes = _shapes(inputs, hidden, info.n_actions)
    if content.keys() != shapes.keys():
        others = sorted(content.keys() ^ shapes.keys())
        raise refusal("its layers are not those of PyMARL's recurrent agent", others)
    found = {name: tuple(tensor.shape) for name, tensor in content.items()}
    if found["fc1.weight"][1:] != (inputs,):
        parts = f"{info.observation_size} + {info.n_actions} + {info.n_agents} = {inputs}"
        what = f"{info.name} has {parts} inputs (observation, last action, agent number)"
        raise refusal(f"fc1.weight is for other inputs: {what}", found["fc1.weight"])
    if found["fc2.weight"][:1] != (info.n_actions,):
        what = f"fc2.weight is for other actions: {info.name} has {info.n_actions}"
        raise refusal(what, found["fc2.weight"])
    for name, shape in shapes.items():
        if found[name] != shape:
            raise refusal(f"{name} should have shape {shape}", found[name])
    return dict(content)


def _shapes(inputs: int, hidden: int, actions: int) -> dict[str, tuple[int, ...]]:
    return {
        "fc1.weight": (hidden, inputs),
        "fc1.bias": (hidden,),
        "rnn.weight_ih": (3 * hidden, hidden),
        "rnn.weight_hh": (3 * hidden, hidden),
        "rnn.bias_ih": (3 * hidden,),
        "rnn.bias_hh": (3 * hidden,),
        "fc2.weight": (actions, hidden),
        "fc2.bias": (actions,),
    }


def _our_name(name: str) -> str:
    layer, _, rest = name.partition(".")
    return f"{_LAYERS[layer]}.{rest}"
