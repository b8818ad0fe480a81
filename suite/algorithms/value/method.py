"""What value learning declares; the base of every method that learns from a replay. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import create_model

from suite.algorithms.agents.specs import recurrent_agent_specs
from suite.algorithms.buffers.fields import WORD_BYTES, bytes_per_episode, fields_of
from suite.algorithms.declaration import (
    Backbone,
    Members,
    Method,
    Refusal,
    TrainingMetric,
    Work,
)
from suite.algorithms.settings import ArmSettings
from suite.algorithms.specs import (
    ParameterSpec,
    backward_multiply_adds,
    forward_multiply_adds,
    n_parameters,
)
from suite.algorithms.value.settings import ValueSettings
from suite.runs.protocol import TrainingProtocol
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    import torch

    from suite.algorithms.interface import Algorithm
    from suite.algorithms.value.base import QLearner


# Online, target, gradient, and two of Adam's, with what a step needs in between.
COPIES_OF_WEIGHTS = 7
# A layer's output, its gradient, and what was rectified.
KEPT_PER_OUTPUT = 3


class ValueMethod(Method):
    """The plain framework, "ctde", on one mixer: utilities mixed in training, acting alone."""

    framework = "ctde"
    own_settings: type[ValueSettings] = ValueSettings

    def __init__(self, backbone: Backbone) -> None:
        self.mixing = backbone
        self.backbone = backbone.name
        self.settings = joined_settings(self.framework, self.own_settings, backbone)

    @property
    def backbone_title(self) -> str:
        return self.mixing.title

    @property
    def title(self) -> str:
        return self.mixing.title if self._is_plain else super().title

    def published_as(self, settings: Any) -> str | None:
        return self.mixing.title if self._is_plain else None

    @property
    def _is_plain(self) -> bool:
        return self.framework == ValueMethod.framework

    def metrics(self, settings: Any) -> tuple[TrainingMetric, ...]:
        return (
            TrainingMetric("loss_td", "TD loss", low=0.0, kind="loss"),
            TrainingMetric("gradient_norm", "norm of the gradient", low=0.0),
            TrainingMetric("epsilon", "ε", 0.0, 1.0, kind="fact"),
        )

    def refusal(self, settings: Any, sizes: Sizes) -> Refusal | None:
        """What speaks against the mixer."""
        return self.mixing.refusal(settings, sizes)

    def agent_specs(self, settings: Any, sizes: Sizes) -> tuple[ParameterSpec, ...]:
        """Layers that run once per agent and step."""
        return recurrent_agent_specs(settings, sizes.input_size, sizes.n_actions)

    def agent_products(self, settings: Any, sizes: Sizes) -> int:
        """Multiply-adds per agent and step besides those with weights."""
        return 0

    def n_parameters(self, settings: Any, sizes: Sizes) -> int:
        mixer = self.mixing.build(settings, sizes)
        return n_parameters(self.agent_specs(settings, sizes)) + n_parameters(mixer.specs)

    def work(
        self, settings: Any, protocol: TrainingProtocol, sizes: Sizes, mean_length: float
    ) -> Work:
        """Online networks forward and backward, target networks forward, on a batch of episodes."""
        agent = self.agent_specs(settings, sizes)
        mixer = self.mixing.build(settings, sizes).specs
        products = 4 * self.agent_products(settings, sizes)
        per_step = sizes.n_agents * (_update(agent) + products) + _update(mixer)
        n_steps = protocol.batch_size_episodes * (1 + mean_length)
        return Work(
            n_updates=protocol.updates_per_collection / protocol.episodes_per_collection,
            update_flops=2.0 * n_steps * per_step,
            first_episodes=protocol.batch_size_episodes,
            memory_bytes=self._memory_bytes(settings, protocol, sizes, mean_length),
        )

    def _memory_bytes(
        self, settings: Any, protocol: TrainingProtocol, sizes: Sizes, mean_length: float
    ) -> float:
        """Episodes, weights with their targets and optimiser, and what backward passes keep."""
        fields = fields_of(sizes, self.extra_observations(settings))
        n_episodes = min(
            protocol.buffer_size_episodes, protocol.total_env_steps / max(1.0, mean_length)
        )
        remembered = n_episodes * bytes_per_episode(fields, mean_length)
        n_rows = protocol.batch_size_episodes * (1 + mean_length)
        widths = sum(spec.shape[-2] for spec in self.agent_specs(settings, sizes) if spec.is_weight)
        batch = sum(field.n_words for field in fields.values())
        kept = n_rows * (batch + KEPT_PER_OUTPUT * sizes.n_agents * widths)
        weights = COPIES_OF_WEIGHTS * self.n_parameters(settings, sizes)
        return remembered + WORD_BYTES * (kept + weights)

    def build(
        self,
        settings: Any,
        sizes: Sizes,
        protocol: TrainingProtocol,
        members: Members,
        device: torch.device | str = "cpu",
    ) -> Algorithm:
        """The learner with its replay and its exploration."""
        from suite.algorithms.value.off_policy import OffPolicy

        learner = self.learner(settings, sizes, members, device)
        extra = self.extra_observations(settings)
        return OffPolicy(learner, self.modes(settings), sizes, protocol, members, extra)

    def learner(
        self, settings: Any, sizes: Sizes, members: Members, device: torch.device | str = "cpu"
    ) -> QLearner:
        """The networks of `members` and their update. Raises InputError if the mixer refuses."""
        from suite.algorithms.value.learner import ValueLearner

        return ValueLearner(
            settings,
            sizes,
            self.mixing.build(settings, sizes),
            members,
            device,
            self.modes(settings),
        )


def joined_settings(
    framework: str, own: type[ValueSettings], backbone: Backbone
) -> type[ArmSettings]:
    """The settings of an arm: those of its method and those of its mixer."""
    names: dict[str, Any] = {
        "framework": (Literal[framework], ...),
        "backbone": (Literal[backbone.name], ...),
    }
    bases: Any = (own, backbone.settings)
    created: Any = create_model(f"{own.__name__} on {backbone.name}", __base__=bases, **names)
    return cast(type[ArmSettings], created)


def _update(specs: tuple[ParameterSpec, ...]) -> int:
    """Multiply-adds of a row: forward in the online and the target network, and backward."""
    return 2 * forward_multiply_adds(specs) + backward_multiply_adds(specs)
