"""The update of Weighted QMIX: Q̂* by TD, and Q_tot towards the same targets with weights."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents.recurrent import RecurrentAgent
from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.declaration import Members
from suite.algorithms.losses.td import available_only, masked_mean, td_loss, transition_mask
from suite.algorithms.losses.weighting import (
    central_weights,
    optimistic_weights,
    weighted_td_loss,
)
from suite.algorithms.mixers.interface import MixerInputs
from suite.algorithms.mixers.qmix import QmixMixer
from suite.algorithms.rows import agent_inputs, pack
from suite.algorithms.value.base import ActingNetwork, QLearner
from suite.algorithms.value.targets import returns
from suite.algorithms.value.trained import Trained, prefixed, under
from suite.algorithms.wqmix.central import CentralMixer
from suite.algorithms.wqmix.settings import WqmixSettings
from suite.runs.modes import DECENTRALISED
from suite.runs.sizes import Sizes

# How names of the central part's weights start: its agents and its mixer.
AGENT, MIXER = "central_agent.", "central_mixer."


class WqmixLearner(QLearner):
    """P runs of OW-QMIX or CW-QMIX on one scenario; arguments as of `ValueLearner`.

    All weights take one step together, as in wqmix, so that one norm is clipped.
    """

    settings: WqmixSettings

    def __init__(
        self,
        settings: WqmixSettings,
        sizes: Sizes,
        members: Members,
        device: torch.device | str = "cpu",
    ) -> None:
        self.settings, self.sizes, self.device = settings, sizes, torch.device(device)
        self.n_members = len(members)
        self.agent = RecurrentAgent(settings, sizes)
        self.mixer, self.central = QmixMixer(settings, sizes), CentralMixer(settings, sizes)
        specs = [
            *self.agent.specs,
            *self.mixer.specs,
            *prefixed(self.agent.specs, AGENT),
            *prefixed(self.central.specs, MIXER),
        ]
        self._networks = Trained(specs, settings, members, self.device)
        self.trained = {"": self._networks}
        self.acting = {DECENTRALISED.name: ActingNetwork(self.agent)}
        self._alpha = torch.full((self.n_members,), settings.weighting_alpha, device=self.device)

    def update(
        self,
        batch: EpisodeBatch,
        env_steps: Tensor | NDArray[np.int64],
        active: Tensor | NDArray[np.bool_] | None = None,
    ) -> dict[str, Tensor]:
        """See `QLearner.update`.

        Metrics: loss_td (of Q_tot, with weights), loss_central, weight_mean, gradient_norm (before
        clipping), q_taken_mean (Q_tot of the actions taken, per agent).
        """
        ours, target = self._networks.online, self._networks.target
        rows = pack(batch)
        inputs, actions = agent_inputs(batch, rows)
        available = rows.of_observations(batch.available_actions)
        state = rows.of_observations(batch.state)
        is_real = rows.of_transitions(transition_mask(batch.filled, batch.terminated))
        mask = is_real.float()
        state_t, taken = rows.at_start(state), actions.unsqueeze(3)

        local = self.agent.unroll(ours, inputs, rows).q
        central = self.agent.unroll(under(ours, AGENT), inputs, rows).q
        with torch.no_grad():
            greedy = available_only(local, available).argmax(dim=3)
            of_target = self.agent.unroll(under(target, AGENT), inputs, rows).q
            q_greedy = of_target.gather(3, greedy.unsqueeze(3)).squeeze(3)
            # Q̂* of greedy joint actions at all rows: what is bootstrapped from, and what CW-QMIX
            # compares targets with.
            best = self.central.mix(under(target, MIXER), MixerInputs(q_greedy, state, greedy)).q

            def q_taken() -> Tensor:
                q = rows.at_start(of_target).gather(3, taken).squeeze(3)
                return self.central.mix(under(target, MIXER), MixerInputs(q, state_t, actions)).q

            y = returns(self.settings, batch, rows, is_real, rows.at_end(best), q_taken)
        q_local = rows.at_start(local).gather(3, taken).squeeze(3)
        q_tot = self.mixer.mix(ours, MixerInputs(q_local, state_t, actions)).q
        q_own = rows.at_start(central).gather(3, taken).squeeze(3)
        q_central = self.central.mix(under(ours, MIXER), MixerInputs(q_own, state_t, actions)).q

        if self.settings.backbone == "ow_qmix":
            weights = optimistic_weights(q_tot, y, self._alpha)
        else:
            weights = central_weights(
                actions, rows.at_start(greedy), y, rows.at_start(best), self._alpha
            )
        loss_td = weighted_td_loss(q_tot, y, weights, mask)
        loss_central = td_loss(q_central, y, mask)
        gradient_norm = self._networks.descend(loss_td + loss_central, active)
        return {
            "loss_td": loss_td.detach(),
            "loss_central": loss_central.detach(),
            "weight_mean": masked_mean(weights.squeeze(2), mask),
            "gradient_norm": gradient_norm,
            "q_taken_mean": masked_mean(q_tot.detach().squeeze(2), mask) / self.sizes.n_agents,
        }
