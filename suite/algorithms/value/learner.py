"""Training of a population: double Q-learning on mixed utilities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents.interface import Agent, Unrolled
from suite.algorithms.agents.recurrent import RecurrentAgent
from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.declaration import Members
from suite.algorithms.mixers.interface import Mixer
from suite.algorithms.parameters import Weights
from suite.algorithms.rows import Rows, agent_inputs, pack
from suite.algorithms.value.base import ActingNetwork, QLearner
from suite.algorithms.value.mixed_td import mixed_td, transitions
from suite.algorithms.value.settings import ValueSettings
from suite.algorithms.value.trained import Trained
from suite.runs.modes import DECENTRALISED, ExecutionMode
from suite.runs.sizes import Sizes


class ValueLearner(QLearner):
    """P runs of one arm on one scenario. Methods that add a loss on the agents' network say so in
    `agent_loss`.

    Parameters
    ----------
    settings, sizes: the arm and the scenario; they fix every shape.
    mixer: how utilities become joint values.
    members: seeds decide initial weights and nothing else; learning rates default to the setting.
    modes: execution modes, all of the one network.
    device: where weights live and updates run.

    Raises InputError for lists that do not fit the number of seeds.
    """

    def __init__(
        self,
        settings: ValueSettings,
        sizes: Sizes,
        mixer: Mixer,
        members: Members,
        device: torch.device | str = "cpu",
        modes: tuple[ExecutionMode, ...] = (DECENTRALISED,),
    ) -> None:
        self.settings, self.sizes, self.device = settings, sizes, torch.device(device)
        self.n_members = len(members)
        self.agent, self.mixer = self.build_agent(), mixer
        specs = [*self.agent.specs, *self.mixer.specs]
        self._networks = Trained(specs, settings, members, self.device)
        self.trained = {"": self._networks}
        self.acting = {mode.name: ActingNetwork(self.agent) for mode in modes}

    def build_agent(self) -> Agent:
        """The agents' network."""
        return RecurrentAgent(self.settings, self.sizes)

    def unroll(self, weights: Weights, inputs: Tensor, rows: Rows, batch: EpisodeBatch) -> Unrolled:
        """What agents with these weights make of inputs (P, R, N, D)."""
        return self.agent.unroll(weights, inputs, rows)

    def agent_loss(
        self,
        online: Unrolled,
        rows: Rows,
        batch: EpisodeBatch,
        mask: Tensor,
        env_steps: NDArray[np.int64],
    ) -> tuple[Tensor | None, Mapping[str, Tensor]]:
        """A loss (P,) beside that of the values, or None, and metrics by name, each (P,).

        mask: (P, M) float, the transitions that count.
        """
        return None, {}

    def update(
        self,
        batch: EpisodeBatch,
        env_steps: Tensor | NDArray[np.int64],
        active: Tensor | NDArray[np.bool_] | None = None,
    ) -> dict[str, Tensor]:
        """One gradient step per member on its own episodes.

        env_steps: (P,) training environment steps so far. active: (P,) bool; members left out keep
        weights and optimiser state.
        Returns per-member (P,) tensors: loss_td, gradient_norm (before clipping), q_taken_mean
        (joint value of the actions taken, per agent), and those of `agent_loss`.
        """
        rows = pack(batch)
        inputs, actions = agent_inputs(batch, rows)
        taken = transitions(batch, rows, actions)
        online = self.unroll(self._networks.online, inputs, rows, batch)
        with torch.no_grad():
            target = self.unroll(self._networks.target, inputs, rows, batch)
        td = mixed_td(
            self.settings, self.mixer, self._networks, taken, online.q, target.q, online.q
        )
        loss = td.loss
        steps = np.asarray(env_steps)
        own_loss, metrics = self.agent_loss(online, rows, batch, taken.mask, steps)
        if own_loss is not None:
            loss = loss + own_loss
        gradient_norm = self._networks.descend(loss, active)
        return dict(metrics) | {
            "loss_td": td.loss_td,
            "gradient_norm": gradient_norm,
            "q_taken_mean": td.q_taken_mean,
        }
