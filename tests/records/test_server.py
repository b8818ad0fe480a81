"""On a tracking server runs are recorded and read back as in a runs directory."""

from __future__ import annotations

import json
import math
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import servers

from suite.errors import InputError, StoredDataError
from suite.records import RecordStore, RunRecord, TrackingServer, open_records
from suite.records.database import BusyError, patiently
from suite.records.server import ServerStore
from suite.records.store import Origin
from suite.records.tracking import Connection
from suite.records.writer import RecordWriter
from suite.runs.spec import RunSpec
from suite.study.load import load_study
from suite.study.plan import Plan, expand

NOON = 1_700_000_000_000


@pytest.fixture
def plan(make_study) -> Plan:
    return expand(load_study(make_study()))


@pytest.fixture(params=["folder", "server"])
def place(request: pytest.FixtureRequest) -> Path | TrackingServer:
    """Where records are kept: all of this is true of both."""
    name = "runs_dir" if request.param == "folder" else "tracking"
    found: Path | TrackingServer = request.getfixturevalue(name)
    return found


def points(record: RunRecord) -> dict[str, list[tuple[int, float]]]:
    return {
        key: list(zip(steps.tolist(), values.tolist(), strict=True))
        for key, (steps, values) in record.histories.items()
    }


def test_a_run_comes_back_as_written(place: Path | TrackingServer, plan: Plan) -> None:
    writer, spec = RecordWriter(place, plan), plan.runs[3]
    assert open_records(place).statuses() == {}  # the heading is no run
    writer.begin(spec, {"python": "3.11"}, resuming=False)
    writer.log(spec.run_id, [("a", 200, 0.5, NOON + 1), ("b/c", 100, 1.0, NOON)])
    writer.log(spec.run_id, [("a", 100, 0.25, NOON + 7)])  # a clock may be set back
    assert open_records(place).statuses() == {spec.run_id: "running"}
    writer.finish(spec.run_id, 12.5, "ab" * 32)
    (record,) = open_records(place).load()
    assert (record.run_id, record.status, record.spec) == (spec.run_id, "finished", spec)
    assert (record.provenance, record.elapsed_seconds) == ({"python": "3.11"}, 12.5)
    assert (record.weights_sha256, record.failure) == ("ab" * 32, None)
    assert record.ended is not None
    assert record.ended >= record.started
    assert points(record) == {"a": [(100, 0.25), (200, 0.5)], "b/c": [(100, 1.0)]}
    assert record.histories["a"][0].dtype == np.int64
    assert record.histories["a"][1].dtype == np.float64
    assert open_records(place).times() == {spec.run_id: {100: NOON + 7, 200: NOON + 1}}


def test_values_that_are_no_numbers_survive(place: Path | TrackingServer, plan: Plan) -> None:
    writer, run_id = RecordWriter(place), plan.runs[0].run_id
    writer.begin(plan.runs[0], {}, resuming=False)
    values = [math.nan, math.inf, -math.inf, 1e-300, 0.1 + 0.2]
    writer.log(run_id, [("a", step, value, NOON + step) for step, value in enumerate(values)])
    (record,) = open_records(place).load()
    np.testing.assert_array_equal(record.histories["a"][1], values)
    np.testing.assert_array_equal(open_records(place).histories(run_id)["a"][1], values)


def test_what_is_told_again_is_one_point(place: Path | TrackingServer, plan: Plan) -> None:
    writer, run_id = RecordWriter(place), plan.runs[0].run_id
    writer.begin(plan.runs[0], {"cores": "2"}, resuming=False)
    for _ in range(2):
        writer.log(run_id, [("a", 1, 0.5, NOON), ("a", 2, math.nan, NOON + 1)])
    writer = RecordWriter(place)  # after a kill; the second point is measured again
    writer.begin(plan.runs[0], {"cores": "4"}, resuming=True)
    writer.log(run_id, [("a", 1, 0.5, NOON), ("a", 2, math.nan, NOON + 9_000)])
    (record,) = open_records(place).load()
    assert len(record.histories["a"][0]) == 2
    assert open_records(place).times() == {run_id: {1: NOON, 2: NOON + 1}}
    assert record.sittings == ({"cores": "2"}, {"cores": "4"})


def test_beginning_anew_sets_the_earlier_attempt_aside(
    place: Path | TrackingServer, plan: Plan
) -> None:
    writer, run_id = RecordWriter(place), plan.runs[0].run_id
    writer.begin(plan.runs[0], {}, resuming=False)
    writer.log(run_id, [("a", 50, 1.0, NOON)])
    writer.fail(run_id, "Traceback\nValueError: boom")
    assert [r.failure for r in open_records(place).load()] == ["Traceback\nValueError: boom"]
    again = RecordWriter(place)
    again.begin(plan.runs[0], {}, resuming=False)
    again.log(run_id, [("a", 60, 2.0, NOON)])
    (record,) = open_records(place).load()
    assert (record.status, record.failure) == ("running", None)
    assert points(record) == {"a": [(60, 2.0)]}


def test_sittings_are_those_that_the_checkpoint_knows(
    place: Path | TrackingServer, plan: Plan
) -> None:
    """Also more of them than MLflow takes at once."""
    writer, spec = RecordWriter(place), plan.runs[0]
    for commit in ("a", "left nothing"):
        writer.begin(spec, {"git_commit": commit}, resuming=commit != "a")
    writer.sittings(spec.run_id, [{"git_commit": "lost"}])
    assert [r.sittings for r in open_records(place).load()] == [({"git_commit": "lost"},)]
    many = tuple({"git_commit": str(n)} for n in range(150))
    writer.sittings(spec.run_id, many)
    assert [r.sittings for r in open_records(place).load()] == [many]


def test_passwords_are_not_recorded(place: Path | TrackingServer, plan: Plan) -> None:
    writer, run_id = RecordWriter(place, plan), plan.runs[0].run_id
    writer.begin(plan.runs[0], {"storage": "postgresql://ann:secret@db/x"}, resuming=False)
    writer.sittings(run_id, [{"storage": "postgresql://ann:secret@db/x"}])
    writer.fail(run_id, "Traceback\nOSError: http://ann:secret@host does not answer")
    (record,) = open_records(place).load()
    assert record.failure == "Traceback\nOSError: http://***@host does not answer"
    assert record.sittings == ({"storage": "postgresql://***@db/x"},)
    tags = writer._client.get_run(open_records(place).mlflow_ids()[run_id]).data.tags
    assert "secret" not in str(tags)


def test_mlflows_client_prints_nothing_least_of_all_a_password(
    tracking: TrackingServer, plan: Plan, capfd: pytest.CaptureFixture[str]
) -> None:
    with_password = str(tracking).replace("http://", "http://ann:secret@")
    writer = RecordWriter(TrackingServer.parse(with_password), plan)
    writer.begin(plan.runs[0], {}, resuming=False)
    writer.finish(plan.runs[0].run_id, 1.0, "ab" * 32)
    assert capfd.readouterr() == ("", "")
    assert open_records(tracking).statuses() == {plan.runs[0].run_id: "finished"}


def test_what_is_asked_for_is_loaded(place: Path | TrackingServer, plan: Plan) -> None:
    writer = RecordWriter(place)
    for run in plan.runs:
        writer.begin(run, {}, resuming=False)
    writer.log(plan.runs[1].run_id, [("a", 1, 1.0, NOON)])
    store, ids = open_records(place), [run.run_id for run in plan.runs]
    assert [record.run_id for record in store.load()] == ids
    assert [record.run_id for record in store.load({ids[2], ids[1], "f" * 16})] == ids[1:3]
    assert [record.run_id for record in store.load({"'; DROP TABLE runs", "", "é"})] == []
    assert store.without_metrics() == set(ids) - {ids[1]}
    assert store.load([ids[1]], with_histories=False)[0].histories == {}
    assert set(store.mlflow_ids([ids[0], "f" * 16])) == {ids[0]}
    assert set(store.mlflow_ids()) == set(ids)


def test_where_nothing_was_recorded_readers_say_so(tracking: TrackingServer) -> None:
    with pytest.raises(InputError, match=r"nothing has been recorded here; run a study first"):
        open_records(tracking)
    assert ServerStore(tracking).statuses() == {}


def test_a_deleted_experiment_is_not_trained_again_in_silence(
    tracking: TrackingServer, plan: Plan
) -> None:
    writer = RecordWriter(tracking)
    writer.begin(plan.runs[0], {}, resuming=False)
    writer._client.delete_experiment(writer._experiment_id)
    for use in (open_records, RecordWriter):
        with pytest.raises(StoredDataError, match="was deleted in MLflow, with its runs"):
            use(tracking)
    with pytest.raises(StoredDataError, match=r"was deleted in MLflow .*; restore it"):
        writer.log(plan.runs[0].run_id, [("a", 1, 0.5, NOON)])
    writer._client.restore_experiment(writer._experiment_id)
    assert list(open_records(tracking).statuses()) == [plan.runs[0].run_id]


def test_a_run_deleted_meanwhile_is_called_so(place: Path | TrackingServer, plan: Plan) -> None:
    writer, run_id = RecordWriter(place), plan.runs[0].run_id
    writer.begin(plan.runs[0], {}, resuming=False)
    writer._client.delete_run(open_records(place).mlflow_ids()[run_id])
    with pytest.raises(StoredDataError, match="a run was deleted in MLflow meanwhile; restore it"):
        writer.log(run_id, [("a", 1, 0.5, NOON)])


def test_a_renamed_experiment_keeps_its_runs(tracking: TrackingServer, plan: Plan) -> None:
    writer = RecordWriter(tracking)
    writer.begin(plan.runs[0], {}, resuming=False)
    writer._client.rename_experiment(writer._experiment_id, f"my thesis {writer._experiment_id}")
    assert list(open_records(tracking).statuses()) == [plan.runs[0].run_id]
    assert RecordWriter(tracking)._experiment_id == writer._experiment_id


def test_both_readers_tell_the_same_of_one_database(
    running_server: servers.MlflowServer, tracking: TrackingServer, make_study
) -> None:
    # Runs of no other test: a runs directory is read whatever its experiments are called.
    plan = expand(load_study(make_study(("seeds = [1, 2]", "seeds = [71, 72]"))))
    writer = RecordWriter(tracking, plan)
    for n, run in enumerate(plan.runs):
        writer.begin(run, {"n": str(n)}, resuming=False)
        told = [(key, s, s / (n + 3), NOON + s) for key in ("test/a", "train/b") for s in range(40)]
        writer.log(run.run_id, told)
    writer.finish(plan.runs[0].run_id, 1.25, "cd" * 32)
    writer.fail(plan.runs[1].run_id, "boom")
    writer.prune(plan.runs[2].run_id, "hopeless")
    origin = Origin("a.pack", "ab" * 32, None, with_weights=False)
    mlflow_id = writer._mlflow_ids[plan.runs[3].run_id]
    writer._client.set_tag(mlflow_id, "cadp.import", json.dumps(asdict(origin)))
    ids = [run.run_id for run in plan.runs]
    remote, local = ServerStore.open(tracking), RecordStore.open(running_server.folder)
    assert remote.mlflow_ids(ids) == local.mlflow_ids(ids)
    assert remote.times(ids) == local.times(ids)
    assert remote.imported_without_weights() == {ids[3]}
    summaries = remote.summaries()
    assert {run_id: summaries[run_id] for run_id in ids} == {
        run_id: one for run_id, one in local.summaries().items() if run_id in ids
    }
    assert [summaries[run_id].status for run_id in ids[:3]] == ["finished", "failed", "pruned"]
    for ours, theirs in zip(remote.load(ids), local.load(ids), strict=True):
        assert points(ours) == points(theirs)
        ours.histories.clear()
        theirs.histories.clear()
        assert ours == theirs


def test_longer_histories_than_one_answer_holds(
    tracking: TrackingServer, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many runs at once by halves, of one in pages."""
    monkeypatch.setattr("suite.records.server._MOST_POINTS", 50)
    monkeypatch.setattr("suite.records.server._RUNS_A_PAGE", 3)
    writer = RecordWriter(tracking)
    lengths = {run.run_id: n for run, n in zip(plan.runs, (20, 120, 50, 5), strict=True)}
    for run in plan.runs:
        writer.begin(run, {}, resuming=False)
        writer.log(run.run_id, [("a", s, 0.5, NOON + s) for s in range(lengths[run.run_id])])
    loaded = {record.run_id: record for record in open_records(tracking).load()}
    assert {key: len(record.histories["a"][0]) for key, record in loaded.items()} == lengths
    np.testing.assert_array_equal(loaded[plan.runs[1].run_id].histories["a"][0], np.arange(120))


def test_two_machines_write_at_the_same_time(tracking: TrackingServer, make_study) -> None:
    """Each its own runs, then each goes on with the other's."""
    plan = expand(load_study(make_study(("seeds = [1, 2]", "seeds = [1, 2, 3, 4]"))))
    halves = (plan.runs[::2], plan.runs[1::2])
    failures: list[BaseException] = []

    def work(first: tuple[RunSpec, ...], then: tuple[RunSpec, ...]) -> None:
        try:
            writer = RecordWriter(tracking, plan)
            for runs, resuming in ((first, False), (then, True)):
                for run in runs:
                    writer.begin(run, {"resuming": str(resuming)}, resuming=resuming)
                    writer.log(run.run_id, [("a", 1 + resuming, 0.5, NOON + resuming)])
                both.wait(60)
            for run in then:
                writer.finish(run.run_id, 1.0, "ab" * 32)
        except BaseException as error:
            failures.append(error)
            both.abort()

    both = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=pair) for pair in (halves, halves[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    records = open_records(tracking).load()
    assert [record.status for record in records] == ["finished"] * 8
    for record in records:
        assert points(record) == {"a": [(1, 0.5), (2, 0.5)]}
        assert [one["resuming"] for one in record.sittings] == ["False", "True"]


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[servers.MlflowServer]:
    """A server to be killed."""
    servers.require_mlflow_server()
    with servers.mlflow_server(tmp_path) as server:
        yield server


def test_a_server_that_is_killed_and_comes_back_is_waited_for(
    own_server: servers.MlflowServer, plan: Plan
) -> None:
    tracking, run = TrackingServer.parse(own_server.address), plan.runs[0]
    writer, reader = RecordWriter(tracking, plan), ServerStore(tracking)
    lines: list[str] = []

    def come_back(seconds: float) -> None:
        lines.append("pause")
        own_server.start()

    writer.begin(run, {"sitting": "1"}, resuming=False)
    for action in (lambda: writer.log(run.run_id, [("a", 1, 0.5, NOON)]), reader.statuses):
        own_server.kill()
        lines.clear()
        patiently(action, lines.append, sleep=come_back)
        assert [line for line in lines if line != "pause"] == [
            line for line in lines if f"{own_server.address}: does not answer (" in line
        ]
        assert lines.count("pause") == 1
    writer.finish(run.run_id, 1.0, "ab" * 32)
    (record,) = reader.load()
    assert (record.status, points(record)) == ("finished", {"a": [(1, 0.5)]})


def test_what_was_done_before_its_answer_was_lost_is_not_done_twice(
    tracking: TrackingServer, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network is cut after the server has done what it was asked, at each request in turn.

    Two sittings of a run, of which the first has told one point and the second tells both.
    """
    import requests

    run, send = plan.runs[0], requests.Session.send
    writer = RecordWriter(tracking, plan)
    answers = iter(range(10**6))
    cut = {"at": -1}

    def send_and_lose(self: requests.Session, request: object, **how: object) -> object:
        answer = send(self, request, **how)
        if next(answers) == cut["at"]:
            raise requests.ConnectionError("the network is down")
        return answer

    monkeypatch.setattr(requests.Session, "send", send_and_lose)

    n_requests = 0
    for at in range(100):
        answers, cut["at"] = iter(range(10**6)), at
        n_lost: list[str] = []
        for action in (
            lambda: writer.begin(run, {"sitting": "1"}, resuming=False),
            lambda: writer.log(run.run_id, [("a", 1, 0.5, NOON)]),
            lambda: writer.begin(run, {"sitting": "2"}, resuming=True),
            lambda: writer.log(run.run_id, [("a", 1, 0.5, NOON), ("a", 2, 0.75, NOON + 1)]),
            lambda: writer.finish(run.run_id, 1.0, "ab" * 32),
        ):
            patiently(action, n_lost.append, sleep=lambda seconds: None)
        if not n_lost:
            n_requests = at
            break
        cut["at"] = -1
        (stored,) = ServerStore(tracking).load()
        assert (stored.status, points(stored)) == ("finished", {"a": [(1, 0.5), (2, 0.75)]})
        assert stored.sittings == ({"sitting": "1"}, {"sitting": "2"})
    assert 10 < n_requests < 60
    monkeypatch.undo()
    running = {"experiment_ids": [writer._experiment_id], "filter": "attributes.status = 'RUNNING'"}
    assert "runs" not in Connection(tracking).post("/api/2.0/mlflow/runs/search", running)


def test_a_server_that_is_away_ends_a_reader_at_once(plan: Plan) -> None:
    nobody = TrackingServer.parse(f"http://127.0.0.1:{servers.free_port()}")
    for use in (open_records, RecordWriter):
        with pytest.raises(BusyError, match=r"does not answer \(.*Connection refused"):
            use(nobody)


@pytest.mark.skipif(servers.why_no_postgres() is not None, reason=str(servers.why_no_postgres()))
def test_a_server_on_postgresql(tmp_path: Path, plan: Plan) -> None:
    servers.require_mlflow_server()
    pytest.importorskip("psycopg", reason="the extra `server` is not installed")
    with servers.postgres() as database, servers.mlflow_server(tmp_path, database) as server:
        tracking = TrackingServer.parse(server.address)
        writer = RecordWriter(tracking, plan)
        for run in plan.runs:
            writer.begin(run, {"python": sys.version}, resuming=False)
            values = [math.nan, -math.inf, 0.1 + 0.2]
            writer.log(run.run_id, [("a", s, value, NOON + s) for s, value in enumerate(values)])
            writer.log(run.run_id, [("a", s, value, NOON + s) for s, value in enumerate(values)])
            writer.finish(run.run_id, 1.0, "ab" * 32)
        records = open_records(tracking).load()
        assert [record.status for record in records] == ["finished"] * 4
        for record in records:
            np.testing.assert_array_equal(record.histories["a"][1], values)
