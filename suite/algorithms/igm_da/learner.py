"""IGM-DA's update: the expert values what the learner would do, the learner imitates its choice."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents.recurrent import RecurrentAgent
from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.declaration import Members
from suite.algorithms.igm_da.settings import IgmDaSettings
from suite.algorithms.inputs import Inputs, privileged_inputs
from suite.algorithms.losses.imitation import expert_loss
from suite.algorithms.mixers.interface import Mixer
from suite.algorithms.rows import agent_inputs, pack
from suite.algorithms.value.base import ActingNetwork, QLearner
from suite.algorithms.value.mixed_td import mixed_td, transitions
from suite.algorithms.value.trained import Trained, prefixed, under
from suite.runs.modes import DECENTRALISED, TEACHER
from suite.runs.sizes import Sizes

EXPERT = "expert."
"""How names of the expert's weights start; the learner's and the mixer's are plain."""


class IgmDaLearner(QLearner):
    """One group of weights, so one step and one clip for learner, expert and mixer. The learner
    acts in training; it sees `alone`."""

    settings: IgmDaSettings

    def __init__(
        self,
        settings: IgmDaSettings,
        sizes: Sizes,
        mixer: Mixer,
        members: Members,
        alone: Inputs,
        device: torch.device | str = "cpu",
    ) -> None:
        self.settings, self.sizes, self.device = settings, sizes, torch.device(device)
        self.n_members, self.mixer = len(members), mixer
        self.alone, self.privileged = alone, privileged_inputs(settings.privileged, sizes)
        self.learner = RecurrentAgent(settings, sizes, alone)
        self.expert = RecurrentAgent(settings, sizes, self.privileged)
        specs = [*self.learner.specs, *prefixed(self.expert.specs, EXPERT), *mixer.specs]
        self._networks = Trained(specs, settings, members, self.device)
        self.trained = {"": self._networks}
        self.acting = {
            DECENTRALISED.name: ActingNetwork(self.learner, inputs=alone),
            TEACHER.name: ActingNetwork(self.expert, prefix=EXPERT, inputs=self.privileged),
        }

    def update(
        self,
        batch: EpisodeBatch,
        env_steps: Tensor | NDArray[np.int64],
        active: Tensor | NDArray[np.bool_] | None = None,
    ) -> dict[str, Tensor]:
        """One step down the sum of the expert's loss and the learner's; see `QLearner.update`.

        Metrics: loss_td and q_taken_mean of the expert, loss_imitation of the learner, and
        gradient_norm of all, before clipping.
        """
        networks = self._networks
        rows = pack(batch)
        inputs, actions = agent_inputs(batch, rows, self.privileged)
        taken = transitions(batch, rows, actions)
        online = self.expert.unroll(under(networks.online, EXPERT), inputs, rows)
        with torch.no_grad():
            target = self.expert.unroll(under(networks.target, EXPERT), inputs, rows)
        inputs, _ = agent_inputs(batch, rows, self.alone)
        learner = self.learner.unroll(networks.online, inputs, rows)
        td = mixed_td(self.settings, self.mixer, networks, taken, online.q, target.q, learner.q)
        loss_imitation = expert_loss(
            rows.at_start(learner.q),
            rows.at_start(online.q),
            rows.at_start(taken.available),
            taken.mask,
        )
        return {
            "loss_td": td.loss_td,
            "gradient_norm": networks.descend(td.loss + loss_imitation, active),
            "q_taken_mean": td.q_taken_mean,
            "loss_imitation": loss_imitation.detach(),
        }
