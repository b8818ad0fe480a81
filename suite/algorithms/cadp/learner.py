"""CADP's update: value learning with advice, and the pruning loss after step T."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents.cadp import Advised, CadpAgent
from suite.algorithms.agents.interface import Unrolled
from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.cadp.settings import CadpSettings
from suite.algorithms.cadp.weight import PruningWeight
from suite.algorithms.declaration import Members
from suite.algorithms.inputs import living_agents
from suite.algorithms.losses.pruning import pruning_loss
from suite.algorithms.losses.schedules import greedy_disagreement
from suite.algorithms.losses.td import masked_mean
from suite.algorithms.mixers.interface import Mixer
from suite.algorithms.parameters import Weights
from suite.algorithms.rows import Rows
from suite.algorithms.value.base import ActingNetwork
from suite.algorithms.value.learner import ValueLearner
from suite.runs.modes import CENTRALISED, DECENTRALISED, ExecutionMode
from suite.runs.sizes import Sizes


class CadpLearner(ValueLearner):
    """See `PruningWeight` for what members may differ in."""

    settings: CadpSettings
    agent: CadpAgent

    def __init__(
        self,
        settings: CadpSettings,
        sizes: Sizes,
        mixer: Mixer,
        members: Members,
        device: torch.device | str = "cpu",
        modes: tuple[ExecutionMode, ...] = (CENTRALISED, DECENTRALISED),
    ) -> None:
        super().__init__(settings, sizes, mixer, members, device, modes)
        self._weight = PruningWeight(settings, members, self.device)
        self.acting = {
            mode.name: ActingNetwork(self.agent, sees_living=settings.masks_dead) for mode in modes
        }

    def build_agent(self) -> CadpAgent:
        """The advising agent."""
        return CadpAgent(self.settings, self.sizes)

    def update(
        self,
        batch: EpisodeBatch,
        env_steps: Tensor | NDArray[np.int64],
        active: Tensor | NDArray[np.bool_] | None = None,
    ) -> dict[str, Tensor]:
        """See `ValueLearner`; afterwards α follows the gap where that is the schedule."""
        metrics = super().update(batch, env_steps, active)
        if self._weight.control is not None:
            chosen = self._weight.is_pruning(np.asarray(env_steps))
            if active is not None:
                chosen = chosen & np.asarray(active)
            self._weight.follow(metrics["greedy_disagreement"], chosen)
        return metrics

    def unroll(self, weights: Weights, inputs: Tensor, rows: Rows, batch: EpisodeBatch) -> Advised:
        """With advice from the living, if the dead are masked."""
        return self.agent.unroll(weights, inputs, rows, self._living(rows, batch))

    def agent_loss(
        self,
        online: Unrolled,
        rows: Rows,
        batch: EpisodeBatch,
        mask: Tensor,
        env_steps: NDArray[np.int64],
    ) -> tuple[Tensor | None, Mapping[str, Tensor]]:
        """α times the pruning loss, for members strictly above their T.

        Metrics: loss_pruning (before α, also before T), self_attention (mean attention an agent
        pays to itself); alpha in force, unless it is constant; greedy_disagreement between the
        modes, where α follows it. None without advice.
        """
        assert isinstance(online, Advised)
        if online.self_attention is None:
            return None, {}
        living = self._living(rows, batch)
        loss, paid = _pruning(online.self_attention, rows, mask, living, self.settings)
        metrics = {"self_attention": paid.detach(), "loss_pruning": loss.detach()}
        is_constant = self.settings.pruning_schedule == "constant"
        if not is_constant:
            metrics["alpha"] = self._weight.in_force(env_steps)
        if self._weight.control is not None:
            metrics["greedy_disagreement"] = greedy_disagreement(
                rows.at_start(online.q),
                self.agent.decentralised_q(self._networks.online, online, rows),
                rows.at_start(rows.of_observations(batch.available_actions)),
                mask,
            )
        if not self._weight.is_pruning(env_steps).any():
            return None, metrics
        return self._weight.in_force(env_steps) * loss, metrics

    def extra_state(self) -> dict[str, Tensor]:
        """Of the schedule."""
        return self._weight.state()

    def _living(self, rows: Rows, batch: EpisodeBatch) -> Tensor | None:
        """(P, R, N) bool; None where it does not matter."""
        if not self.settings.masks_dead:
            return None
        return living_agents(rows.of_observations(batch.available_actions))


def _pruning(
    self_attention: Tensor,
    rows: Rows,
    mask: Tensor,
    living: Tensor | None,
    settings: CadpSettings,
) -> tuple[Tensor, Tensor]:
    """The pruning loss and the mean attention to oneself, each (P,), of the living if masked."""
    paid = rows.at_start(self_attention)
    if living is None:
        cost = pruning_loss(paid, settings.pruning_normalisation)
        return masked_mean(cost, mask), masked_mean(paid.mean(dim=(2, 3)), mask)
    alive = rows.at_start(living)
    cost = pruning_loss(paid, settings.pruning_normalisation, alive)
    counted = alive * mask.unsqueeze(2)
    mean = masked_mean(paid.mean(dim=2).flatten(1), counted.flatten(1))
    return masked_mean(cost, mask), mean
