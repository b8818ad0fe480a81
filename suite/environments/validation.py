"""Checks of what callers pass to `make`, `reset` and `step`, shared by all backends, and of what a
backend makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.environments.interface import ActionError, BatchedEnvironment, EnvironmentInfo
from suite.errors import InputError

SEED_LIMIT = 2**63


def check_count(n_environments: object) -> int:
    """A number of slots: an integer of at least 1, else InputError."""
    is_integer = isinstance(n_environments, (int, np.integer))
    if not is_integer or isinstance(n_environments, bool) or int(n_environments) < 1:  # type: ignore[call-overload]
        raise InputError(
            "not a number of environments",
            where="make: n_environments",
            value=n_environments,
            cure="pass an integer of at least 1",
        )
    return int(n_environments)  # type: ignore[call-overload]


def check_seed(seed: object) -> int:
    """A seed: an integer from 0 to 2**63 - 1, else InputError."""
    is_integer = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not is_integer or not 0 <= int(seed) < SEED_LIMIT:  # type: ignore[call-overload]
        raise InputError(
            "not a seed", where="make: seed", value=seed, cure="pass an integer from 0 to 2**63 - 1"
        )
    return int(seed)  # type: ignore[call-overload]


def check_slots(slots: object, n_environments: int) -> NDArray[np.int64]:
    """The slots of a reset as (n,) int64, all of them for None; InputError for others."""
    if slots is None:
        return np.arange(n_environments)
    given = np.asarray(slots)
    if given.size == 0:
        return np.zeros(0, np.int64)
    is_index = given.ndim == 1 and given.dtype.kind in "iu"
    if (
        not is_index
        or given.min() < 0
        or given.max() >= n_environments
        or len(set(given.tolist())) != len(given)
    ):
        raise InputError(
            "not slots of this batch",
            where="reset: slots",
            value=given.tolist(),
            cure=f"pass different integers from 0 to {n_environments - 1} in one dimension",
        )
    return given.astype(np.int64)


def check_episode_seeds(episode_seeds: object, n_slots: int) -> NDArray[np.int64] | None:
    """Episode seeds as (n_slots,) int64, None for None; InputError for others."""
    if episode_seeds is None:
        return None
    given = np.asarray(episode_seeds)
    is_right = given.shape == (n_slots,) and (given.dtype.kind in "iu" or n_slots == 0)
    if not is_right or (n_slots and (int(given.min()) < 0 or int(given.max()) >= SEED_LIMIT)):
        raise InputError(
            "not one seed per slot",
            where="reset: episode_seeds",
            value=given.tolist(),
            cure=f"pass {n_slots} integers from 0 to 2**63 - 1",
        )
    return given.astype(np.int64)


def check_actions(actions: object, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Actions as C-ordered int64 of `shape` (slots, agents); ActionError for others."""
    given = np.asarray(actions)
    if given.shape != shape or given.dtype.kind not in "iu":
        raise ActionError(
            f"actions: expected integers of shape {shape} (slots, agents), "
            f"got {given.dtype} of shape {given.shape}"
        )
    return np.ascontiguousarray(given, np.int64)


def check_active(active: object, n_environments: int) -> NDArray[np.bool_]:
    """The mask of slots to step, all for None; ActionError for others."""
    if active is None:
        return np.ones(n_environments, np.bool_)
    given = np.asarray(active)
    if given.shape != (n_environments,) or given.dtype != np.bool_:
        raise ActionError(
            f"active: expected booleans of shape {(n_environments,)} (slots), "
            f"got {given.dtype} of shape {given.shape}"
        )
    return np.ascontiguousarray(given)


def check_legal(
    actions: NDArray[np.int64],
    active: NDArray[np.bool_],
    available: NDArray[np.bool_],
    is_over: NDArray[np.bool_],
) -> None:
    """ActionError for an active slot whose episode is over, or an action that is not available.

    actions: (slots, agents). active, is_over: (slots,). available: (slots, agents, n_actions).
    """
    over = np.flatnonzero(active & is_over)
    if len(over):
        raise ActionError(f"slot {over[0]}: its episode is over; reset the slot first")
    given = np.clip(actions, 0, available.shape[-1] - 1)
    can = np.take_along_axis(available, given[..., None], -1)[..., 0]
    illegal = np.argwhere(~(can & (given == actions)) & active[:, None])
    if len(illegal):
        slot, agent = illegal[0]
        choices = np.flatnonzero(available[slot, agent]).tolist()
        raise ActionError(
            f"slot {slot}, agent {agent}: action {actions[slot, agent]} is not available; "
            f"available: {choices}"
        )


def check_batch(
    batch: BatchedEnvironment, info: EnvironmentInfo, n_environments: int, extra: Sequence[str]
) -> None:
    """A new batch is what was asked for, its arrays as `info` says; InputError for others."""
    n, agents = n_environments, info.n_agents
    if batch.info != info or batch.n_environments != n:
        made = f"{batch.n_environments} of {batch.info}"
        raise _wrong_batch(info, f"makes other environments than {n} of what it describes", made)
    arrays: dict[str, tuple[NDArray[Any], tuple[int, ...], type[np.generic]]] = {
        "observations": (batch.observations, (n, agents, info.observation_size), np.float32),
        "state": (batch.state, (n, info.state_size), np.float32),
        "available_actions": (batch.available_actions, (n, agents, info.n_actions), np.bool_),
    }
    if set(batch.extra_observations) != set(extra):
        what = f"gives other extra_observations than {', '.join(extra) or 'none'}"
        raise _wrong_batch(info, what, list(batch.extra_observations))
    for name, array in batch.extra_observations.items():
        shape = (n, agents, info.extra_observations[name])
        arrays[f"extra_observations {name}"] = (array, shape, np.float32)
    for name, (given, wanted_shape, kind) in arrays.items():
        if given.shape != wanted_shape or given.dtype != kind:
            found, wanted = f"{given.dtype} {given.shape}", f"{np.dtype(kind)} {wanted_shape}"
            raise _wrong_batch(info, f"{name} are {found}, must be {wanted}")


def _wrong_batch(info: EnvironmentInfo, what: str, value: object = None) -> InputError:
    where, cure = f"backend {info.backend}: {info.name}", "mend its make, or what it describes"
    return InputError(what, where=where, value=value, cure=cure)
