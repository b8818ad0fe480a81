"""Random episode batches, padded with zeros as a replay pads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import torch

from suite.algorithms import EpisodeBatch, Sizes, arm_settings
from suite.algorithms.settings import ArmSettings

SMALL = Sizes(n_agents=3, n_actions=4, observation_size=6, state_size=11, ally_state_size=3)

# Arms on mixers: framework, backbone, form of QPLEX.
ARMS = [
    ("ctde", "iql", "auto"),
    ("ctde", "vdn", "auto"),
    ("ctde", "qmix", "auto"),
    ("ctde", "qplex", "qatten"),
    ("ctde", "qplex", "dmaq"),
    ("cadp", "vdn", "auto"),
    ("cadp", "qmix", "auto"),
    ("cadp", "qplex", "qatten"),
    ("cadp", "qplex", "dmaq"),
]

# Arms with a joint network beside their utilities.
JOINT_ARMS = [("ctde", name, "auto") for name in ("qtran", "ow_qmix", "cw_qmix")]


def arm(framework: str, backbone: str, form: str = "auto", **others: object) -> ArmSettings:
    if backbone == "qplex":
        others["qplex_form"] = form
    return arm_settings(framework, backbone, **others)


def random_batch(
    sizes: Sizes, lengths: Sequence[Sequence[int]], n_steps: int, seed: int = 0
) -> EpisodeBatch:
    """Episodes of the given lengths, (P, B) of them; shorter ones than `n_steps` terminate."""
    g = torch.Generator().manual_seed(seed)
    length = torch.tensor(lengths).unsqueeze(2)
    p, b = length.shape[:2]
    n, a = sizes.n_agents, sizes.n_actions
    time = torch.arange(n_steps + 1)
    is_seen = time <= length
    filled = time[:-1] < length
    available = torch.rand(p, b, n_steps + 1, n, a, generator=g) < 0.7
    available[..., 0] = True
    taste = torch.rand(p, b, n_steps, n, a, generator=g)
    actions = taste.masked_fill(~available[:, :, :-1], -1).argmax(dim=4)
    observations = torch.rand(p, b, n_steps + 1, n, sizes.observation_size, generator=g)
    state = torch.rand(p, b, n_steps + 1, sizes.state_size, generator=g)
    reward = torch.rand(p, b, n_steps, generator=g)
    extra = {
        name: torch.rand(p, b, n_steps + 1, n, width, generator=g) * is_seen[..., None, None]
        for name, width in sizes.extra_observations.items()
    }
    return EpisodeBatch(
        observations=observations * is_seen[..., None, None],
        state=state * is_seen.unsqueeze(3),
        available_actions=available,
        actions=actions * filled.unsqueeze(3),
        reward=reward * filled,
        terminated=(time[:-1] == length - 1) & (length < n_steps),
        filled=filled,
        extra=extra,
    )


def members(batch: EpisodeBatch, chosen: slice) -> EpisodeBatch:
    """Some members of a batch."""
    arrays = {f.name: getattr(batch, f.name) for f in fields(batch) if f.name != "extra"}
    extra = {name: array[chosen] for name, array in batch.extra.items()}
    return EpisodeBatch(**{name: array[chosen] for name, array in arrays.items()}, extra=extra)
