"""A mixer, a method with its own learner and a backend, as another distribution brings them.

Declarations only: nothing here imports torch before something is computed (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suite.algorithms.declaration import Backbone, Members, Method, TrainingMetric, Work
from suite.algorithms.mixers.interface import Mixed, MixerInputs
from suite.algorithms.settings import ArmSettings, Settings
from suite.algorithms.specs import linear_specs
from suite.environments.backend import Backend
from suite.environments.interface import ActionError, EnvironmentInfo, Step
from suite.environments.validation import (
    check_actions,
    check_active,
    check_episode_seeds,
    check_slots,
)
from suite.runs.hyperparameters import Hyperparameter
from suite.runs.protocol import TrainingProtocol
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    import torch
    from toys_learner import Counting

    from suite.algorithms.parameters import Weights


# A mixer: one file, one line in its distribution's entry points. ----------------------------------
class WeightedSettings(Settings):
    scale: float = 2.0


class WeightedMixer:
    """Q_tot = scale · Σ_n Q_n + V(s)."""

    needs_greedy = False

    def __init__(self, settings: WeightedSettings, sizes: Sizes) -> None:
        self.scale = settings.scale
        self.specs = linear_specs("value", sizes.state_size, 1, reads_data=True)

    def mix(self, weights: Weights, inputs: MixerInputs) -> Mixed:
        from suite.algorithms.layers.dense import linear

        v = linear(inputs.state, weights["value.weight"], weights["value.bias"])
        return Mixed(self.scale * inputs.q_taken.sum(dim=2, keepdim=True) + v)


MIXER = Backbone("weighted", WeightedSettings, WeightedMixer)
CLASH = Backbone("qmix", WeightedSettings, WeightedMixer)


# A method with its own learner: each agent counts which of its actions paid. ----------------------
class CountingSettings(ArmSettings):
    pass


class CountingMethod(Method):
    framework, backbone, settings = "counting", "alone", CountingSettings

    def hyperparameters(self, settings: Any | None = None) -> tuple[Hyperparameter, ...]:
        return (Hyperparameter("boldness", "b", "how often it tries", 0.0, 1.0, published=0.5),)

    def metrics(self, settings: Any) -> tuple[TrainingMetric, ...]:
        return (TrainingMetric("best", "highest value of an action"),)

    def protocol_unused(self) -> frozenset[str]:
        return frozenset(
            {
                "batch_size_episodes",
                "buffer_size_episodes",
                "target_update_interval_episodes",
                "epsilon_start",
                "epsilon_finish",
                "epsilon_anneal_env_steps",
            }
        )

    def work(
        self, settings: Any, protocol: TrainingProtocol, sizes: Sizes, mean_length: float
    ) -> Work:
        per_collection = protocol.updates_per_collection / protocol.episodes_per_collection
        return Work(per_collection, update_flops=3.0 * mean_length * sizes.n_agents)

    def n_parameters(self, settings: Any, sizes: Sizes) -> int:
        return sizes.n_agents * sizes.n_actions

    def build(
        self,
        settings: Any,
        sizes: Sizes,
        protocol: TrainingProtocol,
        members: Members,
        device: torch.device | str = "cpu",
    ) -> Counting:
        from toys_learner import Counting  # the first to import torch

        return Counting(self.modes(settings), sizes, members)


def methods() -> tuple[Method, ...]:
    return (CountingMethod(),)


# A backend: agents win by choosing action 1 together. ---------------------------------------------
class AgreeingBackend(Backend):
    name, title, description = "agreeing", "agreeing (a toy)", "a toy from outside"
    disclaimer = "Nothing here is a battle."

    def scenarios(self) -> Sequence[str]:
        return ["pair"]

    def describe(self, scenario: str) -> EnvironmentInfo:
        return EnvironmentInfo(
            name=f"agreeing/{scenario}",
            backend="agreeing",
            backend_version="7",
            n_agents=2,
            n_actions=3,
            observation_size=1,
            state_size=1,
            episode_limit=1,
            ally_state_size=0,
        )

    def make(self, scenario: str, n_environments: int, seed: int, extra: Sequence[str]) -> Agreeing:
        return Agreeing(self.describe(scenario), n_environments)

    def return_bounds(self, scenario: str) -> tuple[float, float]:
        return 0.0, 1.0


class Agreeing:
    """A batch of one choice per episode; nothing in it is random."""

    def __init__(self, info: EnvironmentInfo, n: int) -> None:
        self.info, self.n_environments = info, n
        self.observations = np.ones((n, info.n_agents, 1), np.float32)
        self.state = np.ones((n, 1), np.float32)
        self.available_actions = np.ones((n, info.n_agents, info.n_actions), np.bool_)
        self.extra_observations: Mapping[str, NDArray[np.float32]] = {}
        self._is_over = np.zeros(n, np.bool_)

    def reset(
        self,
        slots: NDArray[np.integer] | None = None,
        episode_seeds: NDArray[np.integer] | None = None,
    ) -> None:
        chosen = check_slots(slots, self.n_environments)
        check_episode_seeds(episode_seeds, len(chosen))
        self._is_over[chosen] = False

    def step(self, actions: NDArray[np.integer], active: NDArray[np.bool_] | None = None) -> Step:
        chosen = check_actions(actions, (self.n_environments, self.info.n_agents))
        moving = check_active(active, self.n_environments)
        self._check_legal(chosen, moving)
        self._is_over |= moving
        won = (chosen == 1).all(axis=1) & moving
        return Step(won.astype(np.float64), moving.copy(), np.zeros_like(won), won)

    def _check_legal(self, actions: NDArray[np.int64], moving: NDArray[np.bool_]) -> None:
        for slot in np.flatnonzero(moving & self._is_over):
            raise ActionError(f"slot {slot}: its episode is over; reset the slot first")
        known = range(self.info.n_actions)
        for slot, agent in np.argwhere(~np.isin(actions, known) & moving[:, None]):
            raise ActionError(
                f"slot {slot}, agent {agent}: action {actions[slot, agent]} is not available; "
                f"available: {list(known)}"
            )

    def close(self) -> None:
        pass


BACKEND = AgreeingBackend()
