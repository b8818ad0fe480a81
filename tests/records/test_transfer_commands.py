"""`export` and `import` on the command line, and what other commands say of imported runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from made_records import failed, made_record, other

from suite.__main__ import main
from suite.records import RecordStore
from suite.records.packs import open_pack, write_pack
from suite.study.load import load_study
from suite.study.plan import Plan, expand


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command in this process: exit code, standard output, standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cadp-suite", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            main()
        captured = capsys.readouterr()
        return int(leaving.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def study(make_study) -> Path:
    return make_study()


@pytest.fixture
def plan(study: Path) -> Plan:
    return expand(load_study(study))


@pytest.fixture
def pack(tmp_path: Path, plan: Plan) -> Path:
    """All of the study but one, and a run of no study."""
    path = tmp_path / "some.pack"
    stray = made_record(plan.runs[0].model_copy(update={"seed": 77}))
    first, second, third, _ = map(made_record, plan.runs)
    write_pack(path, [first, second, failed(third), stray])
    return path


def test_there_and_back(call, pack: Path, study: Path, plan: Plan, runs_dir: Path) -> None:
    code, out, err = call("import", pack, "--runs-dir", runs_dir)
    assert (code, out) == (0, "")
    assert err.startswith("4 runs imported (3 finished, 1 failed), 0 with weights\n")
    code, out, err = call("export", "--runs-dir", runs_dir)
    path = runs_dir.resolve() / "packs" / "all.pack"
    assert (code, out) == (0, f"{path}\n")
    assert path.read_bytes() == pack.read_bytes()
    with open_pack(path) as opened:
        assert err == f"4 runs: 3 finished, 1 failed\nSHA-256 of its manifest: {opened.sha256}\n"
    code, out, err = call("export", study, "--runs-dir", runs_dir, "--weights")
    assert code == 0
    assert "3 runs: 2 finished, 1 failed; 0 with weights" in err
    assert "2 finished runs without: there are none here, or old ones" in err
    assert out == f"{runs_dir.resolve() / 'packs' / 'example-tiny.pack'}\n"
    with open_pack(Path(out.strip())) as opened:
        assert set(opened.run_ids) == {run.run_id for run in plan.runs[:3]}


def test_export_writes_where_it_is_told(call, pack: Path, runs_dir: Path, tmp_path: Path) -> None:
    call("import", pack, "--runs-dir", runs_dir)
    code, out, _ = call("export", "--runs-dir", runs_dir, "--output", tmp_path / "mine.pack")
    assert (code, out) == (0, f"{tmp_path / 'mine.pack'}\n")
    for name, words in {"mine.zip": "not the name of a .pack file", ".": "is a directory"}.items():
        code, _, err = call("export", "--runs-dir", runs_dir, "--output", tmp_path / name)
        assert code == 2
        assert words in err


def test_wrong_calls_are_one_line(call, pack: Path, tmp_path: Path, runs_dir: Path) -> None:
    (tmp_path / "damaged.pack").write_bytes(pack.read_bytes()[:-1])
    here = ("--runs-dir", runs_dir)
    for arguments, words in {
        ("import", tmp_path / "damaged.pack", *here): "damaged, or no pack of cadp-suite",
        ("import", tmp_path / "absent.pack", *here): "there is no such file",
        ("import", *here): "Missing argument 'PACK...'",
        ("import", "", *here): "PACK: not a path",
        ("export", "--profile", "tiny", *here): "--profile: no study is named",
        ("export", "--backend", "twin", *here): "--backend: no study is named",
        ("export", *here): "no run has ended that could be exported",
        ("export", "--runs-dir", tmp_path): "nothing has been run here",
    }.items():
        code, out, err = call(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert words in err


def test_other_results_are_refused_or_kept_out(
    call, pack: Path, tmp_path: Path, plan: Plan, runs_dir: Path
) -> None:
    call("import", pack, "--runs-dir", runs_dir)
    path, run_id = tmp_path / "other.pack", plan.runs[0].run_id
    write_pack(path, [other(made_record(plan.runs[0])), made_record(plan.runs[3])])
    code, _, err = call("import", path, "--runs-dir", runs_dir)
    assert code == 2
    assert f"1 run is finished here already, with other results ({run_id}); give --if-" in err
    code, _, err = call("import", path, "--runs-dir", runs_dir, "--if-different", "keep")
    assert code == 0
    assert err.startswith("1 run imported")
    assert f"kept as here, with other results: {run_id}\n" in err


def test_status_tells(call, pack: Path, study: Path, plan: Plan, runs_dir: Path) -> None:
    call("import", pack, "--runs-dir", runs_dir)
    code, out, _ = call("status", study, "--runs-dir", runs_dir)
    assert code == 0
    assert "2 finished, 1 failed, 1 waiting" in out
    assert "3 runs imported, not trained here: from some.pack (SHA-256 " in out
    bare = ", ".join(run.run_id for run in plan.runs[:2])
    assert f"imported without weights, for reports only: {bare}\n" in out


@pytest.mark.parametrize("command", [("watch", "3m"), ("evaluate", "3m")])
def test_whose_weights_did_not_come_does_not_play(
    call, tmp_path: Path, plan: Plan, runs_dir: Path, command: tuple[str, str]
) -> None:
    write_pack(tmp_path / "some.pack", [made_record(plan.runs[0])])
    call("import", tmp_path / "some.pack", "--runs-dir", runs_dir)
    run_id = plan.runs[0].run_id
    code, out, err = call(*command, "--policy", run_id, "--runs-dir", runs_dir)
    assert (code, out) == (2, "")
    assert f"--policy {run_id}: the run's weights are not here: it came in some.pack (SHA" in err
    assert "import a pack that was exported with --weights" in err


def test_names_from_a_stranger_are_shown_harmlessly(
    call, tmp_path: Path, study: Path, plan: Plan, runs_dir: Path
) -> None:
    path = tmp_path / "a\x1b[31m\u202e.pack"
    write_pack(path, [made_record(plan.runs[0])])
    assert call("import", path, "--runs-dir", runs_dir)[0] == 0
    assert RecordStore.open(runs_dir).load()[0].origin is not None
    _, out, _ = call("status", study, "--runs-dir", runs_dir)
    assert "\x1b" not in out
    assert "\\x1b[31m\\u202e.pack" in out
