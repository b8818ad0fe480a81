"""The training loop: one seed one result, resumed or not, alone or in company."""

import json
import math
import os
import re
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from suite.algorithms import arm_settings
from suite.environments import backend_of, describe
from suite.errors import StoredDataError
from suite.records.provenance import numerics
from suite.runs.directory import RunsDirectory
from suite.runs.protocol import TrainingProtocol
from suite.runs.spec import RunSpec
from suite.training import cohort as cohort_module
from suite.training import train as train_module
from suite.training.checkpoint import read_checkpoint, read_header, write_checkpoint
from suite.training.events import Failed, Finished, Measured, Progress, RunEvent, Sittings
from suite.training.train import train_cohort
from suite.training.weights import read_weights

SMALL = TrainingProtocol(
    total_env_steps=900,
    test_interval_env_steps=300,
    n_test_episodes=4,
    batch_size_episodes=4,
    buffer_size_episodes=12,  # small enough to wrap round
    target_update_interval_episodes=5,
    epsilon_anneal_env_steps=400,
)


def run_spec(seed=1, scenario="skirmish/3m", training=SMALL, **changes):
    values = {
        "scenario": scenario,
        "arm": "cadp_qmix",
        "algorithm": arm_settings(framework="cadp", backbone="qmix"),
        "training": training,
        "alpha": 0.5,
        "pruning_start_env_steps": 400,
        "seed": seed,
        "environment_version": describe(scenario).backend_version,
    }
    return RunSpec(**(values | changes))


class Events(list):
    def histories(self):
        points = {}
        for event in self:
            if isinstance(event, Measured):
                for key, step, value, _ in event.points:
                    points.setdefault(event.run_id, {})[key, step] = value
        return points

    def finished(self):
        return [event.run_id for event in self if isinstance(event, Finished)]


def train(runs, directory):
    events = Events()
    train_cohort(runs, directory, events.append)
    return events


class Killed(BaseException):
    pass


def train_until(runs, directory, n_events):
    """Die in the middle, as a kill would: nothing after the n-th event happens."""
    events = Events()

    def emit(event):
        events.append(event)
        if len(events) == n_events:
            raise Killed

    with pytest.raises(Killed):
        train_cohort(runs, directory, emit)
    return events


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    spec = run_spec()
    return spec, train([spec], tmp_path_factory.mktemp("whole"))


def test_a_run_records_what_architecture_promises(whole):
    spec, events = whole
    assert events.finished() == [spec.run_id]
    keys = {key for key, _ in events.histories()[spec.run_id]}
    for mode in ("centralised", "decentralised"):
        assert {f"test/win_rate/{mode}", f"test/return/{mode}"} <= keys
    assert {"train/loss_td", "train/loss_pruning", "train/self_attention", "train/epsilon"} <= keys
    steps = sorted({step for _, step in events.histories()[spec.run_id]})
    assert steps[-1] > SMALL.total_env_steps  # the trained model itself is tested
    assert len(steps) >= 4


def test_same_seed_same_result_other_seed_other_result(whole, tmp_path):
    spec, events = whole
    assert train([spec], tmp_path / "again").histories() == events.histories()
    other = run_spec(seed=2)
    assert (
        train([other], tmp_path / "other").histories()[other.run_id]
        != events.histories()[spec.run_id]
    )


@pytest.mark.parametrize("n_events", [2, 9, 25])
def test_killed_and_resumed_is_bit_identical(whole, tmp_path, monkeypatch, n_events):
    monkeypatch.setattr(train_module, "CHECKPOINT_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(train_module, "PROGRESS_INTERVAL_SECONDS", 0.0)
    spec, events = whole
    train_until([spec], tmp_path, n_events)
    resumed = train([spec], tmp_path)
    assert resumed.histories() == events.histories()  # exact floats, whole history again
    assert resumed.finished() == [spec.run_id]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A cohort of three runs that end after different numbers of episodes, and what it tells."""
    runs = [run_spec(seed=1), run_spec(seed=5, alpha=2.0), run_spec(seed=6)]
    directory = tmp_path_factory.mktemp("three")
    return runs, train(runs, directory), weights_of(runs, directory)


def weights_of(runs, directory):
    paths = [RunsDirectory(directory).weights_path(run.run_id) for run in runs]
    return [path.read_bytes() if path.exists() else None for path in paths]


@pytest.mark.parametrize(("n_events", "n_checkpoints"), [(4, 0), (40, 1), (90, 1)])
def test_a_cohort_killed_and_resumed_is_bit_identical(
    three, tmp_path, monkeypatch, n_events, n_checkpoints
):
    monkeypatch.setattr(train_module, "CHECKPOINT_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(train_module, "PROGRESS_INTERVAL_SECONDS", 0.0)
    runs, events, weights = three
    train_until(runs, tmp_path, n_events)
    headers = [read_header(path) for path in RunsDirectory(tmp_path).checkpoint_paths()]
    assert [h.run_ids for h in headers] == [tuple(run.run_id for run in runs)] * n_checkpoints
    resumed = train(runs, tmp_path)
    assert resumed.histories() == events.histories()
    assert resumed.finished() == events.finished()
    assert weights_of(runs, tmp_path) == weights


@pytest.mark.parametrize("n_finished", [1, 2])
def test_members_that_are_recorded_are_not_told_again(three, tmp_path, n_finished):
    """Killed when some had finished: the others go on in the same cohort, to the same results."""
    runs, events, weights = three
    places = [n for n, event in enumerate(events) if isinstance(event, Finished)]
    assert len(set(places)) == 3
    kinds = [type(event) for event in events]
    assert kinds[places[0] : places[1]].count(Progress) > 3  # training goes on between
    done = set()

    def emit(event):
        if isinstance(event, Finished):
            done.add(event.run_id)
            if len(done) == n_finished:
                raise Killed

    with pytest.raises(Killed):
        train_cohort(runs, tmp_path, emit)
    for run_id in done:
        RunsDirectory(tmp_path).weights_path(run_id).unlink()
    resumed = Events()
    train_cohort(runs, tmp_path, resumed.append, recorded=done)
    told = {event.run_id for event in resumed if isinstance(event, RunEvent)}
    assert told == {run.run_id for run in runs} - done
    for run_id, history in resumed.histories().items():
        assert history == events.histories()[run_id]
    written = [None if run.run_id in done else w for run, w in zip(runs, weights, strict=True)]
    assert weights_of(runs, tmp_path) == written


@pytest.mark.parametrize("place", [0, -1], ids=["the first to end", "the last"])
def test_a_member_recorded_elsewhere_meanwhile_is_neither_told_nor_written(
    three, tmp_path, monkeypatch, place
):
    """Its weights, which are another cohort's to the last digits, stay what they are.

    Nobody waits for its end either.
    """
    monkeypatch.setattr(train_module, "CHECKPOINT_INTERVAL_SECONDS", 0.0)
    runs, events, _ = three
    elsewhere = events.finished()[place]
    assert train_until(runs, tmp_path, 8).finished() == []
    resumed = Events()
    train_cohort(runs, tmp_path, resumed.append, recorded={elsewhere})
    assert resumed.finished() == [one for one in events.finished() if one != elsewhere]
    assert elsewhere not in resumed.histories()
    assert not RunsDirectory(tmp_path).weights_path(elsewhere).exists()
    header, content = read_checkpoint(RunsDirectory(tmp_path).checkpoint_paths()[0])
    members = zip(header.run_ids, json.loads(content["progress"]), strict=True)
    unfinished = [run_id for run_id, member in members if not member["finished"]]
    assert unfinished == ([] if place == 0 else [elsewhere])


def test_where_episodes_cannot_be_replayed_they_are_stored(whole, tmp_path, monkeypatch):
    """Nothing is played again: the checkpoint holds what was seen."""
    monkeypatch.setattr(train_module, "CHECKPOINT_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(train_module, "PROGRESS_INTERVAL_SECONDS", 0.0)
    spec, events = whole
    monkeypatch.setattr(type(backend_of(spec.scenario)), "replays_exactly", False)
    train_until([spec], tmp_path, 9)
    _, content = read_checkpoint(tmp_path / "checkpoints" / f"{spec.run_id}.ckpt")
    assert "actions" not in content["memory"]
    resumed = train([spec], tmp_path)
    assert resumed.histories() == events.histories()


def test_resuming_continues_instead_of_repeating(tmp_path, monkeypatch):
    monkeypatch.setattr(train_module, "CHECKPOINT_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(train_module, "PROGRESS_INTERVAL_SECONDS", 0.0)
    spec = run_spec()
    before = train_until([spec], tmp_path, 20)
    reached = max(e.env_steps for e in before if isinstance(e, Progress))
    resumed = train([spec], tmp_path)
    first = next(e for e in resumed if isinstance(e, Progress))
    assert first.env_steps >= reached


def test_a_member_does_not_depend_on_its_cohort(tmp_path):
    # Exploring always, so that a rounding difference in a value cannot turn into another battle.
    training = SMALL.model_copy(update={"epsilon_finish": 1.0})
    spec = run_spec(training=training)
    others = [
        run_spec(training=training, seed=5, alpha=2.0),
        run_spec(training=training, seed=6, pruning_start_env_steps=0),
    ]
    together = train([others[0], spec, others[1]], tmp_path / "together")
    assert sorted(together.finished()) == sorted(run.run_id for run in [spec, *others])
    alone = train([spec], tmp_path / "alone").histories()[spec.run_id]
    shared = together.histories()[spec.run_id]
    assert alone.keys() == shared.keys()
    trained = [point for point in alone if point[0].startswith("train/")]
    assert len(trained) > 20
    for point in trained:
        # Products of other shapes round differently in the last digits; nothing more may differ.
        assert shared[point] == pytest.approx(alone[point], rel=2e-3, abs=1e-5), point


def test_baselines_have_one_execution_mode(tmp_path):
    spec = run_spec(
        scenario="matrix/climbing",
        algorithm=arm_settings(framework="ctde", backbone="vdn"),
        alpha=None,
        pruning_start_env_steps=None,
        training=SMALL.model_copy(update={"total_env_steps": 60}),
    )
    keys = {key for key, _ in train([spec], tmp_path).histories()[spec.run_id]}
    assert "test/return/decentralised" in keys
    assert not any("centralised" in key and "decentralised" not in key for key in keys)


def test_foreign_checkpoint_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(train_module, "CHECKPOINT_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(train_module, "PROGRESS_INTERVAL_SECONDS", 0.0)
    spec, other = run_spec(), run_spec(seed=3)
    train_until([spec], tmp_path, 10)
    directory = tmp_path / "checkpoints"
    (directory / f"{spec.run_id}.ckpt").rename(directory / f"{other.run_id}.ckpt")
    with pytest.raises(StoredDataError, match="other runs"):
        train([other], tmp_path)


def test_a_checkpoint_of_other_code_is_refused_unless_accepted(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(train_module, "CHECKPOINT_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(train_module, "PROGRESS_INTERVAL_SECONDS", 0.0)
    spec, events = whole
    train_until([spec], tmp_path, 9)
    other = {**numerics(), "numba": "0.1"}
    monkeypatch.setattr(cohort_module, "numerics", lambda: other)
    with pytest.raises(StoredDataError, match=rf"numba was {numerics()['numba']}, is 0.1.*--if-ch"):
        train([spec], tmp_path)
    resumed = Events()
    train_cohort([spec], tmp_path, resumed.append, accepts_changed_code=True)
    assert resumed.histories() == events.histories()


def test_the_checkpoint_keeps_every_sitting(tmp_path, monkeypatch):
    """Also where records have lost them; "b" was killed before it left a checkpoint."""
    monkeypatch.setattr(train_module, "CHECKPOINT_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(train_module, "PROGRESS_INTERVAL_SECONDS", 0.0)
    spec = run_spec()

    def sit(commit, n_events=None, kind=()):
        events = Events()

        def emit(event):
            events.append(event)
            if len(events) == n_events or isinstance(event, kind):
                raise Killed

        with suppress(Killed):
            train_cohort([spec], tmp_path, emit, sittings={spec.run_id: {"git_commit": commit}})
        return [list(event.sittings) for event in events if isinstance(event, Sittings)]

    assert sit("a", 9) == []
    assert sit("b", kind=Sittings) == [[{"git_commit": "a"}, {"git_commit": "b"}]]
    assert sit("c", 20) == [[{"git_commit": "a"}, {"git_commit": "c"}]]
    header = read_header(tmp_path / "checkpoints" / f"{spec.run_id}.ckpt")
    assert [dict(s) for s in header.sittings[spec.run_id]] == [{"git_commit": c} for c in "ac"]
    assert header.commit == "c"


def changed(**changes):
    """A change of the first member's progress."""

    def change(content):
        members = json.loads(content["progress"])
        members[0] |= changes
        content["progress"] = json.dumps(members)

    return change


def with_point(*point, measured=1):
    def change(content):
        members = json.loads(content["progress"])
        members[0]["history"].append([*point, measured])
        content["progress"] = json.dumps(members)

    return change


def in_replay(**changes):
    def change(content):
        content["memory"] |= {key: value(content["memory"][key]) for key, value in changes.items()}

    return change


CRAFTED = {
    "elapsed nan": lambda c: c.update(elapsed_seconds=math.nan),
    "elapsed below 0": lambda c: c.update(elapsed_seconds=-5e9),
    "elapsed text": lambda c: c.update(elapsed_seconds="x"),
    "no learner": lambda c: c["algorithm"].pop("learner"),
    "no algorithm": lambda c: c.pop("algorithm"),
    "no members": lambda c: c.update(progress="[]"),
    "two members": lambda c: c.update(progress=json.dumps(json.loads(c["progress"]) * 2)),
    "progress no json": lambda c: c.update(progress="{"),
    "steps below 0": changed(env_steps=-1_000_000),
    "steps text": changed(env_steps="5"),
    "steps not whole": changed(env_steps=700.5),
    "steps beyond the end": changed(env_steps=10**6),
    "updates missing": changed(n_updates=None),
    "finished as text": changed(finished="no"),
    "finished half way": changed(finished=True),
    "failed": changed(failure="x"),
    "failure a number": changed(failure=5),
    "history a table": changed(history={}),
    "history of numbers": changed(history=[5]),
    "history too short": changed(history=[["test/a", 1]]),
    "history without times": changed(history=[["test/a", 1, 0.5]]),
    "measured before 1970": with_point("test/return/decentralised", 1, 1.0, measured=-1),
    "measured at a word": with_point("test/return/decentralised", 1, 1.0, measured="noon"),
    "running empty": changed(running={"train/loss_td": [1.0, 0]}),
    "value text": with_point("test/return/decentralised", 1, "x"),
    "value null": with_point("test/return/decentralised", 1, None),
    "step 1e30": with_point("test/return/decentralised", 1e30, 1.0),
    "step ahead": with_point("test/return/decentralised", 10**9, 1.0),
    "odd key": with_point("; DROP TABLE", 1, 1.0),
    "long key": with_point("test/" + "a" * 500, 1, 1.0),
    "win rate of 2": with_point("test/win_rate/decentralised", 400, 2.0),
    "win rate nan": with_point("test/win_rate/decentralised", 400, math.nan),
    "no episodes at all": in_replay(length=lambda n: n[:0], total_reward=lambda r: r[:0]),
    "episodes without end": in_replay(n_added=lambda n: n * 0 + 10**12),
    "no episodes": in_replay(length=lambda n: n * 0),
    "other rewards": in_replay(total_reward=lambda r: r + 1),
    "other actions": in_replay(actions=lambda a: a * 0 + 99),
}


@pytest.mark.parametrize("craft", CRAFTED.values(), ids=CRAFTED)
def test_a_crafted_checkpoint_is_one_line(half_way, tmp_path, craft):
    """The checksum is right, the content is not."""
    spec, path = half_way
    header, content = read_checkpoint(path)
    craft(content)
    own = tmp_path / "checkpoints" / path.name
    write_checkpoint(own, header, content)
    with pytest.raises(StoredDataError, match="delete this file") as caught:
        train([spec], tmp_path)
    assert str(own) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def half_way(tmp_path_factory):
    """A run and its checkpoint, killed before it was finished."""
    spec, directory = run_spec(), tmp_path_factory.mktemp("half")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(train_module, "CHECKPOINT_INTERVAL_SECONDS", 0.0)
        patched.setattr(train_module, "PROGRESS_INTERVAL_SECONDS", 0.0)
        train_until([spec], directory, 25)
    return spec, directory / "checkpoints" / f"{spec.run_id}.ckpt"


@pytest.mark.parametrize(
    "sittings",
    [
        lambda run_id: {run_id: [{"git_commit": "a" * 20_000}]},
        lambda run_id: {run_id: [{"git_commit": "a"}] * 3_000},
        lambda run_id: {"0" * 16: [{"git_commit": "a"}]},
    ],
    ids=["long", "many", "of another run"],
)
def test_sittings_that_no_record_takes_are_one_line(half_way, tmp_path, sittings):
    spec, path = half_way
    header, content = read_checkpoint(path)
    own = tmp_path / "checkpoints" / path.name
    write_checkpoint(own, replace(header, sittings=sittings(spec.run_id)), content)
    with pytest.raises(StoredDataError, match="delete this file"):
        train([spec], tmp_path)


def test_what_is_no_file_is_no_checkpoint(half_way, tmp_path):
    spec, path = half_way
    own = tmp_path / "checkpoints" / path.name
    own.parent.mkdir()
    os.mkfifo(own)
    with pytest.raises(StoredDataError, match="is not a plain file"):
        train([spec], tmp_path)


def test_finished_means_that_the_weights_are_there(whole, tmp_path, monkeypatch):
    """Killed while the weights are written: not finished; the same command ends the same run."""
    spec, events = whole
    path = RunsDirectory(tmp_path).weights_path(spec.run_id)

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(train_module, "write_weights", killed)
        with pytest.raises(Killed):
            train([spec], tmp_path)
    assert not path.exists()
    resumed = train([spec], tmp_path)
    assert resumed.histories() == events.histories()
    assert path.exists()
    ending = resumed[-1]
    assert isinstance(ending, Finished)
    read_weights(path, spec.run_id, ending.weights_sha256)

    # Killed between the last checkpoint and the record: the checkpoint alone restores the rest.
    content = path.read_bytes()
    path.unlink()
    again = train([spec], tmp_path)
    assert again.finished() == [spec.run_id]
    assert again.histories() == events.histories()
    assert path.read_bytes() == content


@pytest.mark.parametrize("learning_rate", [1e30, 1e12])
def test_a_run_that_diverges_fails_and_names_the_step(tmp_path, learning_rate):
    algorithm = arm_settings(framework="cadp", backbone="qmix", learning_rate=learning_rate)
    spec = run_spec(algorithm=algorithm)
    for _ in range(2):  # a second attempt ends alike
        events = train([spec], tmp_path)
        assert events.finished() == []
        (failure,) = [event for event in events if isinstance(event, Failed)]
        assert failure.run_id == spec.run_id
        assert re.search(r"training diverged: \S+ is (nan|inf) at step [\d,]+", failure.reason)
        assert not RunsDirectory(tmp_path).weights_path(spec.run_id).exists()


def test_a_member_that_diverges_leaves_the_others_alone(tmp_path):
    def member(seed, learning_rate):
        algorithm = arm_settings(framework="cadp", backbone="qmix", learning_rate=learning_rate)
        return run_spec(seed=seed, algorithm=algorithm)

    good, bad = member(1, 5e-4), member(2, 1e30)
    events = train([good, bad], tmp_path)
    assert events.finished() == [good.run_id]
    failed = [event.run_id for event in events if isinstance(event, Failed)]
    assert failed == [bad.run_id]


def test_the_number_of_updates_is_recorded(whole):
    spec, events = whole
    points = events.histories()[spec.run_id]
    updates = [value for (key, _), value in sorted(points.items()) if key == "train/n_updates"]
    episodes = [value for (key, _), value in sorted(points.items()) if key == "train/n_episodes"]
    assert updates == [max(0.0, n - SMALL.batch_size_episodes + 1) for n in episodes]


def test_cohort_members_must_share_their_shape(tmp_path):
    with pytest.raises(ValueError, match="must share"):
        train([run_spec(), run_spec(scenario="skirmish/8m")], tmp_path)


def test_episode_seeds_are_distinct():
    from suite.runs.seeding import Stream, episode_seeds

    seeds = np.concatenate(
        [
            episode_seeds(seed, stream, 0, 500)
            for seed in (0, 1)
            for stream in (Stream.TRAINING_EPISODES, Stream.TEST_EPISODES)
        ]
    )
    assert len(np.unique(seeds)) == len(seeds)
    assert episode_seeds(1, Stream.TEST_EPISODES, 3, 2).tolist() == (
        episode_seeds(1, Stream.TEST_EPISODES, 0, 5)[3:].tolist()
    )
