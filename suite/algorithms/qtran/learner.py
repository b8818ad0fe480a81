"""QTRAN's update: the joint network by TD, utilities and V towards the joint network."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents.recurrent import RecurrentAgent, recurrent_sequence
from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.declaration import Members
from suite.algorithms.losses.qtran import qtran_loss
from suite.algorithms.losses.td import available_only, masked_mean, transition_mask
from suite.algorithms.qtran.joint import QtranJoint
from suite.algorithms.qtran.settings import QtranSettings
from suite.algorithms.rows import agent_inputs, pack
from suite.algorithms.value.base import ActingNetwork, QLearner
from suite.algorithms.value.targets import returns
from suite.algorithms.value.trained import Trained
from suite.runs.modes import DECENTRALISED
from suite.runs.sizes import Sizes


class QtranLearner(QLearner):
    """P runs of QTRAN-base on one scenario; arguments as of `ValueLearner`."""

    settings: QtranSettings

    def __init__(
        self,
        settings: QtranSettings,
        sizes: Sizes,
        members: Members,
        device: torch.device | str = "cpu",
    ) -> None:
        self.settings, self.sizes, self.device = settings, sizes, torch.device(device)
        self.n_members = len(members)
        self.agent, self.joint = RecurrentAgent(settings, sizes), QtranJoint(settings, sizes)
        specs = [*self.agent.specs, *self.joint.specs]
        self._networks = Trained(specs, settings, members, self.device)
        self.trained = {"": self._networks}
        self.acting = {DECENTRALISED.name: ActingNetwork(self.agent)}

    def update(
        self,
        batch: EpisodeBatch,
        env_steps: Tensor | NDArray[np.int64],
        active: Tensor | NDArray[np.bool_] | None = None,
    ) -> dict[str, Tensor]:
        """See `QLearner.update`.

        Metrics: loss_td, loss_optimal and loss_non_optimal (before their weights), gradient_norm
        (before clipping), q_taken_mean (joint value of the actions taken, per agent).
        """
        joint, ours, target = self.joint, self._networks.online, self._networks.target
        rows = pack(batch)
        inputs, taken = agent_inputs(batch, rows)
        available = rows.of_observations(batch.available_actions)
        state = rows.of_observations(batch.state)
        is_real = rows.of_transitions(transition_mask(batch.filled, batch.terminated))
        mask = is_real.float()

        online = self.agent.unroll(ours, inputs, rows)
        greedy = available_only(online.q, available).argmax(dim=3)
        read = joint.read(ours, online.hidden)
        state_t, greedy_t = rows.at_start(state), rows.at_start(greedy)
        with torch.no_grad():
            hidden = recurrent_sequence(target, inputs, rows).unflatten(1, inputs.shape[1:3])
            target_read = joint.read(target, hidden)
            q_next = rows.at_end(joint.q(target, state, target_read, greedy))
            q_taken = partial(joint.q, target, state_t, target_read, taken)
            y = returns(self.settings, batch, rows, is_real, q_next, q_taken)
            q_joint_greedy = joint.q(ours, state_t, read, greedy_t)
        chosen = torch.stack([taken, greedy_t], dim=3)
        q_sum = rows.at_start(online.q).gather(3, chosen).sum(dim=2)
        q_joint = joint.q(ours, state_t, read, taken)

        loss = qtran_loss(
            q_joint_taken=q_joint,
            q_joint_greedy=q_joint_greedy,
            v=joint.v(ours, state_t),
            q_sum_taken=q_sum[..., :1],
            q_sum_greedy=q_sum[..., 1:],
            target=y,
            mask=mask,
            optimal_weight=self.settings.optimal_weight,
            non_optimal_weight=self.settings.non_optimal_weight,
        )
        gradient_norm = self._networks.descend(loss.total, active)
        return {
            "loss_td": loss.td.detach(),
            "loss_optimal": loss.optimal.detach(),
            "loss_non_optimal": loss.non_optimal.detach(),
            "gradient_norm": gradient_norm,
            "q_taken_mean": masked_mean(q_joint.detach().squeeze(2), mask) / self.sizes.n_agents,
        }
