"""Games in processes of their own: what happens when they die, hang, stop, fail or lose."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.environments import backend_of, make
from suite.environments.engines.backend import PROCESSES
from suite.environments.engines.batch import EngineBatch
from suite.environments.engines.process import EngineProcess
from suite.errors import InputError

SEEDS = np.arange(4)


def play(batch: Any, n_steps: int = 8) -> list[np.ndarray]:
    """What is seen and paid, step by step."""
    batch.reset(episode_seeds=SEEDS[: batch.n_environments])
    seen = []
    for _ in range(n_steps):
        step = batch.step(np.zeros((batch.n_environments, 2), np.int64))
        seen.append(np.concatenate([batch.state, step.reward[:, None]], 1))
    return seen


@pytest.mark.parametrize("n_processes", ["1", "2", "4"])
@pytest.mark.parametrize("kind", ["dies", "hangs", "fails", "stops"])
def test_a_game_that_plays_again_exactly_goes_on(
    trouble: Path, kind: str, n_processes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROCESSES, n_processes)
    undisturbed = play(make("exact/adding", 4, 0))
    trouble.write_text(kind)
    batch = make("exact/adding", 4, 0)
    disturbed = play(batch)
    assert not trouble.exists()
    assert backend_of("exact/adding").n_breakdowns(batch) == 1
    for one, other in zip(undisturbed, disturbed, strict=True):
        np.testing.assert_array_equal(one, other)
    batch.close()


@pytest.mark.parametrize("kind", ["dies", "hangs", "fails", "stops"])
def test_other_games_lose_the_episode_and_no_other(trouble: Path, kind: str) -> None:
    batch = make("loose/adding", 3, 0)
    stand = np.zeros((3, 2), np.int64)
    for _ in range(3):
        assert not batch.step(stand).lost.any()
    before = batch.state.copy()
    trouble.write_text(kind)
    step = batch.step(stand)
    # All three came to that step; who was first found the file.
    assert step.lost.sum() == 1
    assert not (step.terminated | step.truncated | step.won)[step.lost].any()
    assert step.reward[step.lost] == 0
    np.testing.assert_array_equal(batch.state[step.lost], before[step.lost])
    assert (batch.state[~step.lost, 1] == 4).all()
    batch.step(stand, ~step.lost)
    batch.reset(np.flatnonzero(step.lost))
    batch.step(stand)
    batch.close()


def test_what_goes_on_failing_is_told_in_one_line(trouble: Path, capfd: Any) -> None:
    batch = make("exact/adding", 1, 0)
    trouble.write_text("fails again")
    with pytest.raises(InputError) as told:
        play(batch)
    line = str(told.value)
    assert "\n" not in line
    assert line.startswith("the game behind exact/adding: broke down 4 times in a row; at last it")
    assert "failed with ValueError: no more of this" in line
    printed = capfd.readouterr()
    assert printed.err.count("exact/adding: a process of the game failed with ValueError") == 4
    assert "after step 3 of its episode" in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("how", ["interrupted", "fails again"])
def test_answers_that_nobody_waited_for_are_not_taken_for_later_ones(
    trouble: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-C, or where one of several processes goes on failing, a batch can be used on."""
    monkeypatch.setenv(PROCESSES, "2")
    undisturbed = play(make("exact/adding", 2, 0))
    batch = make("exact/adding", 2, 0)
    stand = np.zeros((2, 2), np.int64)
    for _ in range(3):  # trouble comes with the fourth step: the other game knows none
        batch.step(stand, np.array([True, False]))
    with monkeypatch.context() as patched:
        if how == "interrupted":
            patched.setattr(EngineProcess, "answer", interrupt)
        else:
            trouble.write_text(how)
        with pytest.raises((KeyboardInterrupt, InputError)):
            batch.step(stand)
    trouble.unlink(missing_ok=True)
    for one, other in zip(undisturbed, play(batch), strict=True):
        np.testing.assert_array_equal(one, other)
    batch.close()


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_game_that_cannot_be_made_is_told(games: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from suite.environments.engines.interface import Blueprint

    monkeypatch.setattr(games.EXACT, "blueprint", lambda scenario: Blueprint("nowhere:Game"))
    with pytest.raises(InputError, match="No module named 'nowhere'"):
        make("exact/adding", 1, 0)


def test_a_machine_that_has_no_room_for_a_process_is_told(
    games: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make("exact/adding", 1, 0)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(subprocess, "Popen", full)
    with pytest.raises(InputError, match=r"behind exact/adding: no process can be started.*files"):
        make("exact/adding", 1, 0)
    os.killpg(batch._processes[0].pid, signal.SIGKILL)
    with pytest.raises(InputError, match="no process can be started"):
        batch.step(np.zeros((1, 2), np.int64))
    batch.close()


def test_another_game_after_a_restart_is_noticed(games: Any) -> None:
    """A game that says it plays again exactly, and does not."""
    backend = games.GameBackend("false", is_seeded=False)
    batch = EngineBatch(
        backend.describe("adding"),
        backend.blueprint("adding"),
        1,
        0,
        patience=backend.patience,
        n_processes=1,
        replays_exactly=True,
    )
    stand = np.zeros((1, 2), np.int64)
    batch.step(stand)
    os.killpg(batch._processes[0].pid, signal.SIGKILL)
    with pytest.raises(InputError, match="does not play the same"):
        batch.step(stand)


def test_processes_make_room_for_new_ones(games: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many episodes, when none of theirs is running; episodes stay the same."""
    undisturbed = make("exact/adding", 2, 0)
    monkeypatch.setattr(games.EXACT, "most_episodes", 6)
    batch = make("exact/adding", 2, 0)
    first = batch._processes[0].pid
    for _ in range(2):  # with the first of all six episodes
        expected, seen = play(undisturbed), play(batch)
        assert all(np.array_equal(a, b) for a, b in zip(expected, seen, strict=True))
    assert batch._processes[0].pid == first
    batch.reset(np.array([0]))  # the other goes on
    assert batch._processes[0].pid == first
    seen = play(batch)
    assert all(np.array_equal(a, b) for a, b in zip(expected, seen, strict=True))
    assert batch._processes[0].pid != first
    assert not is_running(first)
    assert games.EXACT.n_breakdowns(batch) == 0


@pytest.mark.parametrize("given", ["0", "-1", "two", "", "1.5", "99999", "٣", "1" * 5_000])
def test_a_number_of_processes_that_is_none_is_refused(
    games: Any, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROCESSES, given)
    with pytest.raises(InputError, match=rf"{PROCESSES}.*give a whole number from 1"):
        make("exact/adding", 1, 0)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for_end(pid: int, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_running(pid)


PARENT = """
import os, sys, time
sys.path[:0] = [{examples!r}]
import engine_examples
from suite.environments.engines.batch import EngineBatch
from suite.environments.engines.process import EngineProcess
backend = engine_examples.EXACT
backend.trouble = {trouble!r}
batch = EngineBatch(backend.describe("adding"), backend.blueprint("adding"), 2, 0,
                    patience=backend.patience, n_processes=2, replays_exactly=True)
print(*(process.pid for process in batch._processes), flush=True)
{then}
"""
EXAMPLES = str(Path(__file__).parent / "examples")


@pytest.mark.parametrize(
    "then",
    ["time.sleep(1000)", "raise SystemExit", "os._exit(0)", "batch.close(); time.sleep(1000)"],
)
def test_no_process_outlives_who_started_it(then: str) -> None:
    """Killed, ended in order, ended at once, or closed."""
    code = PARENT.format(examples=EXAMPLES, trouble="/nowhere", then=then)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        if then == "time.sleep(1000)":
            assert all(map(is_running, pids))
            parent.kill()
        assert all(map(wait_for_end, pids))
        parent.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux sends a signal for this")
@pytest.mark.parametrize("kind", ["stops", "keeps the lock"])
def test_no_process_that_can_do_nothing_outlives_who_started_it(trouble: Path, kind: str) -> None:
    trouble.write_text(f"{kind} again")
    then = "for _ in range(4): batch.step([[0, 0]] * 2)"
    code = PARENT.format(examples=EXAMPLES, trouble=str(trouble), then=then)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stderr is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        told = [line for line in (parent.stderr.readline() for _ in range(4)) if kind in line]
        assert len(told) == 2  # besides a line of each at its start
        assert all(map(is_running, pids))
        parent.kill()
        ended = [wait_for_end(pid) for pid in pids]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert all(ended)


def test_closing_and_forgetting_end_the_processes(games: Any) -> None:
    first, second = make("exact/adding", 2, 0), make("loose/adding", 2, 0)
    pids = [process.pid for batch in (first, second) for process in batch._processes]
    assert len(pids) == 1 + 2
    first.close()
    first.close()
    del second
    assert not any(map(is_running, pids))
