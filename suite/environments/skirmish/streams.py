"""Random numbers of a battle: one splitmix64 stream per slot, fixed by the episode seed alone.

Source of the generator: Steele, Lea & Flood, "Fast splittable pseudorandom number generators",
2014 (its output function is Stafford's "mix 13").
"""

from __future__ import annotations

from typing import Any

import numpy as np

from suite.environments.skirmish.compilation import compiled, inlined

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FACTOR_1 = np.uint64(0xBF58476D1CE4E5B9)
_FACTOR_2 = np.uint64(0x94D049BB133111EB)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_SHIFT_TO_53_BITS = np.uint64(11)
_UNIT = 1.0 / 9007199254740992.0  # 2**-53


@inlined
def mix(value: Any) -> Any:
    """Scramble 64 bits; a bijection."""
    value = (value ^ (value >> _SHIFT_1)) * _FACTOR_1
    value = (value ^ (value >> _SHIFT_2)) * _FACTOR_2
    return value ^ (value >> _SHIFT_3)


@inlined
def seed_stream(stream: Any, episode_seed: int) -> None:
    """Start the stream of a battle: stream (1,) uint64."""
    stream[0] = mix(np.uint64(episode_seed) + _GOLDEN)


@inlined
def draw_uniform(stream: Any) -> float:
    """Next number in [0, 1) of the stream of a battle."""
    stream[0] += _GOLDEN
    return float(mix(stream[0]) >> _SHIFT_TO_53_BITS) * _UNIT


@compiled
def derive_episode_seeds(seed: int, slots: Any, episode_numbers: Any, seeds: Any) -> None:
    """Fill seeds (n,) int64 from make's seed, slots (n,) and how many episodes each has begun."""
    for k in range(len(slots)):
        value = mix(np.uint64(seed) + _GOLDEN)
        value = mix(value + np.uint64(slots[k]) + _GOLDEN)
        value = mix(value + np.uint64(episode_numbers[slots[k]]) + _GOLDEN)
        seeds[k] = np.int64(value >> np.uint64(1))
