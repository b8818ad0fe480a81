"""Methods in which a teacher, who sees more, trains agents that act alone. No torch here."""

from __future__ import annotations

from typing import Any

from suite.algorithms.agents.specs import recurrent_agent_specs
from suite.algorithms.declaration import Refusal, TrainingMetric
from suite.algorithms.inputs import OWN_OBSERVATION, Inputs, Privileged, privileged_inputs
from suite.algorithms.specs import ParameterSpec
from suite.algorithms.value.method import ValueMethod
from suite.algorithms.value.networks import Network
from suite.algorithms.value.settings import ValueSettings
from suite.runs.sizes import Sizes


class PrivilegedSettings(ValueSettings):
    """privileged: what the teacher sees (`suite.algorithms.inputs.Privileged`)."""

    privileged: Privileged


class PrivilegedMethod(ValueMethod):
    """A teacher whose utilities are mixed, and an agent that imitates it, both recurrent.

    alone: what the agent sees that acts alone.
    """

    alone: Inputs = OWN_OBSERVATION

    def extra_observations(self, settings: Any, sizes: Sizes) -> tuple[str, ...]:
        return privileged_inputs(settings.privileged, sizes).extra

    def refusal(self, settings: Any, sizes: Sizes) -> Refusal | None:
        """What speaks against the mixer, or an observation that the scenario does not offer."""
        if any(
            name not in sizes.extra_observations
            for name in self.extra_observations(settings, sizes)
        ):
            return Refusal(
                "the scenario offers no such observation",
                "privileged",
                settings.privileged,
                "use 'observation_and_state', which every scenario has",
            )
        return super().refusal(settings, sizes)

    def metrics(self, settings: Any) -> tuple[TrainingMetric, ...]:
        imitation = TrainingMetric("loss_imitation", "imitation loss", low=0.0, kind="loss")
        return (*super().metrics(settings), imitation)

    def agent_specs(self, settings: Any, sizes: Sizes) -> tuple[ParameterSpec, ...]:
        """Layers of the agent that acts alone."""
        return _agent(settings, sizes, self.alone)

    def teacher_specs(self, settings: Any, sizes: Sizes) -> tuple[ParameterSpec, ...]:
        """Layers of the teacher, which run once per agent and step too."""
        return _agent(settings, sizes, privileged_inputs(settings.privileged, sizes))

    def networks(self, settings: Any, sizes: Sizes) -> tuple[Network, ...]:
        """Teacher and mixer learn with target networks, the agent without."""
        return (
            Network(self.agent_specs(settings, sizes), sizes.n_agents, n_forward=1),
            Network(self.teacher_specs(settings, sizes), sizes.n_agents),
            self.mixer_network(settings, sizes),
        )


def _agent(settings: ValueSettings, sizes: Sizes, seen: Inputs) -> tuple[ParameterSpec, ...]:
    width = sizes.input_size_with(seen.width(sizes))
    return recurrent_agent_specs(settings, width, sizes.n_actions)
