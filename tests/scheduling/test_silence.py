"""Workers that give no sign of life."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.environments import describe
from suite.records import RecordStore
from suite.scheduling import staff
from suite.scheduling.coordinator import run_plan
from suite.scheduling.display import SilentDisplay
from suite.study.cost import run_seconds, silence_limit_seconds, time_limit_seconds
from suite.study.load import load_study
from suite.study.plan import Plan, expand


class Notes(SilentDisplay):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def notice(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def plan(make_study) -> Plan:
    return expand(load_study(make_study()))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    def limit(*_: object, has_begun: bool) -> float:
        return 0.7 if has_begun else 3.0

    monkeypatch.setattr(staff, "silence_limit_seconds", limit)


def test_a_stopped_worker_is_ended_and_its_run_resumed(plan: Plan, runs_dir: Path) -> None:
    notes = Notes()
    outcome = run_plan(plan, runs_dir, 2, notes, trainer="fake_trainer:stop_once")
    assert len(outcome.finished) == 4
    assert outcome.failed == []
    told = [line for line in notes.lines if "gave no sign of life" in line]
    assert len(told) == 4
    assert "the run is resumed, this once" in told[0]
    assert "for 1 s" in told[0]  # the limit here, 0.7 s
    for record in RecordStore.open(runs_dir).load():
        assert record.status == "finished"
        assert len(record.sittings) == 2
        assert len(record.histories["test/win_rate/decentralised"][0]) == 10


def test_a_run_that_hangs_twice_has_failed(plan: Plan, runs_dir: Path) -> None:
    outcome = run_plan(plan, runs_dir, 2, trainer="fake_trainer:stop_always")
    assert len(outcome.finished) == 2
    assert [failure.spec.seed for failure in outcome.failed] == [1, 1]
    assert "gave no sign of life for" in outcome.failed[0].reason
    assert "for the second time" in outcome.failed[0].reason


def test_a_run_that_tells_and_does_not_end_has_failed(
    plan: Plan, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staff, "time_limit_seconds", lambda *_: 2.0)
    outcome = run_plan(plan, runs_dir, 2, trainer="fake_trainer:never_end")
    assert len(outcome.finished) == 2
    assert [failure.spec.seed for failure in outcome.failed] == [1, 1]
    reason = "the run had not ended after 2 s, many times what it should take"
    assert {failure.reason for failure in outcome.failed} == {reason}


def test_the_time_limit_is_generous(plan: Plan) -> None:
    """Machines are slower than estimated, shared, and swap; a run of days may take months."""
    run, environment = plan.runs[0], describe("skirmish/3m")
    estimated = run_seconds(run, environment, 1e9)
    assert time_limit_seconds(run, environment, 1e9) == 3600 > 50 * estimated
    training = run.training.model_copy(update={"total_env_steps": 10**7})
    long = run.model_copy(update={"training": training})
    assert time_limit_seconds(long, environment, 1e9) == 50 * run_seconds(long, environment, 1e9)


def test_a_coordinator_that_was_stopped_itself_does_not_blame_its_workers(
    plan: Plan, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock jumps by an hour at every look: as after Ctrl-Z, or a laptop that slept."""
    monkeypatch.setattr(staff, "silence_limit_seconds", lambda *_, has_begun: 3600.0)
    clock = iter(range(0, 10**9, 3600))
    monkeypatch.setattr(staff.time, "monotonic", lambda: float(next(clock)))
    looks = staff.Staff.look_after
    counted: list[float] = []

    def look(self) -> None:
        looks(self)
        counted.extend(worker.silent_seconds for worker in self.workers)

    monkeypatch.setattr(staff.Staff, "look_after", look)
    outcome = run_plan(plan, runs_dir, 2, trainer="fake_trainer:train")
    assert len(outcome.finished) == 4
    assert counted
    assert max(counted) < 360


def test_the_limit_follows_the_runs_own_estimate(plan: Plan) -> None:
    run, environment = plan.runs[0], describe("skirmish/3m")
    begun = silence_limit_seconds(run, environment, 1e11, has_begun=True)
    assert begun == 120.0  # the shortest: a test of 3m takes a fraction of a second
    assert silence_limit_seconds(run, environment, 1e11, has_begun=False) > 300.0
    training = run.training.model_copy(update={"n_test_episodes": 10_000})
    longer = run.model_copy(update={"training": training})
    assert silence_limit_seconds(longer, environment, 1e11, has_begun=True) > 300.0
