"""A mixer, a method with its own learner and a backend, as another distribution brings them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from suite.algorithms.declaration import Backbone, Members, Method, Work
from suite.algorithms.mixers.interface import Mixed, MixerInputs
from suite.algorithms.settings import ArmSettings, Settings
from suite.algorithms.specs import linear_specs
from suite.environments import EnvironmentInfo, Step
from suite.environments.backend import Backend
from suite.runs.hyperparameters import Hyperparameter
from suite.runs.modes import DECENTRALISED
from suite.runs.seeding import Stream, generator


# A mixer: one file, one line in its distribution's entry points. ----------------------------------
class WeightedSettings(Settings):
    scale: float = 2.0


class WeightedMixer:
    """Q_tot = scale · Σ_n Q_n + V(s)."""

    needs_greedy = False

    def __init__(self, settings: WeightedSettings, sizes: Any) -> None:
        self.scale = settings.scale
        self.specs = linear_specs("value", sizes.state_size, 1, reads_data=True)

    def mix(self, weights: Mapping[str, torch.Tensor], inputs: MixerInputs) -> Mixed:
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

    def hyperparameters(self, settings: Any = None) -> tuple[Hyperparameter, ...]:
        return (Hyperparameter("boldness", "b", "how often it tries", 0.0, 1.0, published=0.5),)

    def work(self, settings: Any, protocol: Any, sizes: Any, mean_length: float) -> Work:
        return Work(1.0, 1.0)

    def n_parameters(self, settings: Any, sizes: Any) -> int:
        return sizes.n_agents * sizes.n_actions

    def build(
        self, settings: Any, sizes: Any, protocol: Any, members: Members, device: Any = "cpu"
    ) -> Counting:
        return Counting(sizes, members)


class Counting:
    """value: (P, N, A), running mean reward of every action of every agent."""

    modes = (DECENTRALISED,)

    def __init__(self, sizes: Any, members: Members) -> None:
        self.n_members, self.sizes = len(members), sizes
        self.value = torch.zeros(len(members), sizes.n_agents, sizes.n_actions)
        self.boldness = members.hyperparameters["boldness"]
        self.random = [generator(seed, Stream.EXPLORATION) for seed in members.seeds]
        self.memory = LastEpisode(len(members))

    def actor(self, seen: Any, mode: str, exploring: Any = None) -> Any:
        each = seen.n_environments // self.n_members

        def act(t: int, slots: np.ndarray) -> np.ndarray:
            best = self.value.numpy().argmax(axis=2).repeat(each, axis=0)
            for slot in slots if exploring is not None else ():
                random = self.random[slot // each]
                if random.random() < self.boldness[slot // each]:
                    best[slot] = random.integers(0, self.sizes.n_actions, self.sizes.n_agents)
            return best

        return act

    def update(self, counters: Any, active: np.ndarray) -> tuple[np.ndarray, dict]:
        for m in np.flatnonzero(active):
            for actions, reward in self.memory.played[m]:
                for n, a in enumerate(actions):
                    self.value[m, n, a] += 0.5 * (reward - self.value[m, n, a])
        return active, {"best": self.value.amax(dim=(1, 2))}

    def facts(self, counters: Any) -> dict:
        return {}

    def is_finite(self) -> np.ndarray:
        return np.ones(self.n_members, np.bool_)

    def member_weights(self, member: int) -> dict[str, torch.Tensor]:
        return {"value": self.value[member].clone()}

    def load_member_weights(self, member: int, weights: Mapping[str, torch.Tensor]) -> None:
        self.value[member] = weights["value"]

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value.copy_(state["value"])


class LastEpisode:
    """played: per member, (actions, reward) of each step of its last episode."""

    def __init__(self, n_members: int) -> None:
        self.played: list[list] = [[] for _ in range(n_members)]
        self.n_added = np.zeros(n_members, np.int64)

    def writer(self, member_of_slot: np.ndarray, slots: np.ndarray, seeds: np.ndarray) -> Any:
        self.members = member_of_slot
        for slot in slots:
            self.played[member_of_slot[slot]] = []
            self.n_added[member_of_slot[slot]] += 1
        return self

    def observe(self, t: int, slots: np.ndarray, arrays: Any) -> None:
        pass

    def act(self, t: int, slots: Any, actions: Any, reward: Any, terminated: Any) -> None:
        for slot in slots:
            self.played[self.members[slot]].append((actions[slot].tolist(), float(reward[slot])))

    def state_dict(self, *, replays_exactly: bool) -> dict[str, Any]:
        return {"n_added": torch.from_numpy(self.n_added.copy())}

    def load_state_dict(self, state: dict[str, Any], play_again: Any) -> None:
        self.n_added[:] = state["n_added"].numpy()


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

    def make(self, scenario: str, n_environments: int, seed: int, extra: Sequence[str]) -> Any:
        return Agreeing(self.describe(scenario), n_environments)

    def return_bounds(self, scenario: str) -> tuple[float, float]:
        return 0.0, 1.0


class Agreeing:
    def __init__(self, info: EnvironmentInfo, n: int) -> None:
        self.info, self.n_environments, self.extra_observations = info, n, {}
        self.observations = np.ones((n, 2, 1), np.float32)
        self.state = np.ones((n, 1), np.float32)
        self.available_actions = np.ones((n, 2, 3), np.bool_)

    def reset(self, slots: Any = None, episode_seeds: Any = None) -> None:
        pass

    def step(self, actions: np.ndarray, active: Any = None) -> Step:
        active = np.ones(self.n_environments, np.bool_) if active is None else active
        won = (actions == 1).all(axis=1) & active
        return Step(won.astype(np.float64), active.copy(), np.zeros_like(won), won)

    def close(self) -> None:
        pass


BACKEND = AgreeingBackend()
