"""What Weighted QMIX declares: two networks of agents, two mixers. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.algorithms.agents.specs import recurrent_agent_specs
from suite.algorithms.declaration import Members, TrainingMetric
from suite.algorithms.mixers.qmix import QmixMixer
from suite.algorithms.value.method import QMethod
from suite.algorithms.value.networks import Network
from suite.algorithms.wqmix.central import CentralMixer
from suite.algorithms.wqmix.settings import WqmixSettings
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    import torch

    from suite.algorithms.value.base import QLearner


class WqmixMethod(QMethod):
    """OW-QMIX or CW-QMIX."""

    def __init__(self, backbone: str, settings: type[WqmixSettings]) -> None:
        self.backbone, self.settings = backbone, settings

    @property
    def backbone_title(self) -> str:
        return self.backbone.upper().replace("_", "-")

    @property
    def title(self) -> str:
        return self.backbone_title

    def published_as(self, settings: Any) -> str | None:
        """Without the hyphen."""
        return self.title.replace("-", "")

    def metrics(self, settings: Any) -> tuple[TrainingMetric, ...]:
        central = TrainingMetric("loss_central", "central TD loss", low=0.0, kind="loss")
        weight = TrainingMetric("weight_mean", "mean weight of a transition", 0.0, 1.0)
        return (*super().metrics(settings), central, weight)

    def networks(self, settings: Any, sizes: Sizes) -> tuple[Network, ...]:
        """The target of the central part alone is used: it gives all targets and weights."""
        agent = recurrent_agent_specs(settings, sizes.input_size, sizes.n_actions)
        mixer, central = QmixMixer(settings, sizes), CentralMixer(settings, sizes)
        # For Q(λ) also the target's values of the actions taken.
        n_central = 3 if settings.returns == "q_lambda" else 2
        return (
            Network(agent, sizes.n_agents, n_forward=1),
            Network(agent, sizes.n_agents),
            Network(mixer.specs, 1, n_forward=1),
            Network(central.specs, 1, n_forward=n_central),
        )

    def learner(
        self, settings: Any, sizes: Sizes, members: Members, device: torch.device | str = "cpu"
    ) -> QLearner:
        from suite.algorithms.wqmix.learner import WqmixLearner

        return WqmixLearner(settings, sizes, members, device)
