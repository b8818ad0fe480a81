"""JaxMARL's SMAX: what `test_contract` cannot know."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suite.environments import counts_wins, describe, make
from suite.environments.registry import backend_of
from suite.environments.smax import backend as declared
from suite.errors import InputError, MissingDependencyError
from suite.records.provenance import package_version

STOP, NORTH, EAST, SOUTH, WEST, FIRST_TARGET = range(6)
MARINE_HEALTH, MARINE_DAMAGE = 45.0, 9.0
MISSING = [needed for needed in declared.BACKEND.needs if package_version(needed) is None]
installed = pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} is not installed")


def run(code: str, **environment: str) -> str:
    """Standard output of another process."""
    surroundings = {**os.environ, **environment}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def change(batch: Any, **fields: Any) -> None:
    """Set arrays of SMAX's state in slot 0 of a small batch."""
    from suite.environments.smax.simulator import jnp

    seeds, state = batch._battles[0]
    arrays = {}
    for name, value in fields.items():
        arrays[name] = jnp.asarray(getattr(state.state, name)).at[0].set(value)
    batch._battles[0] = (seeds, state.replace(state=state.state.replace(**arrays)))


def position(batch: Any, unit: int) -> NDArray[np.float32]:
    """Where a unit of slot 0 is."""
    return batch.state[0].reshape(-1)[unit * 10 :][1:3].copy()


def close_up(batch: Any, allies_health: list[float], enemies_health: list[float]) -> None:
    """3m with all in reach of each other and weapons ready."""
    places = [[14.0, 14], [14, 16], [14, 18], [16, 14], [16, 16], [16, 18]]
    health = np.array([*allies_health, *enemies_health])
    change(batch, unit_positions=np.array(places), unit_health=health, unit_alive=health > 0)
    change(batch, unit_weapon_cooldowns=0.0)
    batch.available_actions[:] = True  # not seen anew before the next step


def test_listing_and_describing_import_no_jax() -> None:
    wanted = "" if MISSING else "e.describe('smax/3m'); "
    run(
        "import sys, suite.environments as e; e.available(); "
        f"assert e.counts_wins('smax/3m'); {wanted}"
        "assert not {'jax', 'jaxmarl'} & set(sys.modules)"
    )


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declared.SmaxBackend, "needs", ("numpy", "no-such-package"))
    declared._version.cache_clear()
    for call in (describe, lambda name: make(name, 1, 0)):
        with pytest.raises(MissingDependencyError) as caught:
            call("smax/3m")
        line = str(caught.value)
        assert "no-such-package is not installed" in line
        assert line.endswith('run: pip install "cadp-suite[smax]"')
    declared._version.cache_clear()


def test_words() -> None:
    backend = backend_of("smax/3m")
    assert counts_wins("smax/3m")
    assert "StarCraft" in backend.disclaimer
    assert "skirmish" in backend.disclaimer
    assert backend.agent_kinds("5m_vs_6m") == ["ally"] * 5


@installed
def test_maps_are_jaxmarls() -> None:
    from suite.environments.smax.simulator import Simulator

    smax_env = importlib.import_module("jaxmarl.environments.smax.smax_env")
    assert {
        name: (map_.num_allies, map_.num_enemies)
        for name, map_ in smax_env.MAP_NAME_TO_SCENARIO.items()
    } == declared.MAPS
    for name in declared.MAPS:
        Simulator(name)  # compares all sizes


@installed
def test_other_sizes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from suite.environments.smax.simulator import Simulator

    for wrong in ((3, 4), (4, 3)):
        monkeypatch.setitem(declared.MAPS, "3m", wrong)
        with pytest.raises(InputError, match=r"smax/3m: .*other sizes.*got 'jaxmarl .*install"):
            Simulator("3m")


@installed
def test_recorded_version() -> None:
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("jaxmarl", "jax")]
    version = describe("smax/3m").backend_version
    assert version == f"{', '.join(versions)}, adapter {declared.ADAPTER_VERSION}"


@installed
def test_what_cannot_be_imported_is_told_in_one_line(tmp_path: Path) -> None:
    """A broken installation; a device that somebody chose and that is not there."""
    home = tmp_path / "jaxmarl"
    home.mkdir()
    (home / "__init__.py").write_text("raise ImportError('no flax')")
    code = (
        "import suite.environments as e\n"
        "from suite.errors import InputError\n"
        "try: e.make('smax/3m', 1, 0)\n"
        "except InputError as error: print(error)"
    )
    broken = run(code, PYTHONPATH=f"{tmp_path}:{os.environ['PYTHONPATH']}")
    assert broken.startswith("scenario of smax: SMAX cannot be imported (ImportError: no flax); ")
    elsewhere = run(code, JAX_PLATFORMS="no_such_device")
    assert "RuntimeError: Unable to initialize backend 'no_such_device'" in elsewhere
    assert broken.count("\n") == elsewhere.count("\n") == 1


@installed
def test_it_is_jaxmarls_battle(players: Any) -> None:
    """The same seeds and actions by SMAX's own functions, which compile to other last digits."""
    from suite.environments.smax.simulator import HeuristicEnemySMAX, jax, map_name_to_scenario

    smax = HeuristicEnemySMAX(scenario=map_name_to_scenario("3m"))
    batch, rng = make("smax/3m", 1, 0), np.random.default_rng(0)
    batch.reset(episode_seeds=np.array([7]))
    later, now = jax.random.split(jax.random.PRNGKey(7))
    observations, state = smax.reset(now)
    for _ in range(12):
        later, now = jax.random.split(later)
        actions = players.random_actions(batch, rng)
        # SMAX has stop after the four directions.
        given = {
            agent: [4, 0, 1, 2, 3, 5, 6, 7][actions[0, i]] for i, agent in enumerate(smax.agents)
        }
        step = batch.step(actions)
        observations, state, rewards, dones, _ = smax.step_env(now, state, given)
        mask = smax.get_avail_actions(state)
        for i, agent in enumerate(smax.agents):
            seen = np.asarray(observations[agent])
            np.testing.assert_allclose(batch.observations[0, i], seen, atol=1e-5)
            own = np.asarray(mask[agent])[[4, 0, 1, 2, 3, 5, 6, 7]]
            assert batch.available_actions[0, i].tolist() == own.astype(bool).tolist()
        world = np.asarray(observations["world_state"])
        np.testing.assert_allclose(batch.state[0], world, atol=1e-4)
        np.testing.assert_allclose(step.reward[0], float(rewards["ally_0"]), atol=1e-6)
        assert (step.terminated | step.truncated)[0] == bool(dones["__all__"])


@installed
@pytest.mark.parametrize(
    ("action", "direction"),
    [(STOP, (0, 0)), (NORTH, (0, 1)), (EAST, (1, 0)), (SOUTH, (0, -1)), (WEST, (-1, 0))],
)
def test_moves(action: int, direction: tuple[int, int]) -> None:
    batch = make("smax/3m", 1, 0)
    apart = [[4.0, 8], [4, 16], [4, 24], [28, 8], [28, 16], [28, 24]]
    change(batch, unit_positions=np.array(apart))
    batch.step(np.array([[action, STOP, STOP]]))
    marine_step = 3.15 * 8 / 16
    moved = position(batch, 0) - [4.0, 8.0]
    np.testing.assert_allclose(moved, np.array(direction) * marine_step, atol=1e-5)


@installed
def test_attacks_are_numbered_as_enemies() -> None:
    for enemy in range(3):
        batch = make("smax/3m", 1, 0)
        close_up(batch, [45, 45, 45], [45, 45, 45])
        step = batch.step(np.array([[FIRST_TARGET + enemy, STOP, STOP]]))
        health = batch.state[0, :60].reshape(6, 10)[3:, 0]
        lost = MARINE_DAMAGE / MARINE_HEALTH
        expected = [1 - lost if i == enemy else 1.0 for i in range(3)]
        np.testing.assert_allclose(health, expected, rtol=1e-6)
        assert step.reward[0] == pytest.approx(lost / 3)


@installed
def test_the_dead_can_only_stop_and_see_nothing() -> None:
    """Leaving the map kills. The living may stop as well, and walk; attack who is in reach."""
    batch = make("smax/3m", 1, 0)
    places = [[1.0, 4], [4, 16], [4, 28], [28, 4], [28, 16], [28, 28]]
    change(batch, unit_positions=np.array(places))
    step = batch.step(np.array([[WEST, STOP, STOP]]))
    assert not step.terminated[0]
    dead, *living = batch.available_actions[0].tolist()
    assert dead == [True] + [False] * 7
    for mask in living:
        assert mask == [True] * 5 + [False] * 3
    assert not batch.observations[0, 0].any()
    assert batch.observations[0, 1].any()
    assert not batch.state[0, :10].any()
    batch.step(np.array([[STOP, STOP, STOP]]))
    close_up(batch, [0, 45, 45], [45, 0, 45])
    batch.step(np.array([[STOP, STOP, STOP]]))
    dead, *living = batch.available_actions[0].tolist()
    assert dead == [True] + [False] * 7
    for mask in living:
        assert mask == [True] * 5 + [True, False, True]


ENDS = {
    "won": ([45, 45, 45], [9, 0, 0], [FIRST_TARGET, STOP, STOP], (True, False, True)),
    "lost": ([9, 0, 0], [45, 45, 45], [STOP, STOP, STOP], (True, False, False)),
    "draw": ([9, 0, 0], [9, 0, 0], [FIRST_TARGET, STOP, STOP], (True, False, False)),
    "goes on": ([45, 45, 45], [45, 45, 45], [STOP, STOP, STOP], (False, False, False)),
}


@installed
@pytest.mark.parametrize("is_last", [False, True])
@pytest.mark.parametrize("end", ENDS)
def test_ends(end: str, is_last: bool) -> None:
    """A victory is paid; nobody wins a draw; only a battle undecided at the limit is cut."""
    allies, enemies, actions, flags = ENDS[end]
    batch = make("smax/3m", 1, 0)
    close_up(batch, allies, enemies)
    if is_last:
        change(batch, step=100)
    step = batch.step(np.array([actions]))
    terminated, truncated, won = flags
    truncated = truncated or (is_last and end == "goes on")
    assert (step.terminated[0], step.truncated[0], step.won[0]) == (terminated, truncated, won)
    hurt = 0.2 / 3 if end in ("won", "draw") else 0.0
    assert step.reward[0] == pytest.approx(hurt + won)


@installed
def test_episodes_last_as_long_as_described() -> None:
    """One step longer than SMAX's `max_steps`."""
    batch = make("smax/3m", 1, 0)
    apart = [[4.0, 8], [4, 16], [4, 24], [28, 8], [28, 16], [28, 24]]
    for length in range(1, 102):
        change(batch, unit_positions=np.array(apart))
        step = batch.step(np.zeros((1, 3), np.int64))
        assert step.truncated[0] == (length == describe("smax/3m").episode_limit)


@installed
def test_all_bits_of_an_episode_seed_count() -> None:
    batch = make("smax/3m", 4, 0)
    batch.reset(episode_seeds=np.array([5, 5 + 2**32, 5 + 2**62, 5]))
    assert np.array_equal(batch.state[0], batch.state[3])
    for i in range(3):
        for j in range(i):
            assert not np.array_equal(batch.state[i], batch.state[j])


@installed
def test_each_slot_is_a_battle_of_its_own() -> None:
    """In another group too; who is left out of a step or a reset is not touched by it."""
    batch = make("smax/3m", 6, 0)
    batch.reset(episode_seeds=np.arange(6))
    assert len({state.tobytes() for state in batch.state}) == 6
    before = batch.state.copy()
    batch.step(np.full((6, 3), EAST), np.arange(6) == 5)
    assert (batch.state != before).any(-1).tolist() == [False] * 5 + [True]
    n_steps = np.array([0, 0, 0, 0, 0, 1])
    for skipped in (1, 4, 5, None):
        active = np.arange(6) != skipped
        batch.step(np.full((6, 3), EAST), active)
        n_steps += active
    batch.reset(np.array([1]), np.array([1]))
    n_steps[1] = 0
    batch.step(np.full((6, 3), EAST))
    n_steps += 1
    for slot in range(6):
        alone = make("smax/3m", 1, 0)
        alone.reset(episode_seeds=np.array([slot]))
        for _ in range(n_steps[slot]):
            alone.step(np.full((1, 3), EAST))
        assert np.array_equal(alone.state[0], batch.state[slot])


@installed
def test_a_map_is_compiled_once(players: Any) -> None:
    from suite.environments.smax.simulator import simulator

    for n in (1, 4, 9):
        batch, rng = make("smax/3m", n, 0), np.random.default_rng(0)
        for _ in range(3):
            batch.step(players.random_actions(batch, rng))
        batch.reset(np.array([0]))
    assert simulator("3m")._reset._cache_size() == 1
    assert simulator("3m")._step._cache_size() == 1


PLAY = """
import hashlib, numpy as np
from suite.environments import make
batch, rng, digest = make("smax/3m", 2, 0), np.random.default_rng(0), hashlib.sha256()
batch.reset(episode_seeds=np.array([11, 12]))
active = np.ones(2, bool)
while active.any():
    chance = rng.random(batch.available_actions.shape) * batch.available_actions
    step = batch.step(chance.argmax(-1), active)
    active &= ~(step.terminated | step.truncated)
    for array in (batch.observations, batch.state, step.reward): digest.update(array.tobytes())
said = digest.hexdigest()
"""


@installed
def test_another_process_plays_the_same_and_says_nothing() -> None:
    """Checkpoints rely on it. JAX looks for no other device than the processor."""
    here: dict[str, Any] = {}
    exec(PLAY, here)
    platform = "import jax; assert jax.config.jax_platforms == 'cpu'; print(said)"
    streams = "import sys; first = sys.stdout, sys.stderr, sys.__stdout__\n"
    same = "assert first == (sys.stdout, sys.stderr, sys.__stdout__)\n"
    assert run(streams + PLAY + same + platform) == here["said"] + "\n"
