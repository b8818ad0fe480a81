"""Cohorts of several runs: formed, interrupted, resumed as they were, cleaned up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from suite.errors import InputError
from suite.records import RecordStore
from suite.runs.cohorts import cohort_id
from suite.runs.directory import RunsDirectory
from suite.scheduling import recovery
from suite.scheduling.cohorts import form_cohorts, ids_of, resumable
from suite.scheduling.coordinator import Outcome, run_plan
from suite.scheduling.display import SilentDisplay
from suite.scheduling.recovery import FoundCheckpoint
from suite.study.load import load_study
from suite.study.plan import Plan, expand

FAILS_IN_TRAINING = 111
TRAINER = "fake_trainer:train_together"


@pytest.fixture
def plan_of(make_study):
    """One arm with the seeds given: runs that may share a cohort."""

    def make(*seeds: int) -> Plan:
        changes = [
            ("seeds = [1, 2]", f"seeds = {list(seeds)}"),
            ('arms = ["qmix", "cadp_qmix"]', 'arms = ["qmix"]'),
            ("pruning_start_fraction = [0.5]", ""),
        ]
        return expand(load_study(make_study(*changes)))

    return make


class Notes(SilentDisplay):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.called_finished: list[str] = []

    def begin(self, tracker) -> None:
        self.tracker = tracker

    def notice(self, line: str) -> None:
        self.lines.append(line)

    def finished(self, run, elapsed_seconds: float) -> None:
        self.called_finished.append(run.spec.run_id)


class Interrupt(Notes):
    """Ctrl-C when a test has been seen and so many runs have been called finished."""

    def __init__(self, test: int, n_finished: int) -> None:
        super().__init__()
        self.step, self.n_finished = 100 * test, n_finished

    def refresh(self) -> None:
        has_come = any(run.env_steps >= self.step for run in self.tracker.current.values())
        if has_come and len(self.called_finished) == self.n_finished:
            raise KeyboardInterrupt


def train(plan: Plan, runs_dir: Path, display=None, **more) -> Outcome:
    return run_plan(plan, runs_dir, 1, display, **{"trainer": TRAINER, "cohort_size": 3} | more)


def interrupted(plan: Plan, runs_dir: Path, test: int, n_finished: int = 0) -> Interrupt:
    """The trainer waits after a test of its cohort, and is interrupted there."""
    display, hold = Interrupt(test, n_finished), runs_dir / "hold.txt"
    hold.write_text(str(test))
    with pytest.raises(KeyboardInterrupt):
        train(plan, runs_dir, display)
    hold.unlink()
    return display


def handed(runs_dir: Path) -> list[list[str]]:
    """Per cohort that a worker took up: tests done before, ids, `*` where recorded already."""
    return [line.split() for line in (runs_dir / "cohorts.txt").read_text().splitlines()]


def ids(plan: Plan) -> list[str]:
    return [run.run_id for run in plan.runs]


def histories(runs_dir: Path) -> dict[str, dict[str, list[list[float]]]]:
    return {
        record.run_id: {key: np.array(value).tolist() for key, value in record.histories.items()}
        for record in RecordStore.open(runs_dir).load()
    }


def left_behind(runs_dir: Path) -> list[str]:
    return sorted(path.name for path in RunsDirectory(runs_dir).checkpoints_folder.iterdir())


def test_cohorts_are_formed_of_runs_of_one_shape(make_study) -> None:
    plan = expand(load_study(make_study(("seeds = [1, 2]", "seeds = [1, 2, 3]"))))
    formed = form_cohorts(plan.runs, (), (), 2)
    told = [[(run.arm, run.seed) for run in cohort] for cohort in formed]
    assert told == [
        [("qmix", 1), ("qmix", 2)],
        [("cadp_qmix", 1), ("cadp_qmix", 2)],
        [("qmix", 3)],
        [("cadp_qmix", 3)],
    ]
    alone = form_cohorts(plan.runs, {plan.runs[2].run_id}, (), 1)
    assert [run for (run,) in alone] == [*plan.runs[:2], *plan.runs[3:]]


def test_an_interrupted_cohort_stays_what_it_was(plan_of) -> None:
    plan = plan_of(1, 2, 3, 4, 5)
    one, two, three, four, five = plan.runs
    checkpoint = found(three.run_id, one.run_id)
    cohorts = form_cohorts(plan.runs, {one.run_id}, [checkpoint], 2)
    assert cohorts == [(two, four), (three, one), (five,)]


def found(*run_ids: str) -> FoundCheckpoint:
    return FoundCheckpoint(Path(cohort_id(run_ids)), run_ids, None)


def test_which_checkpoints_can_be_resumed() -> None:
    """Those that a plan has all runs of; of two that share a run the larger."""
    small, large, foreign, single = found("a"), found("a", "b"), found("c", "z"), found("d")
    checkpoints = [small, large, foreign, single]
    assert resumable(checkpoints, {"a", "b", "c", "d"}) == [large, single]
    assert resumable(checkpoints, {"a", "c"}) == [small]


def test_a_cohort_is_trained_recorded_and_cleared(plan_of, runs_dir: Path) -> None:
    plan = plan_of(1, 2, 3, 4)
    outcome = train(plan, runs_dir)
    assert sorted(outcome.finished) == sorted(ids(plan))
    assert handed(runs_dir) == [["0", *ids(plan)[:3]], ["0", ids(plan)[3]]]
    assert left_behind(runs_dir) == []


@pytest.mark.parametrize(
    ("test", "n_finished"),
    [(1, 0), (5, 0), (6, 1), (7, 1), (8, 2)],
    ids=["at its beginning", "half way", "one has ended", "and training goes on", "two have ended"],
)
def test_a_cohort_is_resumed_as_it_was(plan_of, runs_dir: Path, test: int, n_finished: int) -> None:
    plan = plan_of(1, 2, 3)
    display = interrupted(plan, runs_dir, test, n_finished)
    assert display.called_finished == ids(plan)[:n_finished]
    assert left_behind(runs_dir) == [f"{cohort_id(ids(plan))}.ckpt"]
    notes = Notes()
    outcome = train(plan, runs_dir, notes)
    assert outcome.finished_before == ids(plan)[:n_finished]
    assert outcome.finished == ids(plan)[n_finished:]
    first, second = handed(runs_dir)
    assert (first[0], second[0]) == ("0", str(test))
    assert second[1:] == [f"{one}*" for one in ids(plan)[:n_finished]] + ids(plan)[n_finished:]
    n = 3 - n_finished
    assert f"{n} run{'s' * (n > 1)} to resume from a checkpoint" in notes.lines
    assert left_behind(runs_dir) == []
    for n, run_id in enumerate(ids(plan)):
        steps = [100.0 * number for number in range(1, 7 + 2 * n)]
        assert histories(runs_dir)[run_id]["test/win_rate/decentralised"][0] == steps
    records = {record.run_id: record for record in RecordStore.open(runs_dir).load()}
    n_sittings = [len(records[run_id].sittings) for run_id in ids(plan)]
    assert n_sittings == [1] * n_finished + [2] * (3 - n_finished)


def test_a_cohort_interrupted_again_and_again(plan_of, runs_dir: Path) -> None:
    plan = plan_of(1, 2, 3)
    for moment in ((2, 0), (4, 0), (6, 1), (8, 1)):
        interrupted(plan, runs_dir, *moment)
    assert len(train(plan, runs_dir).finished) == 1
    assert len({tuple(one.strip("*") for one in line[1:]) for line in handed(runs_dir)}) == 1
    assert left_behind(runs_dir) == []


def test_cohorts_of_another_size_are_resumed_all_the_same(plan_of, runs_dir: Path) -> None:
    plan = plan_of(1, 2, 3)
    interrupted(plan, runs_dir, 3)
    train(plan, runs_dir, cohort_size=1)
    assert handed(runs_dir)[1][1:] == ids(plan)
    assert left_behind(runs_dir) == []


def test_a_kill_between_the_last_record_and_the_deletion(plan_of, runs_dir: Path) -> None:
    plan = plan_of(1, 2, 3)
    interrupted(plan, runs_dir, 8, 2)
    path = RunsDirectory(runs_dir).checkpoint_path(ids(plan))
    content = path.read_bytes()
    train(plan, runs_dir)
    path.write_bytes(content)
    assert train(plan, runs_dir).finished_before == ids(plan)
    assert len(handed(runs_dir)) == 2
    assert left_behind(runs_dir) == []


def test_a_member_that_fails_in_training_leaves_no_checkpoint(plan_of, runs_dir: Path) -> None:
    """Nothing is left to resume: it is tried again alone, from its beginning."""
    plan = plan_of(1, FAILS_IN_TRAINING, 3)
    outcome = train(plan, runs_dir)
    assert [failure.reason for failure in outcome.failed] == ["diverged"]
    assert left_behind(runs_dir) == []
    train(plan, runs_dir)
    assert handed(runs_dir)[1] == ["0", ids(plan)[1]]


def test_a_member_that_had_failed_ends_again_when_its_cohort_is_resumed(
    plan_of, runs_dir: Path
) -> None:
    plan = plan_of(FAILS_IN_TRAINING, 2, 3)
    interrupted(plan, runs_dir, 8, 1)
    outcome = train(plan, runs_dir)
    assert [failure.reason for failure in outcome.failed] == ["diverged"]
    assert outcome.finished == ids(plan)[2:]
    assert left_behind(runs_dir) == []


def test_where_all_have_failed_the_checkpoint_stays(plan_of, runs_dir: Path) -> None:
    plan = plan_of(FAILS_IN_TRAINING)
    for _ in range(2):
        assert len(train(plan, runs_dir).failed) == 1
        assert left_behind(runs_dir) == [f"{ids(plan)[0]}.ckpt"]


def test_a_silent_cohort_is_resumed_without_those_that_have_finished(
    plan_of, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from suite.scheduling import staff

    def limit(*_: object, has_begun: bool) -> float:
        return 1.0 if has_begun else 20.0  # of each member

    monkeypatch.setattr(staff, "silence_limit_seconds", limit)
    plan, notes = plan_of(1, 2, 3), Notes()
    outcome = train(plan, runs_dir, notes, trainer="fake_trainer:stop_together_once")
    assert outcome.failed == []
    assert outcome.finished == ids(plan)
    assert sum("gave no sign of life" in line for line in notes.lines) == 2
    assert handed(runs_dir)[1][1:] == [f"{ids(plan)[0]}*", *ids(plan)[1:]]
    assert left_behind(runs_dir) == []


def test_runs_of_a_cohort_that_a_smaller_plan_has_not(plan_of, runs_dir: Path) -> None:
    """They keep their checkpoint; the plan's own runs are trained anew, and that is said."""
    plan = plan_of(1, 2, 3)
    interrupted(plan, runs_dir, 3)
    path, smaller, notes = (
        RunsDirectory(runs_dir).checkpoint_path(ids(plan)),
        plan_of(1, 2),
        Notes(),
    )
    assert len(train(smaller, runs_dir, notes).finished) == 2
    assert handed(runs_dir)[1] == ["0", *ids(smaller)]
    assert [line for line in notes.lines if str(path) in line] == [
        f"2 runs trained anew: in {path} together with others that this study has not, or goes on "
        "with in another checkpoint"
    ]
    assert left_behind(runs_dir) == [path.name]
    outcome = train(plan_of(1, 2, 3), runs_dir)
    assert outcome.finished == ids(plan)[2:]
    assert handed(runs_dir)[2][1:] == [*(f"{one}*" for one in ids(smaller)), ids(plan)[2]]
    assert left_behind(runs_dir) == []


def test_cohorts_begun_with_other_code(
    plan_of, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(1, 2, 3)
    interrupted(plan, runs_dir, 6, 1)
    now = {**recovery.numerics(), "training_code": "another"}
    monkeypatch.setattr(recovery, "numerics", lambda: now)
    with pytest.raises(InputError, match="2 interrupted runs were begun with other code"):
        train(plan, runs_dir)
    assert len(train(plan, runs_dir, if_changed="restart").finished) == 2
    assert handed(runs_dir)[1] == ["0", *ids(plan)[1:]]
    assert left_behind(runs_dir) == []


def test_a_damaged_checkpoint_is_told(plan_of, runs_dir: Path) -> None:
    """By the worker where its name is a cohort's; else its runs are trained anew, and it stays."""
    plan = plan_of(1, 2, 3)
    interrupted(plan, runs_dir, 3)
    path = RunsDirectory(runs_dir).checkpoint_path(ids(plan))
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert recovery.find_checkpoints(RunsDirectory(runs_dir))[0].header is None
    notes = Notes()
    assert len(train(plan, runs_dir, notes, cohort_size=2).finished) == 3
    assert f"{path}: damaged or renamed, so that its runs are not known" in notes.lines
    assert left_behind(runs_dir) == [path.name]


def test_a_renamed_checkpoint_is_not_taken_for_another(plan_of, runs_dir: Path) -> None:
    plan = plan_of(1, 2, 3)
    interrupted(plan, runs_dir, 3)
    directory = RunsDirectory(runs_dir)
    path = directory.checkpoint_path(ids(plan)[:1])
    directory.checkpoint_path(ids(plan)).rename(path)
    (one,) = recovery.find_checkpoints(directory)
    assert (one.run_ids, one.header) == ((ids(plan)[0],), None)


def test_ids_keep_the_order_of_the_cohort(plan_of) -> None:
    runs = plan_of(2, 1).runs
    assert ids_of(runs) == (runs[0].run_id, runs[1].run_id)
