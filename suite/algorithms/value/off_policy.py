"""A value learner with what it remembers and how it explores: PyMARL's episode loop, per member."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.buffers import EpisodeBuffer, fields_of
from suite.algorithms.declaration import Members
from suite.algorithms.inputs import AVAILABLE, OBSERVATIONS, STATE
from suite.algorithms.interface import Actor, Counters, Seen
from suite.algorithms.parameters import Weights
from suite.algorithms.value.base import QLearner
from suite.algorithms.value.exploration import epsilon, explore, greedy_actions
from suite.runs.modes import ExecutionMode
from suite.runs.protocol import TrainingProtocol
from suite.runs.seeding import Stream, generator
from suite.runs.sizes import Sizes


class OffPolicy:
    """See `suite.algorithms.interface.Algorithm`."""

    def __init__(
        self,
        learner: QLearner,
        modes: tuple[ExecutionMode, ...],
        sizes: Sizes,
        protocol: TrainingProtocol,
        members: Members,
    ) -> None:
        self.learner, self.modes, self._protocol = learner, modes, protocol
        self.n_members = len(members)
        self.memory = EpisodeBuffer(
            fields_of(sizes, learner.extra_observations),
            self.n_members,
            protocol.buffer_size_episodes,
            sizes.episode_limit,
        )
        self._exploration = [generator(seed, Stream.EXPLORATION) for seed in members.seeds]
        self._sampling = [generator(seed, Stream.REPLAY_SAMPLING) for seed in members.seeds]
        # Episode number of each member's last target copy.
        self._last_copy = np.zeros(self.n_members, np.int64)

    def actor(self, seen: Seen, mode: str, exploring: Counters | None = None) -> Actor:
        """Greedy, or ε-greedy with each member's own ε."""
        if exploring is None:
            return EpsilonGreedy(self.learner, seen, mode)
        steps = exploring.env_steps.tolist()
        epsilons = np.array([epsilon(n, self._protocol) for n in steps])
        return EpsilonGreedy(self.learner, seen, mode, epsilon=epsilons, random=self._exploration)

    def update(
        self, counters: Counters, active: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], Mapping[str, Tensor]]:
        """One gradient step per active member that has a full batch, then target copies."""
        size = self._protocol.batch_size_episodes
        is_ready = active & (np.minimum(self.memory.n_added, self.memory.capacity) >= size)
        if not is_ready.any():
            return is_ready, {}
        batch = self.memory.sample(size, self._sampling, is_ready, str(self.learner.device))
        metrics = self.learner.update(batch, counters.env_steps, is_ready)
        self._copy_targets(counters.n_episodes, is_ready)
        return is_ready, metrics

    def _copy_targets(self, n_episodes: NDArray[np.int64], active: NDArray[np.bool_]) -> None:
        """Hard copy every so many episodes, counted from the one just played (PyMARL)."""
        interval = self._protocol.target_update_interval_episodes
        due = active & (n_episodes - 1 - self._last_copy >= interval)
        if due.any():
            self._last_copy[due] = n_episodes[due] - 1
            self.learner.copy_target(torch.from_numpy(due))

    def facts(self, counters: Counters) -> Mapping[str, Sequence[float]]:
        """ε."""
        return {"epsilon": [epsilon(n, self._protocol) for n in counters.env_steps.tolist()]}

    def is_finite(self) -> NDArray[np.bool_]:
        """(P,) whether all of a member's weights are finite."""
        return self.learner.is_finite()

    def member_weights(self, member: int) -> dict[str, Tensor]:
        """See `Algorithm`."""
        return self.learner.member_weights(member)

    def load_member_weights(self, member: int, weights: Weights) -> None:
        """See `Algorithm`."""
        self.learner.load_member_weights(member, weights)

    def state_dict(self) -> dict[str, Any]:
        """Weights, targets, optimiser, random streams, target copies."""
        streams = [g.bit_generator.state for g in (*self._exploration, *self._sampling)]
        return {
            "learner": self.learner.state_dict(),
            "random": json.dumps(streams),
            "last_copy": torch.from_numpy(self._last_copy.copy()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Algorithm`."""
        self.learner.load_state_dict(state["learner"])
        streams = json.loads(state["random"])
        for g, stored in zip((*self._exploration, *self._sampling), streams, strict=True):
            g.bit_generator.state = stored
        if state["last_copy"].shape != self._last_copy.shape or (state["last_copy"] < 0).any():
            raise ValueError("target copies of other members")
        self._last_copy[:] = state["last_copy"].numpy()


class EpsilonGreedy:
    """Networks choosing actions in one execution mode, ε-greedily.

    Slots are laid out member by member: (members, environments per member). `epsilon` and `random`
    (one per member) are absent in greedy tests. A member draws only while one of its own slots
    plays, so that its exploration does not depend on how long others play.
    """

    def __init__(
        self,
        learner: QLearner,
        seen: Seen,
        mode: str,
        *,
        epsilon: NDArray[np.float64] | None = None,
        random: Sequence[np.random.Generator] = (),
    ) -> None:
        self._learner, self._mode = learner, mode
        self._epsilon, self._random = epsilon, random
        sizes = learner.sizes
        self._lead = (learner.n_members, seen.n_environments // learner.n_members)
        self._available = seen.available_actions.reshape(
            *self._lead, sizes.n_agents, sizes.n_actions
        )
        self._hidden = learner.initial_hidden(self._lead[1], mode)
        self._device = self._hidden.device
        self._seen = {
            name: torch.from_numpy(array).unflatten(0, self._lead)
            for name, array in seen_by_name(seen).items()
        }
        self._last_actions = torch.full(
            (*self._lead, sizes.n_agents), -1, dtype=torch.int64, device=self._device
        )

    def __call__(self, t: int, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Actions (slots, agents) for what the environment shows now."""
        seen = {name: tensor.to(self._device) for name, tensor in self._seen.items()}
        q, self._hidden = self._learner.act_values(
            seen, self._last_actions, self._hidden, self._mode
        )
        actions = greedy_actions(q.cpu().numpy(), self._available)
        if self._epsilon is not None:
            for m in np.unique(slots // self._lead[1]).tolist():
                actions[m] = explore(
                    actions[m], self._available[m], self._epsilon[m], self._random[m]
                )
        self._last_actions = torch.from_numpy(actions).to(self._device)
        return actions.reshape(-1, actions.shape[-1])


def seen_by_name(seen: Seen) -> dict[str, NDArray[Any]]:
    """The arrays of a batch of environments by name, as they are remembered too."""
    return {
        OBSERVATIONS: seen.observations,
        STATE: seen.state,
        AVAILABLE: seen.available_actions,
        **seen.extra_observations,
    }
