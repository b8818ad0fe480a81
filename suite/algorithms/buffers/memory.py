"""Memory of packed episodes: as much as they take, given back as they are overwritten."""

from __future__ import annotations

import math
import mmap
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.algorithms.buffers.fields import WORD_BYTES

# <bits/mman-map-flags-generic.h>: pages that are never used need not fit into memory.
_NO_RESERVE = 0x4000 if sys.platform == "linux" else 0

_SMALLEST_SEGMENT_BYTES = 1 << 20
# Segments grow with the memory they are part of, so that there are never many.
_SEGMENTS = 32


def zeros_from_system(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """As `np.zeros`, but from the system, which gives pages as they are first used.

    They go back with the array. A worker keeps what it frees elsewhere (`algorithms.allocator`).
    """
    n_values = math.prod(shape)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE
    memory = mmap.mmap(-1, max(1, n_values * np.dtype(dtype).itemsize), flags=flags)
    return np.frombuffer(memory, dtype, n_values).reshape(shape)


@dataclass(eq=False)
class _Segment:
    """words: from the system. used: of them, from the start. n_blocks: kept and not dropped."""

    words: NDArray[np.uint32]
    used: int = 0
    n_blocks: int = 0


class EpisodeMemory:
    """The packed episodes of one member: blocks of words by place.

    Blocks lie one behind another in segments; a segment goes back to the system when its last
    block has been dropped. Blocks are dropped in the order in which they came, so only one segment
    can hold both dropped and stored ones. What is dropped and not given back is therefore less
    than a segment: 1/32 of what was stored when it was begun, or 1 MiB, or an episode that changes
    all the time, whichever is largest. Room that no block fits into is never used memory.
    """

    def __init__(self) -> None:
        self._blocks: dict[int, tuple[_Segment, NDArray[np.uint32]]] = {}
        self._segments: list[_Segment] = []

    @property
    def n_bytes(self) -> int:
        """Bytes used, of dropped blocks too where their segment is still needed."""
        return WORD_BYTES * sum(segment.used for segment in self._segments)

    def room(self, most_words: int) -> NDArray[np.uint32]:
        """Words to write a block of up to `most_words` into."""
        if not self._segments or self._left(self._segments[-1]) < most_words:
            share = max(_SMALLEST_SEGMENT_BYTES, self.n_bytes // _SEGMENTS) // WORD_BYTES
            words = zeros_from_system((max(share, most_words),), np.uint32)
            self._segments.append(_Segment(words))
        segment = self._segments[-1]
        return segment.words[segment.used :]

    def keep(self, place: int, n_words: int) -> None:
        """The first `n_words` of the room are the block of `place`; what it had is dropped."""
        segment = self._segments[-1]
        block = segment.words[segment.used : segment.used + n_words]
        segment.used += n_words
        segment.n_blocks += 1
        dropped = self._blocks.pop(place, None)
        self._blocks[place] = segment, block
        if dropped is not None:
            dropped[0].n_blocks -= 1
            if not dropped[0].n_blocks:
                self._segments.remove(dropped[0])

    def block(self, place: int) -> NDArray[np.uint32]:
        """The block of a place; empty where nothing was kept."""
        return self._blocks[place][1] if place in self._blocks else _NOTHING

    @staticmethod
    def _left(segment: _Segment) -> int:
        return len(segment.words) - segment.used


_NOTHING = np.zeros(0, np.uint32)
