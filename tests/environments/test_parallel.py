"""The PettingZoo interface: PettingZoo's own tests, and the batched environment it stands on."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test
from pettingzoo.utils.conversions import parallel_to_aec

from suite.environments import ActionError, backend_of, make, skirmish_v4, usable
from suite.environments.parallel import ParallelEnvironment, parallel_env
from suite.environments.skirmish import SKIRMISH_VERSION
from suite.environments.skirmish.fields import HEALTH
from suite.errors import InputError

ROOT = Path(__file__).parents[2]
# What plays the same from the same seeds, whichever way it is reached.
NAMES = [name for name in usable() if backend_of(name).seeds_episodes]


def sample_all(environment: ParallelEnvironment) -> dict[str, Any]:
    return {agent: environment.action_space(agent).sample() for agent in environment.agents}


def seed_spaces(environment: ParallelEnvironment) -> None:
    for i, agent in enumerate(environment.possible_agents):
        environment.action_space(agent).seed(i)


def trace(environment: ParallelEnvironment) -> list[Any]:
    """Random play to the end, everything in plain lists."""
    frames: list[Any] = []
    while environment.agents:
        actions = sample_all(environment)
        observations, *rest = environment.step(actions)
        values = {a: {k: v.tolist() for k, v in o.items()} for a, o in observations.items()}
        frames.append([actions, values, environment.state().tolist(), *rest])
    return frames


def snapshot(environment: ParallelEnvironment) -> list[Any]:
    batch = environment._batch
    arrays = (batch.observations, batch.state, batch.available_actions)
    return [*environment.agents, *(array.tolist() for array in arrays)]


@pytest.mark.parametrize("name", NAMES)
def test_pettingzoo_tests(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(parallel_env(name), num_cycles=200)
        parallel_seed_test(lambda: parallel_env(name))
    assert "Passed" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")
def test_pettingzoo_test_of_the_turn_based_form() -> None:
    api_test(parallel_to_aec(parallel_env("skirmish/3m")), num_cycles=100)


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_batched_environment(name: str) -> None:
    environment, batch = parallel_env(name), make(name, 1, 0)
    agents = environment.possible_agents
    for seed in (5, 6):
        observations, _ = environment.reset(seed=seed)
        batch.reset(episode_seeds=np.array([seed]))
        seed_spaces(environment)
        while environment.agents:
            assert list(observations) == environment.agents == agents
            for i, agent in enumerate(agents):
                assert environment.observation_space(agent).contains(observations[agent])
                assert np.array_equal(observations[agent]["observation"], batch.observations[0, i])
                mask = observations[agent]["action_mask"]
                assert np.array_equal(mask, batch.available_actions[0, i])
            assert environment.state_space.contains(environment.state())
            assert np.array_equal(environment.state(), batch.state[0])
            actions = sample_all(environment)
            observations, rewards, terminations, truncations, infos = environment.step(actions)
            step = batch.step(np.array([list(actions.values())]))
            assert rewards == dict.fromkeys(agents, step.reward[0])
            assert terminations == dict.fromkeys(agents, step.terminated[0])
            assert truncations == dict.fromkeys(agents, step.truncated[0])
            assert all(infos[agent]["battle_won"] == step.won[0] for agent in agents)
        assert list(observations) == agents
        assert step.terminated[0] or step.truncated[0]


def test_same_seed_and_actions_same_bits() -> None:
    first, second = parallel_env("skirmish/3m", seed=1), parallel_env("skirmish/3m", seed=2)
    trace(second)
    for environment in (first, second):
        environment.reset(seed=9)
        seed_spaces(environment)
    assert trace(first) == trace(second)
    first.reset()  # a reset without a seed follows from the last seed
    second.reset()
    assert trace(first) == trace(second)


def test_the_seed_at_the_start_fixes_the_resets_that_are_given_none() -> None:
    frames = []
    for seed in (1, 1, 2):
        environment = parallel_env("skirmish/3m", seed=seed)
        seed_spaces(environment)
        environment.reset()
        frames.append(trace(environment))
    assert frames[0] == frames[1]
    assert frames[0] != frames[2]


def test_names() -> None:
    assert parallel_env("skirmish/3m").possible_agents == ["marine_0", "marine_1", "marine_2"]
    assert parallel_env("matrix/climbing").possible_agents == ["agent_0", "agent_1"]


def test_the_dead_stay_and_may_only_do_nothing() -> None:
    environment = parallel_env("skirmish/3m")
    observations, infos = environment.reset(seed=0)
    assert infos["marine_0"] == {"battle_won": False, "dead_allies": 0, "dead_enemies": 0}
    n_dead = []
    while environment.agents:
        masks = {agent: o["action_mask"] for agent, o in observations.items()}
        observations, _, terminations, _, infos = environment.step(
            {agent: int(mask[1]) for agent, mask in masks.items()}  # stop, the dead no-op
        )
        n_dead.append(infos["marine_0"]["dead_allies"])
        dead = [o for o in observations.values() if o["action_mask"].tolist() == [1] + [0] * 8]
        assert len(dead) == n_dead[-1]
        assert not any(o["observation"].any() for o in dead)
    assert {1, 2, 3} & set(n_dead[:-1])
    assert n_dead[-1] == 3
    assert all(terminations.values())


def test_the_time_limit_truncates() -> None:
    environment: Any = parallel_env("skirmish/3m")
    environment.reset(seed=0)
    for n_steps in range(1, 61):
        environment._batch.units[0, :3, HEALTH] = 1e6  # nobody dies
        _, _, terminations, truncations, _ = environment.step(dict.fromkeys(environment.agents, 1))
        assert not any(terminations.values())
        assert set(truncations.values()) == {n_steps == 60}
    assert environment.agents == []


@pytest.mark.parametrize(("change", "message"), [
    ({"marine_1": 1.0}, r"marine_1: action 1.0 is not one of the available integers \[1, 2"),
    ({"marine_1": None}, "marine_1: action None is not"),
    ({"marine_2": 0}, "marine_2: action 0 is not"),
    ({"marine_2": 9}, "marine_2: action 9 is not"),
    ({"marine_0": -1}, "marine_0: action -1 is not"),
    ({"zealot_0": 1}, r"expected an action for each of \['marine_0', .*got .*zealot_0"),
])  # fmt: skip
def test_bad_actions_change_nothing(change: dict[str, Any], message: str) -> None:
    environment = parallel_env("skirmish/3m")
    environment.reset(seed=0)
    before = snapshot(environment)
    good = dict.fromkeys(environment.agents, 1)
    with pytest.raises(ActionError, match=message):
        environment.step(good | change)
    with pytest.raises(ActionError, match="expected an action for each of"):
        environment.step({"marine_0": 1})
    assert snapshot(environment) == before
    environment.step(good)


def test_no_step_outside_an_episode() -> None:
    environment = parallel_env("matrix/climbing")
    actions = {"agent_0": 0, "agent_1": 0}
    with pytest.raises(ActionError, match="call reset first"):
        environment.step(actions)
    environment.reset()
    _, rewards, terminations, _, infos = environment.step(actions)
    assert rewards == {"agent_0": 11.0, "agent_1": 11.0}
    assert terminations == {"agent_0": True, "agent_1": True}
    assert infos["agent_0"] == {"battle_won": True}
    before = snapshot(environment)
    for late in (actions, {}):
        with pytest.raises(ActionError, match="call reset first"):
            environment.step(late)
    assert snapshot(environment) == before


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="unknown scenario"):
        parallel_env("skirmish/4m")
    with pytest.raises(InputError, match="render_mode"):
        parallel_env("skirmish/3m", render_mode="human")
    with pytest.raises(InputError, match="seed"):
        parallel_env("skirmish/3m", seed=-1)
    environment = parallel_env("skirmish/3m")
    environment.reset(seed=0)
    before = snapshot(environment)
    for seed in (-1, 0.5, 2**63):
        with pytest.raises(InputError, match="seed"):
            environment.reset(seed=seed)  # type: ignore[arg-type]
    assert snapshot(environment) == before


def test_a_copy_goes_its_own_way() -> None:
    environment = parallel_env("skirmish/3m")
    environment.reset(seed=0)
    seed_spaces(environment)
    before = snapshot(environment)
    twin = copy.deepcopy(environment)
    frames = trace(twin)
    assert snapshot(environment) == before
    assert trace(environment) == frames


@pytest.mark.parametrize("package", ["pettingzoo", "gymnasium"])
def test_a_missing_package_is_told(package: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from suite.errors import MissingDependencyError\n"
        "try:\n    import suite.environments.parallel\n"
        "except MissingDependencyError as error:\n    print(error)\n"
        "import suite.environments.pymarl"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"the package {package} is not installed; run: pip install" in done.stdout


EXAMPLES = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "environments.md").read_text("utf-8"), re.DOTALL
)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_the_documentation_run(
    example: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "torchrl" in example:
        pytest.importorskip("torchrl", reason="TorchRL is not installed")
    exec(compile(example, "docs/environments.md", "exec"), {})
    assert capsys.readouterr().out


def test_a_copied_action_space_samples_what_is_available_now() -> None:
    environment = parallel_env("skirmish/3m")
    environment.reset(seed=0)
    space = environment.action_space("marine_0")
    space.seed(1)
    copied = copy.deepcopy(space)
    assert copied.sample() == space.sample()  # each from its own generator in one state
    assert copied is not space
    assert copied == space
    for _ in range(60):
        if not environment.agents:
            environment.reset()
        mask = environment._batch.available_actions[0, 0]
        drawn = copied.sample()
        assert mask[drawn]
        environment.step(sample_all(environment) | {"marine_0": int(drawn)})


def test_a_pickled_action_space_does_not_carry_the_environment() -> None:
    environment = parallel_env("skirmish/27m_vs_30m")
    packed = pickle.dumps(environment.action_space("marine_0"))
    assert len(packed) < 2000
    space = pickle.loads(packed)
    assert type(space) is spaces.Discrete
    assert space.n == 36


def test_the_name_that_carries_the_rules_version() -> None:
    assert SKIRMISH_VERSION.split(".")[0] == skirmish_v4.RULES
    assert skirmish_v4.__name__.endswith(f"_v{skirmish_v4.RULES}")
    ours, theirs = skirmish_v4.parallel_env("5m_vs_6m", seed=4), parallel_env("skirmish/5m_vs_6m")
    first, _ = ours.reset(seed=9)
    second, _ = theirs.reset(seed=9)
    for agent in ours.agents:
        np.testing.assert_array_equal(first[agent]["observation"], second[agent]["observation"])
