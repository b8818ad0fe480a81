"""What learners of values have in common: weights by group, acting, and state to continue from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents.interface import Agent
from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.inputs import AVAILABLE, OWN_OBSERVATION, Inputs, living_agents
from suite.algorithms.parameters import Weights
from suite.algorithms.rows import step_inputs
from suite.algorithms.value.settings import ValueSettings
from suite.algorithms.value.trained import Trained, joined, under
from suite.errors import InputError
from suite.runs.sizes import Sizes

# Up to so many rows (environments × agents) one compiled call beats a call per layer: measured.
FEW_ROWS = 64


@dataclass(frozen=True)
class ActingNetwork:
    """How a mode acts: an agent network, where its weights are, and what it sees.

    group, prefix: the group of weights, and how their names start in it. sees_living: whether the
    agent is told who can still act.
    """

    agent: Agent
    group: str = ""
    prefix: str = ""
    inputs: Inputs = OWN_OBSERVATION
    sees_living: bool = False


class QLearner(ABC):
    """P members trained side by side without influence on each other.

    trained: groups of weights by name, each with a gradient step of its own. Names of the group ""
    stay as they are in weights files, others start with their group's. It holds the networks that
    act in the decentralised mode.
    acting: execution mode → network.
    """

    settings: ValueSettings
    sizes: Sizes
    n_members: int
    device: torch.device
    trained: dict[str, Trained]
    acting: Mapping[str, ActingNetwork]

    @property
    def extra_observations(self) -> tuple[str, ...]:
        """Names of the further observations that its networks see."""
        seen = [name for network in self.acting.values() for name in network.inputs.extra]
        return tuple(dict.fromkeys(seen))

    @abstractmethod
    def update(
        self,
        batch: EpisodeBatch,
        env_steps: Tensor | NDArray[np.int64],
        active: Tensor | NDArray[np.bool_] | None = None,
    ) -> dict[str, Tensor]:
        """One gradient step per member on its own episodes.

        env_steps: (P,) training environment steps so far. active: (P,) bool; members left out keep
        weights and optimiser state. Returns metrics by name, each (P,).
        """

    def copy_target(self, members: Tensor | NDArray[np.bool_]) -> None:
        """Copy online weights to the target networks of `members` (P,) bool."""
        for trained in self.trained.values():
            trained.copy_target(members)

    def initial_hidden(self, n_environments: int, mode: str | None = None) -> Tensor:
        """Zeros (P, E, N, H): the hidden state before an episode's first step."""
        network = self.acting[mode or next(iter(self.acting))]
        shape = (self.n_members, n_environments, self.sizes.n_agents, network.agent.hidden_size)
        return torch.zeros(shape, device=self.device)

    @torch.no_grad()
    def act_values(
        self, seen: Mapping[str, Tensor], last_actions: Tensor, hidden: Tensor, mode: str
    ) -> tuple[Tensor, Tensor]:
        """Utilities of one time step, without gradient.

        seen: arrays by name, (P, E, N, …), state (P, E, S); `observations` suffice where the mode
        sees no more. last_actions (P, E, N) int64 with -1 before the first step,
        hidden (P, E, N, H) -> q (P, E, N, A), next hidden.
        """
        network = self.acting[mode]
        observations = network.inputs.of(seen)
        living = living_agents(seen[AVAILABLE]) if network.sees_living else None
        n_environments, n_agents = last_actions.shape[1:]
        if self.device.type != "cpu" or n_environments * n_agents > FEW_ROWS:
            inputs = step_inputs(observations, last_actions, self.sizes)
            weights = under(self.trained[network.group].online, network.prefix)
            return network.agent.step(weights, inputs, hidden, mode, living)
        q = observations.new_empty(*last_actions.shape, self.sizes.n_actions)
        next_hidden = torch.empty_like(hidden, memory_format=torch.contiguous_format)
        flat, next_flat, q_flat = hidden.flatten(1, 2), next_hidden.flatten(1, 2), q.flatten(1, 2)
        for p, arrays in enumerate(self._acting_arrays(mode)):
            network.agent.step_few_rows(
                arrays,
                observations[p].contiguous().numpy(),
                last_actions[p].contiguous().numpy(),
                flat[p].contiguous().numpy(),
                q_flat[p].numpy(),
                next_flat[p].numpy(),
                mode,
                None if living is None else living[p].numpy(),
            )
        return q, next_hidden

    def _acting_arrays(self, mode: str) -> list[tuple[NDArray[np.float32], ...]]:
        """Per member, arrays that share memory with the weights of a mode's network; made once."""
        made = self.__dict__.setdefault("_arrays_of_mode", {})
        if mode not in made:
            network = self.acting[mode]
            names = [network.prefix + spec.name for spec in network.agent.specs]
            made[mode] = self.trained[network.group].arrays(names)
        arrays: list[tuple[NDArray[np.float32], ...]] = made[mode]
        return arrays

    def extra_state(self) -> dict[str, Tensor]:
        """Tensors besides weights and optimisers that decide how training goes on."""
        return {}

    def _state(self) -> dict[str, Tensor]:
        return joined({name: one.state() for name, one in self.trained.items()}) | {
            f"extra.{name}": tensor for name, tensor in self.extra_state().items()
        }

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of everything that decides how training goes on: weights, targets, optimiser."""
        return {name: tensor.detach().clone() for name, tensor in self._state().items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on exactly where `state_dict` was taken, on a learner of the same arm and sizes.

        Raises InputError if names or shapes differ.
        """
        own = self._state()
        shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
        given = {name: tuple(tensor.shape) for name, tensor in state.items()}
        if shapes != given:
            raise InputError(
                "learner state of another arm, scenario or cohort",
                where="load_state_dict",
                value=given,
                cure=f"use a state with {shapes}",
            )
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(state[name])

    def is_finite(self) -> NDArray[np.bool_]:
        """(P,) whether all of a member's online weights are finite."""
        found = np.ones(self.n_members, np.bool_)
        for trained in self.trained.values():
            found &= trained.is_finite()
        return found

    def member_weights(self, member: int) -> dict[str, Tensor]:
        """Copies of one member's online weights by name, no population axis (docs/weights.md)."""
        return joined({name: one.member(member) for name, one in self.trained.items()})

    def member_gradients(self, member: int) -> dict[str, Tensor]:
        """Copies of one member's gradient in the last `update`, clipped; names of its weights."""
        return joined({name: one.member_gradients(member) for name, one in self.trained.items()})

    def load_member_weights(self, member: int, weights: Weights) -> None:
        """Set one member's online and target weights.

        Raises InputError if names or shapes do not fit.
        """
        others = tuple(f"{name}." for name in self.trained if name)
        for name, trained in self.trained.items():
            own = (
                under(weights, f"{name}.")
                if name
                else {k: w for k, w in weights.items() if not k.startswith(others)}
            )
            trained.load_member(member, own)
