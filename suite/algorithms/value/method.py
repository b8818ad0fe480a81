"""What value learning declares; the base of every method that learns from a replay. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import create_model

from suite.algorithms.agents.specs import recurrent_agent_specs
from suite.algorithms.declaration import Backbone, Members, Method, Refusal, Work
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


class ValueMethod(Method):
    """The plain framework, "ctde", on one mixer: utilities mixed in training, acting alone."""

    framework = "ctde"
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

    def n_parameters(self, settings: Any, sizes: Sizes) -> int:
        mixer = self.mixing.build(settings, sizes)
        return n_parameters(self.agent_specs(settings, sizes)) + n_parameters(mixer.specs)

    def work(
        self, settings: Any, protocol: TrainingProtocol, sizes: Sizes, mean_length: float
    ) -> Work:
        """`update_multiply_adds` on a batch of episodes."""
        per_step = self.update_multiply_adds(settings, sizes)
        n_steps = protocol.batch_size_episodes * (1 + mean_length)
        return Work(
            n_updates=protocol.updates_per_collection / protocol.episodes_per_collection,
            update_flops=2.0 * n_steps * per_step,
            first_episodes=protocol.batch_size_episodes,
        )

    def update_multiply_adds(self, settings: Any, sizes: Sizes) -> int:
        """Of one step: online networks forward and backward, target networks forward."""
        agent = learning_multiply_adds(self.agent_specs(settings, sizes))
        products = 4 * self.agent_products(settings, sizes)
        mixer = learning_multiply_adds(self.mixing.build(settings, sizes).specs)
        return sizes.n_agents * (agent + products) + mixer

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


def learning_multiply_adds(specs: tuple[ParameterSpec, ...]) -> int:
    """Multiply-adds of a row: forward in the online and the target network, and backward."""
    return 2 * forward_multiply_adds(specs) + backward_multiply_adds(specs)
