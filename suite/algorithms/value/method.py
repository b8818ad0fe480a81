"""What value learning declares; the base of every method that learns from a replay. No torch."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import create_model

from suite.algorithms.agents.specs import recurrent_agent_specs
from suite.algorithms.declaration import Backbone, Members, Method, Refusal, Work
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
        )

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

    def refusal(self, settings: Any, sizes: Sizes) -> Refusal | None:
        """What speaks against the mixer."""
        return self.mixing.refusal(settings, sizes)

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
        mixer = self.mixing.build(settings, sizes).specs
        # Q(λ) also asks the target for the values of actions taken.
        n_forward = 3 if settings.returns == "q_lambda" else 2
        return (
            Network(agent, sizes.n_agents, products=products),
            Network(mixer, 1, n_forward=n_forward),
        )

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
