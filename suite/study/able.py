"""Whether an arm can be trained on a scenario, as a profile has it: what speaks against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from suite.algorithms.registry import method_of
from suite.algorithms.settings import ArmSettings
from suite.environments import EnvironmentInfo, describe, short_name
from suite.study.cost import SHORTEST_EPISODE, n_episodes
from suite.study.definition import Profile
from suite.study.messages import Keys
from suite.study.trial import protocol_for

# What a replay's observations may take: more than any machine that trains this suite's networks.
_LARGEST_REPLAY_BYTES = 2**40


@dataclass(frozen=True)
class Fault:
    """What is wrong. keys: where it stands in the study file."""

    what: str
    keys: Keys
    value: object
    cure: str


def unable(profile_keys: Keys, scenario: str, arm: str, settings: ArmSettings) -> Iterator[Fault]:
    """Why an arm cannot run on a scenario, however it is trained."""
    info, method = describe(scenario), method_of(settings)
    refusal = method.refusal(settings, info.sizes)
    if refusal is not None:
        what = f"arm {arm} cannot run on {scenario}: {refusal.what}"
        yield Fault(what, ["arms", arm, refusal.key], refusal.value, refusal.cure)
    for wanted in method.extra_observations(settings, info.sizes):
        if wanted not in info.extra_observations:
            offered = ", ".join(info.extra_observations) or "none"
            what = f"arm {arm} cannot run on {scenario}: it needs another observation"
            cure = f"leave out one of the two; {scenario} offers {offered}"
            yield Fault(what, [*profile_keys, "arms"], wanted, cure)


def untrainable(
    profile_keys: Keys, profile: Profile, scenario: str, arm: str, settings: ArmSettings
) -> Iterator[Fault]:
    """Why an arm cannot be trained as the profile says: its settings contradict the protocol's, a
    replay does not hold a collection, or it would end before its first update, however short its
    episodes."""
    keys, method = [*profile_keys, "training"], method_of(settings)
    protocol = protocol_for(profile, scenario, settings)
    own = method.on_scenario(settings, short_name(scenario))
    refusal = method.protocol_refusal(own, protocol)
    if refusal is not None:
        what = f"arm {arm} cannot be trained so on {scenario}: {refusal.what}"
        yield Fault(what, ["arms", arm, refusal.key], refusal.value, refusal.cure)
    held, value = protocol.buffer_size_episodes, protocol.episodes_per_collection
    if value > held and "buffer_size_episodes" not in method.protocol_unused():
        cure = f"episodes would be lost; keep it at or below buffer_size_episodes = {held}"
        what = "larger than the replay buffer"
        yield Fault(what, [*keys, "episodes_per_collection"], value, cure)
    sizes = describe(scenario).sizes
    first = method.work(own, protocol, sizes, SHORTEST_EPISODE).first_episodes
    most = n_episodes(protocol, SHORTEST_EPISODE)
    if first > most:
        what = f"arm {arm} on {scenario} would never be updated: its first update takes "
        what += f"{first:,} episodes, so many steps are at most {most:,}"
        cure = "give more, or a smaller batch_size_episodes"
        yield Fault(what, [*keys, "total_env_steps"], protocol.total_env_steps, cure)


def unbearable(
    profile_keys: Keys, profile: Profile, scenario: str, arms: Mapping[str, ArmSettings]
) -> Iterator[Fault]:
    """Replays that hold no batch, or more than any machine does."""
    training, info = profile.training_for(scenario), describe(scenario)
    keys = [*profile_keys, "training"]
    if training.batch_size_episodes > training.buffer_size_episodes:
        cure = (
            f"no batch would ever be drawn for {scenario}; keep it at or below "
            f"buffer_size_episodes = {training.buffer_size_episodes}"
        )
        value = training.batch_size_episodes
        yield Fault("larger than the replay buffer", [*keys, "batch_size_episodes"], value, cure)
    width = info.observation_size + max(_extra_size(one, info) for one in arms.values())
    floats = (info.episode_limit + 1) * info.n_agents * width
    most = _LARGEST_REPLAY_BYTES // (4 * floats)
    if training.buffer_size_episodes > most:
        cure = f"a terabyte holds {most:,} of {scenario}; give at most that many"
        value, what = training.buffer_size_episodes, "more episodes than fit into memory"
        yield Fault(what, [*keys, "buffer_size_episodes"], value, cure)


def _extra_size(settings: ArmSettings, info: EnvironmentInfo) -> int:
    """Width of what an arm has remembered of an agent beside its observation."""
    wanted = method_of(settings).extra_observations(settings, info.sizes)
    return sum(info.extra_observations.get(name, 0) for name in wanted)
