"""Made-up episodes, and the plain way to remember them: arrays as they are, padded with zeros."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from suite.algorithms import EpisodeBatch
from suite.algorithms.buffers import EpisodeBuffer, EpisodeWriter, Field

N_AGENTS, N_ACTIONS, LIMIT = 3, 5, 7
FIELDS = {
    "observations": Field((N_AGENTS, 13)),  # more than a mask of 32 words
    "state": Field((32,)),  # one mask, full
    "available_actions": Field((N_AGENTS, N_ACTIONS), "bool"),  # fills no whole word
}
EXTRA = {"memory": Field((N_AGENTS, 2)), "alive": Field((N_AGENTS,), "bool")}
# Zeros of both signs, one, the least and the greatest, infinity, NaN of two kinds.
BITS = np.array([0, 1 << 31, 0x3F800000, 1, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0xFFC00001], "u4")


@dataclass(frozen=True)
class Episode:
    """arrays: by name, (T+1, ...). actions: (T, N). reward, terminated: (T,)."""

    seed: int
    arrays: Mapping[str, np.ndarray]
    actions: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray

    @property
    def length(self) -> int:
        return len(self.reward)


def length_of(seed: int) -> int:
    """One step, the limit, or something between."""
    return {0: 1, 1: LIMIT}.get(seed % 4, 1 + seed % LIMIT)


def actions_of(seed: int) -> np.ndarray:
    return np.random.default_rng([seed, 1]).integers(0, N_ACTIONS, (length_of(seed), N_AGENTS))


def episode(
    seed: int, actions: np.ndarray | None = None, having: Mapping[str, Field] = FIELDS
) -> Episode:
    """The one episode of a seed and actions; rewards depend on both."""
    actions = actions_of(seed) if actions is None else actions[: length_of(seed)]
    random = np.random.default_rng(seed)
    length = length_of(seed)
    reward = (random.normal(size=length) + actions.sum(axis=1)).astype(np.float32)
    terminated = random.random(length) < 0.5
    arrays = {}
    for name, field in having.items():
        rows = np.zeros((length + 1, *field.shape), field.dtype)
        for t in range(length + 1):
            values = random.random(field.shape) < 0.5
            if field.dtype == "float32":
                values = random.choice(BITS, field.shape).view(np.float32)
            is_changed = random.random(field.shape) < random.choice([0.0, 0.1, 0.5, 1.0])
            rows[t] = np.where(is_changed, values, rows[max(t - 1, 0)])
        arrays[name] = rows
    return Episode(seed, arrays, actions, reward, terminated)


def write(writer: EpisodeWriter, n_slots: int, played: Mapping[int, Episode]) -> None:
    """Episodes by slot, side by side."""

    def batch(chosen: Mapping[int, np.ndarray]) -> np.ndarray:
        some = next(iter(chosen.values()))
        array = np.full((n_slots, *some.shape), 77, some.dtype)  # other slots' are not to be used
        for slot, value in chosen.items():
            array[slot] = value
        return array

    for t in range(LIMIT + 1):
        playing = {slot: e for slot, e in played.items() if t <= e.length}
        if not playing:
            break
        names = next(iter(playing.values())).arrays
        arrays = {n: batch({slot: e.arrays[n][t] for slot, e in playing.items()}) for n in names}
        writer.observe(t, np.array(list(playing)), arrays)
        playing = {slot: e for slot, e in playing.items() if t < e.length}
        if playing:
            step = [
                batch({slot: getattr(e, name)[t] for slot, e in playing.items()})
                for name in ("actions", "reward", "terminated")
            ]
            writer.act(t, np.array(list(playing)), *step)


def fill(buffer: EpisodeBuffer, members: Sequence[int], seeds: Sequence[int]) -> list[Episode]:
    """One episode per seed, side by side: slot k is members[k]'s."""
    slots = np.arange(len(seeds))
    played = [episode(seed, having=buffer.fields) for seed in seeds]
    writer = buffer.writer(np.array(members), slots, np.array(seeds))
    write(writer, len(slots), dict(enumerate(played)))
    return played


def play_again(member: int, seeds: np.ndarray, actions: np.ndarray, writer: EpisodeWriter) -> None:
    """As a training loop does when a checkpoint is read."""
    played = {k: episode(int(seed), actions[k], FIELDS | EXTRA) for k, seed in enumerate(seeds)}
    write(writer, len(seeds), played)


class PlainBuffer:
    """What an episode buffer has to return, written to be read."""

    def __init__(self, having: Mapping[str, Field], n_members: int, capacity: int) -> None:
        self.having, self.capacity = having, capacity
        self.places: list[list[Episode]] = [[] for _ in range(n_members)]
        self.n_added = [0] * n_members

    def add(self, member: int, new: Episode) -> None:
        place = self.n_added[member] % self.capacity
        self.places[member][place : place + 1] = [new]
        self.n_added[member] += 1

    def sample(
        self, size: int, random: Sequence[np.random.Generator], active: np.ndarray
    ) -> EpisodeBatch:
        chosen = []
        for member, places in enumerate(self.places):
            numbers = [k % self.capacity for k in range(size)]
            if active[member]:
                numbers = random[member].choice(len(places), size, replace=False).tolist()
            chosen.append([places[k] if k < len(places) else None for k in numbers])
        return self.batch(chosen, active)

    def newest(self, n: int, active: np.ndarray) -> EpisodeBatch:
        chosen = []
        for member, places in enumerate(self.places):
            last = [(self.n_added[member] - n + k) % self.capacity for k in range(n)]
            numbers = last if active[member] else [k % self.capacity for k in range(n)]
            chosen.append([places[k] if k < len(places) else None for k in numbers])
        return self.batch(chosen, active)

    def batch(self, chosen: list[list[Episode | None]], active: np.ndarray) -> EpisodeBatch:
        trained = [e for own, is_on in zip(chosen, active, strict=True) if is_on for e in own]
        longest = max((e.length for e in trained if e), default=0)
        lead = (len(chosen), len(chosen[0]))
        seen = {
            name: np.zeros((*lead, longest + 1, *field.shape), field.dtype)
            for name, field in self.having.items()
        }
        actions = np.zeros((*lead, longest, N_AGENTS), np.int64)
        reward = np.zeros((*lead, longest), np.float32)
        terminated, filled = np.zeros((2, *lead, longest), np.bool_)
        for p, own in enumerate(chosen):
            for b, e in enumerate(own):
                if e is None:
                    continue
                t = min(e.length, longest)
                for name, rows in seen.items():
                    rows[p, b, : e.length + 1] = e.arrays[name][: longest + 1]
                actions[p, b, :t], reward[p, b, :t] = e.actions[:t], e.reward[:t]
                terminated[p, b, :t], filled[p, b, :t] = e.terminated[:t], active[p]
        tensors = {name: torch.from_numpy(rows) for name, rows in seen.items()}
        own = {name: tensors.pop(name) for name in FIELDS}
        steps = dict(actions=actions, reward=reward, terminated=terminated, filled=filled)
        own |= {name: torch.from_numpy(array.copy()) for name, array in steps.items()}
        return EpisodeBatch(**own, extra=tensors)


def assert_equal(found: EpisodeBatch, expected: EpisodeBatch) -> None:
    """Bit for bit, shapes and types too; all tensors in one piece."""
    pairs = {f.name: (getattr(found, f.name), getattr(expected, f.name)) for f in fields(found)}
    found_extra, expected_extra = pairs.pop("extra")
    assert found_extra.keys() == expected_extra.keys()
    pairs |= {name: (found_extra[name], expected_extra[name]) for name in expected_extra}
    for name, (a, b) in pairs.items():
        assert (a.dtype, a.shape) == (b.dtype, b.shape), name
        assert a.is_contiguous(), name
        if a.dtype == torch.float32:
            a, b = a.view(torch.int32), b.view(torch.int32)
        assert torch.equal(a, b), name
