"""Episodes cut into chunks, so that a recurrent network is differentiated through few steps.

on-policy's `recurrent_generator` (onpolicy/utils/shared_buffer.py) cuts rollouts into chunks of
10 steps, each starting from the hidden state that the policy had there when it acted. Ours cut
every episode from its first step on, so that no chunk crosses an episode's end; an episode's last
chunk may be shorter. Packed as sequences of their own (`suite.algorithms.rows`), chunks make blocks
of many rows and few steps: faster too than whole episodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from suite.algorithms.rows import Rows, pack_lengths


@dataclass(frozen=True)
class Chunks:
    """Some chunks of each member, packed: K rows, each a transition of an episode.

    rows: their blocks as sequences (block l: the chunks that have a step l, longest chunk first).
    index: (P, K) for each row the transition row of the episodes (one of M) that it is.
    is_real: (P, K) bool, False where a member has fewer chunks than another.
    before: (P, n_at[0]) for each chunk the transition row before its first.
    is_continued: (P, n_at[0]) bool, False where the episode starts with the chunk.
    """

    rows: Rows
    index: Tensor
    is_real: Tensor
    before: Tensor
    is_continued: Tensor

    def of_transitions(self, values: Tensor) -> Tensor:
        """(P, R or M, …) of the episodes -> (P, K, …)."""
        return _take(values, self.index)

    def initial(self, hidden: Tensor) -> Tensor:
        """States before each chunk (P, n_at[0], …) from states after each row (P, R, …)."""
        found = _take(hidden, self.before)
        return found * self.is_continued.view(*self.before.shape, *[1] * (hidden.dim() - 2))


class Cutter:
    """Cuts the packed episodes of one batch.

    Chunks are numbered episode by episode: chunk c covers steps l + c · chunk_length of a time
    axis on which episodes follow each other, each padded to a multiple of chunk_length.

    lengths: (P, C) steps in each chunk; 0 past an episode's end. On the CPU, as is all arithmetic
    of indices; only what rows are taken with moves to the batch's device.
    """

    def __init__(self, rows: Rows, filled: Tensor, chunk_length: int) -> None:
        """filled: (P, B, T) bool of the padded batch that `rows` was made of."""
        self.device = filled.device
        self.chunk_length = chunk_length
        p, b, n_steps = filled.shape
        per_episode = -(-n_steps // chunk_length)
        padded = torch.zeros(p, b, per_episode * chunk_length, dtype=torch.bool)
        padded[..., :n_steps] = filled.cpu()
        self.lengths = padded.unflatten(2, (per_episode, chunk_length)).sum(dim=3).flatten(1)

        number = torch.arange(rows.n_transitions).expand(p, -1)
        row_of = torch.zeros(p * b * n_steps, dtype=torch.int64)
        row_of[rows.transition_index.cpu()] = number.flatten()
        on_axis = torch.zeros(p, b, per_episode * chunk_length, dtype=torch.int64)
        on_axis[..., :n_steps] = row_of.view(p, b, n_steps)
        self._row_of = on_axis.flatten(1)
        self._starts_episode = torch.arange(b * per_episode) % per_episode == 0

    def pack(self, chosen: Tensor | None = None) -> Chunks:
        """Pack all chunks, or those numbered in `chosen` (P, C'), where -1 stands for none."""
        if chosen is None:
            chosen = torch.arange(self.lengths.shape[1]).expand(self.lengths.shape[0], -1)
        size = self.chunk_length
        number = chosen.clamp_min(0)
        lengths = self.lengths.gather(1, number) * (chosen >= 0)
        # A sequence of n observations has n - 1 transitions in the words of `rows`.
        rows = pack_lengths(lengths - 1, size - 1, self.device)
        offset = torch.arange(len(chosen)).unsqueeze(1) * chosen.shape[1] * size
        place = rows.observation_index.cpu().view(len(chosen), -1) - offset  # in (C', size)
        slot, step = place // size, place % size
        on_axis = number.gather(1, slot) * size + step
        n_first = rows.n_at[0]
        first = on_axis[:, :n_first]
        tensors = (
            self._row_of.gather(1, on_axis),
            lengths.gather(1, slot) > step,
            self._row_of.gather(1, (first - 1).clamp_min(0)),
            ~self._starts_episode[first // size],
        )
        return Chunks(rows, *[tensor.to(self.device) for tensor in tensors])

    def split(self, n_parts: int, orders: list[Tensor]) -> list[Tensor]:
        """Chunks of each member in `n_parts` equal parts, as `pack` takes them.

        orders: for each member a permutation of its chunks that have steps. What is left over by an
        equal division takes no part, as in the release.
        """
        numbers = [torch.nonzero(own).squeeze(1) for own in self.lengths]
        sizes = [len(own) // n_parts for own in numbers]
        parts = torch.full((n_parts, len(numbers), max(1, *sizes)), -1)
        for p, (own, size, order) in enumerate(zip(numbers, sizes, orders, strict=True)):
            parts[:, p, :size] = own[order[: n_parts * size]].view(n_parts, size)
        return list(parts)

    def count(self) -> list[int]:
        """Each member's chunks that have steps."""
        return (self.lengths > 0).sum(dim=1).tolist()


def _take(values: Tensor, index: Tensor) -> Tensor:
    """Rows `index` (P, K) of each member: (P, R, …) -> (P, K, …)."""
    p, n_rows = values.shape[:2]
    offset = torch.arange(p, device=index.device).unsqueeze(1) * n_rows
    taken = values.flatten(0, 1).index_select(0, (index + offset).flatten())
    return taken.unflatten(0, index.shape)
