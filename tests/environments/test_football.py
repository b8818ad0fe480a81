"""Football: names; where gfootball is installed also features, rewards and ends."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.environments import backend_of, describe, full_name, is_scenario, make
from suite.environments.football import backend as backend_module
from suite.environments.football import install
from suite.environments.football.naming import LEVELS, Variant, parse
from suite.errors import InputError, MissingDependencyError

FAULT = install.fault_of_installed()
plays = pytest.mark.skipif(FAULT is not None, reason=f"gfootball cannot be used: {FAULT}")
KEEPER, EASY, HARD = (f"football/{level}" for level in LEVELS)
# Actions of gfootball's default set.
LEFT, RIGHT, SHOT = 1, 5, 12


def test_names() -> None:
    assert parse("academy_3_vs_1_with_keeper") == Variant("academy_3_vs_1_with_keeper", 3, 2)
    named = parse("academy_counterattack_hard#players=cds&reward=scoring")
    assert (named.players, named.reward, named.features) == ("cds", "scoring", "released")
    assert is_scenario(KEEPER)
    assert full_name("academy_counterattack_easy", where="here") == EASY


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        ("academy_3_vs_1", "unknown scenario.*use academy_3_vs_1_with_keeper"),
        ("11_vs_11_stochastic", "unknown scenario"),
        ("academy_counterattack_easy#players=cds", "use it with academy_counterattack_hard"),
        ("academy_counterattack_hard#players=all", "players is all anyhow.*leave it out"),
        ("academy_counterattack_hard#player=cds", "unknown setting after #.*use features or"),
        ("academy_counterattack_hard#reward=much", "unknown reward.*use described or scoring"),
        ("academy_counterattack_hard#", "cannot be read after #"),
        ("academy_counterattack_hard#reward", "cannot be read after #"),
        ("academy_counterattack_hard#reward=scoring&reward=scoring", "each name once"),
        ("academy_counterattack_hard#reward=scoring&players=cds", "players&reward, in order"),
    ],
)
def test_other_names_are_refused(scenario: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        describe(f"football/{scenario}")


def test_without_gfootball_one_line_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_module.FootballBackend, "needs", ("numpy", "no-such-package"))
    with pytest.raises(MissingDependencyError) as told:
        describe(KEEPER)
    assert str(told.value) == (
        "scenario of football: the package no-such-package is not installed; "
        "run: python -m suite.environments.football.install"
    )


@plays
@pytest.mark.parametrize(("name", "size"), [(KEEPER, 26), (EASY, 30), (HARD, 34)])
def test_sizes_are_those_of_the_release(name: str, size: int) -> None:
    info = describe(name)
    assert (info.observation_size, info.state_size) == (size, size)
    assert (info.n_actions, info.episode_limit) == (19, 150)


@plays
def test_features_are_of_one_scene() -> None:
    """State: places and directions of all. Agents see the same, relative to themselves."""
    batch = make(EASY, 2, 0)
    rng = np.random.default_rng(0)
    for _ in range(6):
        batch.step(rng.integers(19, size=(2, 4)))
    n, m = 4, 2
    for state, seen in zip(batch.state, batch.observations, strict=True):
        places, directions = state[: 2 * n].reshape(n, 2), state[2 * n : 4 * n].reshape(n, 2)
        theirs, their_directions = state[4 * n : -6].reshape(2, m, 2)
        ball, ball_direction = state[-6:-3], state[-3:]
        for i, own in enumerate(seen):
            others = [k for k in range(n) if k != i]
            expected = [
                *(places[i], (places[others] - places[i]).ravel()),
                *(directions[i], directions[others].ravel()),
                *((theirs - places[i]).ravel(), their_directions.ravel()),
                *(ball[:2] - places[i], ball[2:], ball_direction),
            ]
            np.testing.assert_allclose(own, np.concatenate(expected), atol=1e-6)
    batch.close()


@plays
def test_agents_may_control_others_than_those_whose_places_they_are_told() -> None:
    """As released: the last players. Gfootball hands out the midfield first."""
    released, controlled = make(EASY, 1, 0), make(f"{EASY}#features=controlled", 1, 0)
    seeds = np.array([4])
    for batch in (released, controlled):
        batch.reset(episode_seeds=seeds)
    assert (released.observations[0, :, 0] > 0).all()
    assert (controlled.observations[0, :2, 0] < 0).all()  # in their own half
    before = controlled.observations[0, :, :2].copy()
    for _ in range(8):  # who runs is who is told so: agent 0 alone, to the right
        controlled.step(np.array([[RIGHT, 0, 0, 0]]))
    moved = controlled.observations[0, :, 0] - before[:, 0]
    assert moved[0] > 0.02
    assert moved[0] > moved[1] + 0.02
    for batch in (released, controlled):
        batch.close()


def first_end(batch: Any, actions: np.ndarray, most: int = 150) -> tuple[Any, int]:
    for t in range(1, most + 1):
        step = batch.step(actions)
        if (step.terminated | step.truncated)[0]:
            return step, t
        assert step.reward[0] == 0
    raise AssertionError("no end")


@plays
def test_who_returns_to_the_own_half_has_lost() -> None:
    batch = make(KEEPER, 1, 0)
    step, t = first_end(batch, np.full((1, 3), LEFT))
    assert (batch.state[0, [0, 2, 4]] < 0).any() or batch.state[0, -6] < 0
    assert t < 150
    assert (step.reward[0], step.terminated[0], step.won[0]) == (-1, True, False)
    batch.close()


@plays
def test_the_limit_cuts_and_a_goal_pays() -> None:
    """Who stands is cut at 150 steps; of those who run and shoot some score."""
    batch = make(KEEPER, 4, 0)
    active, length = np.ones(4, np.bool_), np.zeros(4, int)
    while active.any():
        step = batch.step(np.zeros((4, 3), np.int64), active)
        length += active
        for slot in np.flatnonzero(active & step.truncated):
            assert (length[slot], step.reward[slot], step.won[slot]) == (150, -1, False)
        active &= ~(step.terminated | step.truncated)
    assert (length == 150).any()
    goals = 0
    for first in range(0, 40, 4):
        batch.reset(episode_seeds=np.arange(first, first + 4))
        active = np.ones(4, np.bool_)
        total, t = np.zeros(4), 0
        while active.any():
            step = batch.step(np.full((4, 3), RIGHT if t < 8 else SHOT), active)
            t += 1
            total += step.reward
            ended = active & (step.terminated | step.truncated)
            assert ((total[ended] == 100) == step.won[ended]).all()
            assert ((total[ended] == -1) == ~step.won[ended]).all()
            goals += step.won.sum()
            active &= ~ended
        if goals:
            break
    assert goals
    batch.close()


@plays
def test_rewards_that_are_described_and_those_of_gfootball() -> None:
    totals = {}
    for variant in ("described", "scoring"):
        batch = make(f"{KEEPER}#reward={variant}", 1, 0)
        rewards = []
        while True:
            step = batch.step(np.full((1, 3), LEFT))
            rewards.append(step.reward[0])
            if step.terminated[0] or step.truncated[0]:
                break
        totals[variant] = rewards
        batch.close()
    *playing, last = totals["described"]
    assert set(playing) == {-1.0}
    assert last == 1.0
    assert set(totals["scoring"]) == {0.0}
    assert backend_of(KEEPER).return_bounds("academy_3_vs_1_with_keeper#reward=scoring") == (-1, 1)


@plays
def test_the_players_that_cds_leaves() -> None:
    """Nobody else is in the way: the defenders start where CDS has them, behind the agents."""
    batch = make(f"{HARD}#players=cds", 1, 0)
    theirs = batch.state[0, 16:22].reshape(3, 2)
    np.testing.assert_allclose(theirs[:, 0], [1.0, 0.4, 0.4], atol=0.03)
    batch.close()


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_the_backend_imports_no_game() -> None:
    code = (
        "import sys; from suite.environments import is_scenario\n"
        f"assert is_scenario({KEEPER!r})\n"
        "print([m for m in sys.modules if m.startswith(('gfootball', 'gym', 'cv2', 'torch'))])"
    )
    assert python(code).stdout == "[]\n"


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing to build with is found, but for what a test puts there."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    return programs


def test_what_is_missing_to_build_is_named(bare_machine: Path) -> None:
    with pytest.raises(MissingDependencyError) as told:
        install.check_can_build()
    assert "as root, on Debian or Ubuntu: apt-get install cmake g++ make libegl-dev" in str(
        told.value
    )


def test_missing_headers_are_named(bare_machine: Path) -> None:
    """By the compiler itself; this one finds only SDL's."""
    for name in ("cmake", "make"):
        (bare_machine / name).touch(0o755)
    compiler = bare_machine / "c++"
    compiler.write_text(
        "#!/bin/sh\nwhile read line; do case $line in missing*sdl2*) ;; missing*) echo $line;; "
        "esac; done\n"
    )
    compiler.chmod(0o755)
    with pytest.raises(MissingDependencyError) as told:
        install.check_can_build()
    assert "apt-get install libegl-dev libopengl-dev libboost-python-dev" in str(told.value)
    assert "sdl2" not in str(told.value)


def test_a_kept_wheel_is_found_for_this_python_only(tmp_path: Path) -> None:
    python_tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    machine = install.sysconfig.get_platform().replace("-", "_").replace(".", "_")
    for tag in ("cp27-cp27", "cp310-cp310"):
        (tmp_path / f"gfootball-{install.VERSION}-{tag}-{machine}.whl").touch()
    (tmp_path / f"gfootball-1.0-{python_tag}-{python_tag}-{machine}.whl").touch()
    (tmp_path / f"gfootball-{install.VERSION}-{python_tag}-{python_tag}-plan9.whl").touch()
    assert install.find_wheel(tmp_path) is None
    ours = tmp_path / f"gfootball-{install.VERSION}-{python_tag}-{python_tag}-{machine}.whl"
    ours.touch()
    assert install.find_wheel(tmp_path) == ours
    assert install.find_wheel(tmp_path / "nowhere") is None


def test_sources_that_are_not_installed_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `git pull`, where what the installed distribution says of itself is old."""

    def none(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    for said in (none, lambda name: ["numpy", "gymnasium; extra == 'pettingzoo'"]):
        monkeypatch.setattr(install.importlib.metadata, "requires", said)
        with pytest.raises(InputError, match=r"not those that are installed.*pip install -e"):
            install.main([])


def test_a_kept_wheel_that_is_damaged_can_be_got_rid_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    wheel = tmp_path / "gfootball.whl"
    wheel.touch()
    monkeypatch.setattr(install, "_runtime_needs", lambda: ["pip"])
    monkeypatch.setattr(install, "fault_of_installed", lambda: "it is not installed")
    monkeypatch.setattr(install, "find_wheel", lambda wheels: wheel)
    with pytest.raises(InputError, match=f"pip install has failed.*delete {wheel}"):
        install.main([])
    assert capfd.readouterr().err  # what pip says


def test_a_folder_that_cannot_be_is_told_in_one_line() -> None:
    name = install.__name__
    code = (
        "import runpy, sys; sys.argv[1:] = ['--wheels', '~nobody-at-all/x']; "
        f"runpy.run_module({name!r}, run_name='__main__')"
    )
    done = python(code)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "football: Could not determine home directory.\n"
