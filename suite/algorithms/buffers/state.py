"""A buffer's part of a checkpoint, in one of two forms.

By seeds: seed, actions, length and summed reward of every episode, where the environment plays it
again exactly. By blocks: the packed episodes themselves. Both hold each member's episodes in the
order in which they came, members one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.buffers import changes_numba as changes
from suite.algorithms.buffers.fields import (
    AVAILABLE_ACTIONS,
    STEPS,
    action_dtype,
    mask_words,
    n_rows,
    step_dtype,
)
from suite.algorithms.buffers.store import EpisodeStore, Words

# Plays E episodes of a member into the store: (member, seeds (E,), actions (E, episode_limit, N)).
Play = Callable[[int, NDArray[np.int64], NDArray[np.int64]], None]

EPISODES_AT_ONCE = 64  # unpacked, or played again side by side
_BOOL_BITS = np.uint32(0x01010101)  # those that four bools may set

_SHARED = {"n_added", "episode_seed", "length"}
_BY_SEEDS = _SHARED | {"actions", "total_reward"}
_BY_BLOCKS = _SHARED | {"blocks"}


def by_seeds(store: EpisodeStore) -> dict[str, Any]:
    """Seeds and actions of all episodes: actions (all steps, N), the rest (episodes,)."""
    n_agents, n_actions = store.fields[AVAILABLE_ACTIONS].shape
    actions = [np.zeros((0, n_agents), action_dtype(n_actions))]
    total_reward = [np.zeros(0)]
    for member, all_places in enumerate(_places(store)):
        for part in _parts(len(all_places)):
            places = all_places[part]
            length = store.length[member, places]
            rows = np.empty((len(places), length.max(), store.row_words[STEPS]), np.uint32)
            store.unpack(member, places, {STEPS: rows})
            record = rows.view(step_dtype(store.fields))[..., 0]
            actions.append(record["actions"][np.arange(rows.shape[1]) < length[:, None]])
            # One after another: what a shorter episode is filled up with changes no digit.
            total_reward.append(record["reward"].cumsum(axis=1, dtype=np.float64)[:, -1])
    return _shared(store) | {
        "actions": torch.from_numpy(np.concatenate(actions)),
        "total_reward": torch.from_numpy(np.concatenate(total_reward)),
    }


def by_blocks(store: EpisodeStore) -> dict[str, Any]:
    """All that is stored. Nothing is copied: a block is written once, and lasts as long as this."""
    blocks = [
        torch.from_numpy(block.view(np.int32))
        for member, places in enumerate(_places(store))
        for block in store.blocks(member, places)
    ]
    return _shared(store) | {"blocks": blocks}


def load(stored: Mapping[str, Any], store: EpisodeStore, episode_limit: int, play: Play) -> None:
    """Fill the store from either form.

    Raises ValueError for a state that does not fit, or whose episodes play out in another way.
    """
    if stored.keys() == _BY_SEEDS:
        _load_by_seeds(stored, store, episode_limit, play)
    elif stored.keys() == _BY_BLOCKS:
        _load_by_blocks(stored, store, episode_limit)
    else:
        raise ValueError(f"the state of a buffer has the entries {', '.join(map(str, stored))}")


def _load_by_seeds(
    stored: Mapping[str, Any], store: EpisodeStore, episode_limit: int, play: Play
) -> None:
    episodes = _Episodes.read(stored, store, episode_limit)
    n_agents, n_actions = store.fields[AVAILABLE_ACTIONS].shape
    ends = np.append(0, np.cumsum(episodes.length))
    actions = _array(stored["actions"], action_dtype(n_actions), (int(ends[-1]), n_agents))
    _check_actions(actions, n_actions)
    _array(stored["total_reward"], np.dtype(np.float64), episodes.seed.shape)
    store.clear(episodes.n_added - episodes.n_stored)
    first = 0
    for member, n_episodes in enumerate(episodes.n_stored.tolist()):
        for part in _parts(n_episodes):
            a, b = first + part.start, first + part.stop
            is_real = np.arange(episode_limit) < episodes.length[a:b, None]
            padded = np.zeros((b - a, episode_limit, n_agents), np.int64)
            padded[is_real] = actions[ends[a] : ends[b]]
            play(member, episodes.seed[a:b], padded)
        first += n_episodes
    played = by_seeds(store)
    if not all(torch.equal(played[name], stored[name]) for name in _BY_SEEDS):
        raise ValueError("stored episodes do not play out as they did: the environment has changed")


def _load_by_blocks(stored: Mapping[str, Any], store: EpisodeStore, episode_limit: int) -> None:
    episodes = _Episodes.read(stored, store, episode_limit)
    blocks = stored["blocks"]
    if not isinstance(blocks, list) or len(blocks) != len(episodes.seed):
        raise ValueError("another number of blocks than of episodes")
    store.clear(episodes.n_added - episodes.n_stored)
    members = np.repeat(np.arange(store.n_members), episodes.n_stored)
    about = zip(members.tolist(), episodes.seed.tolist(), episodes.length.tolist(), strict=True)
    for block, (member, seed, length) in zip(blocks, about, strict=True):
        words = _array(block, np.dtype(np.int32), (None,)).view(np.uint32)
        _check_block(words, length, store)
        store.add_packed(member, seed, length, words)


@dataclass(frozen=True)
class _Episodes:
    """What both forms say of E episodes.

    n_added, n_stored: (members,); n_stored sums to E. seed, length: (E,).
    """

    n_added: NDArray[np.int64]
    n_stored: NDArray[np.int64]
    seed: NDArray[np.int64]
    length: NDArray[np.int64]

    @classmethod
    def read(cls, stored: Mapping[str, Any], store: EpisodeStore, episode_limit: int) -> _Episodes:
        """Raises ValueError for what no buffer of these sizes holds."""
        integers = np.dtype(np.int64)
        n_added = _array(stored["n_added"], integers, (store.n_members,))
        if (n_added < 0).any():
            raise ValueError("a negative number of episodes")
        n_stored = np.minimum(n_added, store.capacity)
        n_episodes = int(n_stored.sum())
        seed = _array(stored["episode_seed"], integers, (n_episodes,))
        length = _array(stored["length"], integers, (n_episodes,))
        if ((length < 1) | (length > episode_limit)).any():
            raise ValueError(f"an episode that does not have 1 to {episode_limit} steps")
        return cls(n_added, n_stored, seed, length)


def _check_block(words: Words, length: int, store: EpisodeStore) -> None:
    """Raise ValueError unless `words` are an episode of `length` steps."""
    end = 0
    for name, width in store.row_words.items():
        n = n_rows(name, length)
        first_value = end + n * mask_words(width)
        start, end = end, changes.end_of(words, end, n, width)
        if end < 0:
            raise ValueError("a block that is no episode")
        if name == STEPS:
            rows = np.empty((1, n, width), np.uint32)
            changes.unpack(words, np.array([start]), np.array([n]), rows)
            record = rows.view(step_dtype(store.fields))[..., 0]
            _check_actions(record["actions"], store.fields[AVAILABLE_ACTIONS].shape[1])
            are_bools = bool((record["terminated"].view(np.uint8) <= 1).all())
        else:
            is_float = store.fields[name].dtype == "float32"
            are_bools = is_float or not np.any(words[first_value:end] & ~_BOOL_BITS)
        if not are_bools:
            raise ValueError(f"{name} with bools that are neither true nor false")
    if end != len(words):
        raise ValueError("a block that is longer than its episode")


def _check_actions(actions: NDArray[np.integer], n_actions: int) -> None:
    if ((actions < 0) | (actions >= n_actions)).any():
        raise ValueError(f"an action that is none of {n_actions}")


def _array(value: object, dtype: np.dtype[Any], shape: tuple[int | None, ...]) -> NDArray[Any]:
    """A tensor's array; ValueError if it is none of this type and shape (None: any size)."""
    if not isinstance(value, Tensor) or value.device.type != "cpu" or value.is_sparse:
        raise ValueError("an entry that is no plain tensor")
    array = value.numpy()
    fits = len(array.shape) == len(shape) and all(
        wanted in (None, size) for size, wanted in zip(array.shape, shape, strict=True)
    )
    if array.dtype != dtype or not fits:
        raise ValueError(f"an entry of {array.shape} {array.dtype}, not {shape} {dtype}")
    return np.ascontiguousarray(array)


def _shared(store: EpisodeStore) -> dict[str, Any]:
    places = _places(store)

    def in_order(array: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(
            np.concatenate([own[chosen] for own, chosen in zip(array, places, strict=True)])
        )

    return {
        "n_added": torch.from_numpy(store.n_added.copy()),
        "episode_seed": in_order(store.episode_seed),
        "length": in_order(store.length),
    }


def _places(store: EpisodeStore) -> list[NDArray[np.int64]]:
    """Each member's places, in the order in which their episodes came."""
    return [store.newest(member, store.n_stored(member)) for member in range(store.n_members)]


def _parts(n: int) -> Iterator[slice]:
    for start in range(0, n, EPISODES_AT_ONCE):
        yield slice(start, min(start + EPISODES_AT_ONCE, n))
