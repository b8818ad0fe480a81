"""CADP's update: value learning with advice, and the pruning loss after step T."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents.cadp import CadpAgent
from suite.algorithms.agents.interface import Agent, Unrolled
from suite.algorithms.cadp.method import ALPHA, PRUNING_START
from suite.algorithms.cadp.settings import PUBLISHED_ALPHA, CadpSettings
from suite.algorithms.declaration import Members
from suite.algorithms.losses.pruning import pruning_loss
from suite.algorithms.losses.td import masked_mean
from suite.algorithms.members import per_member
from suite.algorithms.mixers.interface import Mixer
from suite.algorithms.rows import Rows
from suite.algorithms.value.learner import ValueLearner
from suite.runs.modes import CENTRALISED, DECENTRALISED, ExecutionMode
from suite.runs.sizes import Sizes

# A pruning start that no run reaches.
NEVER = np.iinfo(np.int64).max


class CadpLearner(ValueLearner):
    """Members' hyperparameters: `alpha`, by default the release's, and `pruning_start_env_steps`,
    without which a member never prunes."""

    settings: CadpSettings

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
        given, n = members.hyperparameters, len(members)
        published = PUBLISHED_ALPHA.get(settings.backbone, 0.0)
        alpha = per_member(ALPHA, given.get(ALPHA), n, published)
        self._alpha = torch.tensor(alpha, dtype=torch.float32, device=self.device)
        starts = per_member(PRUNING_START, given.get(PRUNING_START), n, None)
        self._pruning_start = np.array([NEVER if t is None else t for t in starts], np.int64)
        if never_prunes(settings):
            self._pruning_start[:] = NEVER

    def build_agent(self) -> Agent:
        """The advising agent."""
        return CadpAgent(self.settings, self.sizes)

    def agent_loss(
        self, online: Unrolled, rows: Rows, mask: Tensor, env_steps: NDArray[np.int64]
    ) -> tuple[Tensor | None, Mapping[str, Tensor]]:
        """α times the pruning loss, for members strictly above their T.

        Metrics: loss_pruning (before α, also before T), self_attention (mean attention an agent
        pays to itself).
        """
        assert online.self_attention is not None
        paid_to_self = rows.at_start(online.self_attention)
        cost = pruning_loss(paid_to_self, self.settings.pruning_normalisation)
        loss = masked_mean(cost, mask)
        metrics = {
            "self_attention": masked_mean(paid_to_self.mean(dim=(2, 3)), mask).detach(),
            "loss_pruning": loss.detach(),
        }
        is_pruning = env_steps > self._pruning_start
        if not is_pruning.any():
            return None, metrics
        return self._alpha * torch.from_numpy(is_pruning).to(self.device) * loss, metrics


def never_prunes(settings: CadpSettings) -> bool:
    """As released, CADP on QPLEX never prunes: its learner compares with another learner's name
    (release, learners/qplex_learner_teacher.py:190). Repaired, it prunes like the others (D1)."""
    return settings.protocol == "as_released" and settings.backbone == "qplex"
