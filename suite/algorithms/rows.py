"""Packing of a padded episode batch into rows, so that padding is hardly ever computed.

Rows are ordered by time, then by episode, each member's longest episode first. At time t only the
first `n_at[t]` episodes still have an observation, so every time step is one contiguous block, each
block's episodes are a prefix of the block before, and everything but the recurrence runs on all
rows at once. Lengths differ between members; a block is as long as the member with most episodes
alive needs, and the mask hides the others' surplus rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.inputs import OWN_OBSERVATION, Inputs
from suite.runs.sizes import Sizes


@dataclass(frozen=True)
class Rows:
    """Where the R observation rows of a batch lie; the first M of them start a transition.

    The last block has no transitions (M = R - n_at[-1]). An episode that ends before the longest
    one keeps the row of its last observation among the M; its mask is 0.

    n_at: episodes in the block of each time step (T+1 entries, falling; their sum is R).
    starts: row at which each block starts.
    observation_index: (P·R,) into (P·B·(T+1)) flattened observations.
    transition_index: (P·M,) into (P·B·T) flattened transitions.
    previous: (R - n_at[0],) for each row after time 0, the row one step earlier.
    following: (M,) for each row but the last block's, the row one step later (where there is none:
    itself).
    """

    n_members: int
    n_at: tuple[int, ...]
    starts: tuple[int, ...]
    observation_index: Tensor
    transition_index: Tensor
    previous: Tensor
    following: Tensor

    @property
    def n_rows(self) -> int:
        return self.starts[-1] + self.n_at[-1]

    @property
    def n_transitions(self) -> int:
        return self.starts[-1]

    @property
    def is_full(self) -> bool:
        """True if no episode ends before the last time step: all blocks are equal."""
        return self.n_at[0] == self.n_at[-1]

    def of_observations(self, values: Tensor) -> Tensor:
        """(P, B, T+1, …) -> (P, R, …)."""
        taken = values.flatten(0, 2).index_select(0, self.observation_index)
        return taken.unflatten(0, (self.n_members, self.n_rows))

    def of_transitions(self, values: Tensor) -> Tensor:
        """(P, B, T, …) -> (P, M, …)."""
        taken = values.flatten(0, 2).index_select(0, self.transition_index)
        return taken.unflatten(0, (self.n_members, self.n_transitions))

    def at_start(self, values: Tensor) -> Tensor:
        """(P, R, …) -> (P, M, …): the rows that transitions start from; a view."""
        return values[:, : self.n_transitions]

    def at_end(self, values: Tensor) -> Tensor:
        """(P, R, …) -> (P, M, …): the rows that transitions lead to."""
        if self.is_full:
            return values[:, self.n_at[0] :]
        return values.index_select(1, self.following)

    def one_earlier(self, values: Tensor) -> Tensor:
        """(P, R or M, …) -> (P, R - n_at[0], …): for each row after time 0 the row before it."""
        if self.is_full:
            return values[:, : self.n_transitions]
        return values.index_select(1, self.previous)


def pack(batch: EpisodeBatch) -> Rows:
    """Rows of a batch. On a GPU nothing is left out: reading lengths would stall it."""
    n_members, n_episodes, n_steps = batch.filled.shape
    if batch.filled.device.type == "cpu":
        lengths = batch.filled.sum(dim=2)
    else:
        lengths = torch.full((n_members, n_episodes), n_steps, dtype=torch.int64)
    return pack_lengths(lengths, n_steps, batch.filled.device)


def pack_lengths(lengths: Tensor, n_steps: int, device: torch.device) -> Rows:
    """Rows of episodes with `lengths` (P, B) real transitions in a batch padded to `n_steps`."""
    n_members, n_episodes = lengths.shape
    order = torch.argsort(lengths, dim=1, descending=True, stable=True)
    longest = max(1, int(lengths.max()))
    time = torch.arange(longest + 1)
    n_alive = (lengths.unsqueeze(2) >= time).sum(dim=1).amax(dim=0)  # (longest + 1,)
    n_at = tuple(n_alive.clamp_min(1).tolist())
    starts = tuple(accumulate(n_at, initial=0))[:-1]

    time_of = torch.repeat_interleave(time, torch.tensor(n_at))  # (R,)
    start = torch.tensor(starts)
    rank = torch.arange(len(time_of)) - start[time_of]
    episode = torch.arange(n_members).unsqueeze(1) * n_episodes + order[:, rank]  # (P, R)
    n_transitions = starts[-1]
    is_continued = rank[:n_transitions] < torch.tensor(n_at)[time_of[:n_transitions] + 1]
    itself = torch.arange(n_transitions)
    next_row = start[time_of[:n_transitions] + 1] + rank[:n_transitions]
    return Rows(
        n_members=n_members,
        n_at=n_at,
        starts=starts,
        observation_index=(episode * (n_steps + 1) + time_of).flatten().to(device),
        transition_index=(episode * n_steps + time_of)[:, :n_transitions].flatten().to(device),
        previous=(start[time_of[n_at[0] :] - 1] + rank[n_at[0] :]).to(device),
        following=torch.where(is_continued, next_row, itself).to(device),
    )


def agent_inputs(
    batch: EpisodeBatch, rows: Rows, seen: Inputs = OWN_OBSERVATION
) -> tuple[Tensor, Tensor]:
    """Inputs x of all agents and the actions taken.

    seen: what takes the place of the observation.
    Returns x (P, R, N, O+A+N), the concatenation of observation, one-hot last action (zeros at the
    first step) and one-hot agent number (PyMARL's `obs_last_action`, `obs_agent_id`), and actions
    (P, M, N) int64.
    """
    observations = seen.of({name: rows.of_observations(batch.array(name)) for name in seen.parts})
    actions = rows.of_transitions(batch.actions)
    n_actions = batch.available_actions.shape[-1]
    p, r, n, o = observations.shape
    x = observations.new_zeros(p, r, n, o + n_actions + n)
    x[..., :o] = observations
    last_action = x[:, rows.n_at[0] :, :, o : o + n_actions]
    last_action.scatter_(-1, rows.one_earlier(actions).unsqueeze(-1), 1.0)
    x[..., o + n_actions :] = torch.eye(n, dtype=x.dtype, device=x.device)
    return x, actions


def step_inputs(observations: Tensor, last_actions: Tensor, sizes: Sizes) -> Tensor:
    """Inputs of one step: observations (P, E, N, O), last_actions (P, E, N) -> (P, E, N, O+A+N).

    A last action of -1 (before the first step) gives zeros.
    """
    x = observations.new_zeros(
        *observations.shape[:3], sizes.input_size_with(observations.shape[3])
    )
    width = observations.shape[3]
    x[..., :width] = observations
    numbers = torch.arange(sizes.n_actions, device=x.device)
    end = width + sizes.n_actions
    x[..., width:end] = last_actions.unsqueeze(3) == numbers
    x[..., end:] = torch.eye(sizes.n_agents, device=x.device)
    return x
