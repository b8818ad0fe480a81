"""A batch of PettingZoo's parallel environments, played one after the other in this process."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.environments.arrays import ArrayBatch
from suite.environments.interface import EnvironmentInfo, Step
from suite.environments.pettingzoo.layout import Layout
from suite.environments.pettingzoo.making import failure, foreign_code, make_one, refuse
from suite.errors import InputError

NO_OP = 0
# Environments may hand their seed to a generator that takes 31 bits.
_SEEDS = 2**31
_CURE = "mend the environment; its episode cannot go on"
# Steps of the episodes in which `check_seeding` compares two environments.
_COMPARED, _BEFORE = 25, 3


class PettingZooEnvironment(ArrayBatch):
    """Independent environments of one source; see `interface.BatchedEnvironment`.

    Agents have what the largest among them has: observations are filled up with zeros, actions with
    such as are never available. Who has ended while others go on sees zeros and may only choose
    action 0, which reaches nobody. The team's reward is the sum of all agents', or their mean.

    An episode is over when no agent is left, or at the limit. It is `truncated` if one of the last
    was, or by the limit; else `terminated`. Who was in it to the end keeps what was seen last.
    """

    def __init__(
        self, info: EnvironmentInfo, layout: Layout, n_environments: int, seed: int
    ) -> None:
        super().__init__(info, n_environments, seed)
        self.source = layout.source
        self._layout = layout
        self._made = [make_one(layout.source) for _ in range(n_environments)]
        self._no_op = np.arange(info.n_actions) == NO_OP
        self._playing: list[list[int]] = [[] for _ in self._made]  # who has not ended
        self._length = np.zeros(n_environments, np.int64)
        self.reset()

    def reset(
        self,
        slots: NDArray[np.integer] | None = None,
        episode_seeds: NDArray[np.integer] | None = None,
    ) -> None:
        """Start an episode in `slots`; an environment is seeded with the last 31 bits."""
        chosen, seeds = self._checked_reset(slots, episode_seeds)
        for slot, seed in zip(chosen.tolist(), seeds.tolist(), strict=True):
            with foreign_code(self.source, "reset fails", _CURE):
                self._start(slot, seed % _SEEDS)

    def step(self, actions: NDArray[np.integer], active: NDArray[np.bool_] | None = None) -> Step:
        """Play one joint action in every active slot; InputError if an environment fails."""
        joint, moving = self._checked_step(actions, active)
        reward = np.zeros(self.n_environments)
        flags = np.zeros((3, self.n_environments), np.bool_)
        for slot in np.flatnonzero(moving).tolist():
            try:
                reward[slot], flags[:, slot] = self._advance(slot, joint[slot].tolist())
            except InputError:
                raise
            except Exception as error:  # somebody else's code
                self._is_over[slot] = True
                raise failure(self.source, "step fails", error, _CURE) from error
        return Step(reward, *flags)

    def close(self) -> None:
        """Close every environment."""
        for made in self._made:
            with foreign_code(self.source, "close fails", "mend the environment"):
                made.close()

    def _start(self, slot: int, seed: int) -> None:
        made = self._made[slot]
        self._is_over[slot] = True
        observations, infos = made.reset(seed=seed)
        self._playing[slot] = playing = self._present(made.agents)
        if not playing:
            refuse(self.source, "no agent is there after a reset", _CURE)
        self._length[slot] = 0
        self._show(slot, playing, observations, infos, is_over=False)
        self._is_over[slot] = False

    def _advance(self, slot: int, actions: list[int]) -> tuple[float, tuple[bool, bool, bool]]:
        """Reward, and whether terminated, truncated and won, of a step of one environment."""
        made, agents, played = self._made[slot], self._layout.agents, self._playing[slot]
        chosen = {agents[i].name: agents[i].first_action + actions[i] for i in played}
        observations, rewards, terminations, truncations, infos = made.step(chosen)
        self._length[slot] += 1
        ended = {name for name, is_so in terminations.items() if is_so}
        cut = {name for name, is_so in truncations.items() if is_so} - ended
        self._playing[slot] = playing = self._present({*made.agents} - ended - cut)
        is_cut = bool(self._length[slot] >= self.info.episode_limit) if playing else bool(cut)
        is_over = is_cut or not playing
        shown = playing
        if not playing:
            shown = [i for i in played if not (is_cut and agents[i].name in ended)]
        self._is_over[slot] = is_over
        self._show(slot, shown, observations, infos, is_over=is_over)
        total = float(sum(map(float, rewards.values())))
        if self.source.team_reward == "mean":
            total /= len(agents)
        is_terminated = is_over and not is_cut
        has_won = is_terminated and any(info.get(self.source.won) for info in infos.values())
        return total, (is_terminated, is_cut, has_won)

    def _present(self, names: Collection[Any]) -> list[int]:
        """Numbers of the agents with these names."""
        return [i for i, agent in enumerate(self._layout.agents) if agent.name in names]

    def _show(
        self,
        slot: int,
        shown: list[int],
        observations: Mapping[Any, Any],
        infos: Mapping[Any, Mapping[str, Any]],
        *,
        is_over: bool,
    ) -> None:
        """Write what the agents in `shown` see and may do, and the state."""
        seen, available = self.observations[slot], self.available_actions[slot]
        seen[:] = 0.0
        available[:] = self._no_op
        for i in shown:
            agent = self._layout.agents[i]
            if is_over and agent.name not in observations:
                continue
            observation = observations[agent.name]
            size = agent.observation_size
            seen[i, :size] = _of_size(size, agent.flat(observation), "an observation")
            mask = agent.mask(observation, infos.get(agent.name, {}))
            if mask is None:
                available[i, : agent.n_actions] = True
            elif mask.any():
                available[i, : agent.n_actions] = mask
            elif not is_over:
                refuse(self.source, f"agent {agent.name} has no available action", _CURE)
        if self._layout.has_state:
            given = np.asarray(self._made[slot].state()).ravel()
            self.state[slot] = _of_size(self.info.state_size, given, "the state")
        else:
            parts = zip(seen, self._layout.agents, strict=True)
            own = [part[: agent.observation_size] for part, agent in parts]
            np.concatenate(own, out=self.state[slot])


def check_seeding(info: EnvironmentInfo, layout: Layout) -> None:
    """InputError unless one seed gives one episode, whatever was played before and beside it.

    Plays at random the start of an episode in two environments in turn, one of which has played
    another before.
    """
    rng = np.random.default_rng(0)
    batch = PettingZooEnvironment(info, layout, 2, seed=0)
    active = np.array([True, False])
    for _ in range(_BEFORE):
        if _is_over(batch.step(_any_actions(batch, rng), active))[0]:
            break
    batch.reset(episode_seeds=np.array([1, 1]))
    for _ in range(min(info.episode_limit, _COMPARED)):
        _check_alike(batch)
        step = batch.step(_any_actions(batch, rng)[[0, 0]])
        _check_alike(batch, step)
        if _is_over(step)[0]:
            break
    batch.close()


def _check_alike(batch: PettingZooEnvironment, step: Step | None = None) -> None:
    """InputError if the two environments of a batch are not in the same state."""
    arrays = [batch.observations, batch.state, batch.available_actions]
    arrays += [] if step is None else [step.reward, step.terminated, step.truncated, step.won]
    if not all(np.array_equal(a[0], a[1], equal_nan=a.dtype != np.bool_) for a in arrays):
        cure = "let it draw only from a generator of its own, which reset(seed=...) seeds"
        refuse(batch.source, "one seed does not give one episode", cure)


def _of_size(size: int, given: NDArray[Any], what: str) -> NDArray[Any]:
    if given.shape != (size,):
        raise ValueError(f"{what} has {given.size} entries, not {size}")
    return given


def _any_actions(batch: PettingZooEnvironment, rng: np.random.Generator) -> NDArray[np.int64]:
    chance = rng.random(batch.available_actions.shape) * batch.available_actions
    return np.asarray(chance.argmax(-1), np.int64)


def _is_over(step: Step) -> NDArray[np.bool_]:
    return step.terminated | step.truncated
