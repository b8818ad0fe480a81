"""What value learning declares; the base of every method that learns from a replay. No torch."""

from __future__ import annotations

from abc import abstractmethod
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
from suite.algorithms.specs import ParameterSpec, n_parameters
from suite.algorithms.value.networks import Network
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


class QMethod(Method):
    """Learns Q-values from a replay, with one learner for all members of a population."""

    framework = "ctde"

    @abstractmethod
    def networks(self, settings: Any, sizes: Sizes) -> tuple[Network, ...]:
        """All that is trained, and how an update uses it."""

    @abstractmethod
    def learner(
        self, settings: Any, sizes: Sizes, members: Members, device: torch.device | str = "cpu"
    ) -> QLearner:
        """The networks of `members` and their update. Raises InputError if the method refuses."""

    def refusal(self, settings: Any, sizes: Sizes) -> Refusal | None:
        """Settings that would do nothing."""
        default = type(settings).model_fields["trace_decay"].default
        if settings.returns == "one_step" and settings.trace_decay != default:
            what, cure = "one-step returns have no traces", "leave it out, or set returns"
            return Refusal(what, "trace_decay", settings.trace_decay, cure)
        return None

    def metrics(self, settings: Any) -> tuple[TrainingMetric, ...]:
        return (
            TrainingMetric("loss_td", "TD loss", low=0.0, kind="loss"),
            TrainingMetric("gradient_norm", "norm of the gradient", low=0.0),
            TrainingMetric("q_taken_mean", "mean value of the actions taken"),
            TrainingMetric("epsilon", "ε", 0.0, 1.0, kind="fact"),
        )

    def n_parameters(self, settings: Any, sizes: Sizes) -> int:
        networks = self.networks(settings, sizes)
        return sum(n_parameters(network.specs) for network in networks)

    def work(
        self, settings: Any, protocol: TrainingProtocol, sizes: Sizes, mean_length: float
    ) -> Work:
        """Every network forward and backward on a batch of episodes."""
        per_step = sum(network.multiply_adds for network in self.networks(settings, sizes))
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
        fields = fields_of(sizes, self.extra_observations(settings, sizes))
        n_episodes = min(
            protocol.buffer_size_episodes, protocol.total_env_steps / max(1.0, mean_length)
        )
        remembered = n_episodes * bytes_per_episode(fields, mean_length)
        n_rows = protocol.batch_size_episodes * (1 + mean_length)
        batch = sum(field.n_words for field in fields.values())
        outputs = sum(network.n_outputs for network in self.networks(settings, sizes))
        kept = n_rows * (batch + KEPT_PER_OUTPUT * outputs)
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
        return OffPolicy(learner, self.modes(settings), sizes, protocol, members)


class ValueMethod(QMethod):
    """The plain framework, "ctde", on one mixer: utilities mixed in training, acting alone."""

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

    def refusal(self, settings: Any, sizes: Sizes) -> Refusal | None:
        """Idle settings, what speaks against the mixer, or layers of one name."""
        return (
            super().refusal(settings, sizes)
            or self.mixing.refusal(settings, sizes)
            or self._shared_names(settings, sizes)
        )

    def _shared_names(self, settings: Any, sizes: Sizes) -> Refusal | None:
        """The names of the mixer's layers lie in one table with the agents'."""
        specs = [*self.agent_specs(settings, sizes), *self.mixing.build(settings, sizes).specs]
        names = [spec.name for spec in specs]
        for name in names:
            if names.count(name) > 1:
                what = f"two layers of agents and mixer are called {name}"
                cure = "give the mixer's another name"
                return Refusal(what, "backbone", self.backbone, cure)
        return None

    def agent_specs(self, settings: Any, sizes: Sizes) -> tuple[ParameterSpec, ...]:
        """Layers that run once per agent and step."""
        return recurrent_agent_specs(settings, sizes.input_size, sizes.n_actions)

    def agent_products(self, settings: Any, sizes: Sizes) -> int:
        """Multiply-adds per agent and step besides those with weights."""
        return 0

    def networks(self, settings: Any, sizes: Sizes) -> tuple[Network, ...]:
        """Agents and mixer, online and target."""
        agent = self.agent_specs(settings, sizes)
        products = self.agent_products(settings, sizes)
        return (
            Network(agent, sizes.n_agents, products=products),
            self.mixer_network(settings, sizes),
        )

    def mixer_network(self, settings: Any, sizes: Sizes) -> Network:
        """The mixer, online and target."""
        # Q(λ) also asks the target for the values of actions taken.
        n_forward = 3 if settings.returns == "q_lambda" else 2
        return Network(self.mixing.build(settings, sizes).specs, 1, n_forward=n_forward)

    def learner(
        self, settings: Any, sizes: Sizes, members: Members, device: torch.device | str = "cpu"
    ) -> QLearner:
        """The networks of `members` and their update. Raises InputError if the mixer refuses."""
        from suite.algorithms.value.learner import ValueLearner

        mixer, modes = self.mixing.build(settings, sizes), self.modes(settings)
        return ValueLearner(settings, sizes, mixer, members, device, modes)


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
