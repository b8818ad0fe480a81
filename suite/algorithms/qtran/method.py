"""What QTRAN declares: its networks and how its update uses them. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.algorithms.agents.specs import recurrent_agent_specs, trunk_specs
from suite.algorithms.declaration import Members, TrainingMetric
from suite.algorithms.qtran.joint import QtranJoint
from suite.algorithms.qtran.settings import QtranSettings
from suite.algorithms.value.method import QMethod
from suite.algorithms.value.networks import Network
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    import torch

    from suite.algorithms.value.base import QLearner


class QtranMethod(QMethod):
    """QTRAN-base."""

    backbone = "qtran"
    title = "QTRAN"
    settings = QtranSettings

    def published_as(self, settings: Any) -> str | None:
        return self.title

    def metrics(self, settings: Any) -> tuple[TrainingMetric, ...]:
        return (
            *super().metrics(settings),
            TrainingMetric("loss_optimal", "loss at greedy actions", low=0.0, kind="loss"),
            TrainingMetric("loss_non_optimal", "loss at actions taken", low=0.0, kind="loss"),
        )

    def networks(self, settings: Any, sizes: Sizes) -> tuple[Network, ...]:
        """Of the target only what leads to its joint network is used, not its utilities or V."""
        trunk = trunk_specs(sizes.input_size, settings.hidden_size)
        agent = recurrent_agent_specs(settings, sizes.input_size, sizes.n_actions)
        joint = QtranJoint(settings, sizes)
        # Actions taken and greedy ones online, greedy ones of the target; for Q(λ) also the
        # target's of those taken.
        n_joint = 4 if settings.returns == "q_lambda" else 3
        return (
            Network(trunk, sizes.n_agents),
            Network(agent[len(trunk) :], sizes.n_agents, n_forward=1),
            Network(joint.encoder_specs, sizes.n_agents),
            Network(joint.joint_specs, 1, n_forward=n_joint),
            Network(joint.value_specs, 1, n_forward=1),
        )

    def learner(
        self, settings: Any, sizes: Sizes, members: Members, device: torch.device | str = "cpu"
    ) -> QLearner:
        from suite.algorithms.qtran.learner import QtranLearner

        return QtranLearner(settings, sizes, members, device)
