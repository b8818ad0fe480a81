"""MAPPO with the episodes of its last collection: they are learned from once, with their policy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.buffers import EpisodeBuffer, fields_of
from suite.algorithms.cadp.method import ALPHA, PRUNING_START
from suite.algorithms.declaration import Members
from suite.algorithms.inputs import living_agents
from suite.algorithms.interface import Actor, Counters, Seen
from suite.algorithms.mappo.distribution import sample
from suite.algorithms.mappo.settings import MappoSettings
from suite.algorithms.mappo.update import MappoLearner
from suite.algorithms.parameters import Weights
from suite.algorithms.rows import pack
from suite.runs.modes import ExecutionMode
from suite.runs.protocol import TrainingProtocol
from suite.runs.seeding import Stream, generator
from suite.runs.sizes import Sizes


class OnPolicy:
    """See `suite.algorithms.interface.Algorithm`."""

    def __init__(
        self,
        settings: MappoSettings,
        modes: tuple[ExecutionMode, ...],
        sizes: Sizes,
        protocol: TrainingProtocol,
        members: Members,
        device: torch.device | str = "cpu",
    ) -> None:
        self.modes, self.n_members = modes, len(members)
        self._n_episodes = protocol.episodes_per_collection
        self.memory = EpisodeBuffer(
            fields_of(sizes), self.n_members, self._n_episodes, sizes.episode_limit
        )
        given: Mapping[str, Sequence[Any]] = members.hyperparameters
        self.learner = MappoLearner(
            settings,
            sizes,
            seeds=members.seeds,
            alpha=given.get(ALPHA),
            pruning_start_env_steps=given.get(PRUNING_START),
            learning_rate=members.learning_rate,
            device=device,
        )
        self._exploration = [generator(seed, Stream.EXPLORATION) for seed in members.seeds]

    def actor(self, seen: Seen, mode: str, exploring: Counters | None = None) -> Actor:
        """Draws from the policy while exploring, else takes its likeliest action."""
        return PolicyActor(self.learner, seen, mode, self._exploration if exploring else ())

    def update(
        self, counters: Counters, active: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], Mapping[str, Tensor]]:
        """All epochs on the collection that has just been played."""
        if not active.any():
            return active, {}
        batch = self.memory.newest(self._n_episodes, active, str(self.learner.device))
        rows = pack(batch)
        living = living_agents(rows.of_observations(batch.available_actions))
        return active, self.learner.update(rows, batch, living, counters.env_steps, active)

    def facts(self, counters: Counters) -> Mapping[str, Sequence[float]]:
        """None."""
        return {}

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
        """Weights, optimisers, value statistics, random streams."""
        streams = [g.bit_generator.state for g in self._exploration]
        return {"learner": self.learner.state_dict(), "random": json.dumps(streams)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Algorithm`."""
        self.learner.load_state_dict(state["learner"])
        for g, stored in zip(self._exploration, json.loads(state["random"]), strict=True):
            g.bit_generator.state = stored


class PolicyActor:
    """The policy choosing actions in one execution mode; slots are laid out member by member.

    random: one generator per member to draw with, empty in greedy tests. A member draws only while
    one of its own slots plays, so that its exploration does not depend on how long others play.
    """

    def __init__(
        self, learner: MappoLearner, seen: Seen, mode: str, random: Sequence[np.random.Generator]
    ) -> None:
        self._learner, self._mode, self._random = learner, mode, random
        self._lead = (learner.n_members, seen.n_environments // learner.n_members)
        self._hidden = learner.initial_hidden(self._lead[1])
        self._device = self._hidden.device
        self._observations, self._available = (
            torch.from_numpy(array).unflatten(0, self._lead)
            for array in (seen.observations, seen.available_actions)
        )
        shape = (*self._lead, learner.sizes.n_agents)
        self._last_actions = torch.full(shape, -1, dtype=torch.int64, device=self._device)

    def __call__(self, t: int, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Actions (slots, agents) for what the environment shows now."""
        log_p, self._hidden = self._learner.act_log_probabilities(
            self._observations.to(self._device),
            self._last_actions,
            self._available.to(self._device),
            self._hidden,
            self._mode,
        )
        actions = log_p.argmax(dim=-1)
        if self._random:
            for m in np.unique(slots // self._lead[1]).tolist():
                draws = torch.from_numpy(self._random[m].random(log_p.shape[1:]))
                actions[m] = sample(log_p[m], draws.to(log_p))
        self._last_actions = actions
        return actions.flatten(0, 1).cpu().numpy()
