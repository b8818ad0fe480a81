"""Reports read packs as they read a runs directory, and say which record came from where."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic_study as made_up
from test_cli import STUDY, call

from reports.analysis import analyse
from reports.build import build_html
from reports.data import ReportData
from reports.load import load_report_data
from suite.records import RecordStore, RunRecord
from suite.records.packs import write_pack
from suite.records.writer import RecordWriter
from suite.study.load import load_study
from suite.study.plan import expand
from suite.transfer import export_runs, import_packs


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with small.toml and runs/, all finished but one that failed."""
    directory = tmp_path_factory.mktemp("place")
    study = directory / "small.toml"
    study.write_text(STUDY)
    writer = RecordWriter(directory / "runs")
    for spec in expand(load_study(study)).runs:
        writer.begin(spec, {"processor": "a test"}, resuming=False)
        source = made_up.run(spec.scenario, spec.arm, spec.seed, n_points=10, total=10_000)
        for key, history in source.histories.items():
            keys = [key] * len(history.steps)
            writer.log(spec.run_id, list(zip(keys, history.steps, history.values, strict=True)))
        if spec.seed == 2 and spec.arm == "qmix":
            writer.fail(spec.run_id, "ValueError: as planned")
        else:
            writer.finish(spec.run_id, 12.0, "ab" * 32)
    return directory


@pytest.fixture
def records(place: Path) -> list[RunRecord]:
    return RecordStore.open(place / "runs").load()


@pytest.fixture
def load(place: Path) -> Callable[..., ReportData]:
    return lambda *places: load_report_data(place / "small.toml", None, places)


def without_sources(data: ReportData) -> ReportData:
    return replace(data, runs=tuple(replace(run, sources=()) for run in data.runs))


def names(data: ReportData) -> dict[str, list[str]]:
    """Run id → first words of its sources."""
    return {run.run_id: [one.partition(" ")[0] for one in run.sources] for run in data.runs}


def test_a_report_of_packs_is_the_report_of_the_directory(
    place: Path, records: list[RunRecord], load: Callable[..., ReportData], tmp_path: Path
) -> None:
    expected = load(place / "runs")
    export_runs(place / "runs", tmp_path / "whole.pack", None, with_weights=False)
    write_pack(tmp_path / "parts" / "a.pack", records[:2])
    write_pack(tmp_path / "parts" / "b.pack", records[2:])
    pages = []
    for places in (
        [tmp_path / "whole.pack"],
        [tmp_path / "parts"],
        [tmp_path / "parts" / "a.pack", tmp_path / "parts" / "b.pack"],
        [tmp_path / "whole.pack", place / "runs", tmp_path / "parts"],
    ):
        data = load(*places)
        assert [(run.run_id, run.status) for run in data.runs] == [
            (run.run_id, run.status) for run in expected.runs
        ]
        pages.append(build_html(without_sources(data), None))
    assert set(pages) == {build_html(without_sources(expected), None)}


def test_the_page_says_which_file_a_run_came_from(
    place: Path, records: list[RunRecord], load: Callable[..., ReportData], tmp_path: Path
) -> None:
    write_pack(tmp_path / "a.pack", records[:2])
    data = load(place / "runs", tmp_path / "a.pack")
    entry = analyse(data).provenance[0]
    assert (entry.key, entry.is_odd) == ("read from", False)
    (runs, all_ids), (pack, ids) = entry.runs_by_value.items()
    assert (runs, pack.partition(" ")[0]) == ("runs", "a.pack")
    assert len(all_ids) == 6
    assert set(ids) == {record.run_id for record in records[:2]}
    page = build_html(data, None)
    row = page[page.index('<th scope="row">read from</th>') :]
    assert "<td>a.pack (SHA-256 " in row
    assert f"<code>{' '.join(ids)}</code>" in row


def test_imported_runs_are_told_by_their_pack(
    records: list[RunRecord], load: Callable[..., ReportData], tmp_path: Path
) -> None:
    write_pack(tmp_path / "a.pack", records)
    import_packs([tmp_path / "a.pack"], tmp_path / "there", lambda line: None)
    data = load(tmp_path / "there")
    assert {run.sources[0].partition(" (")[0] for run in data.runs} == {
        "there, imported from a.pack"
    }


def test_records_that_contradict_each_other_are_no_evidence(
    place: Path, records: list[RunRecord], load: Callable[..., ReportData], tmp_path: Path
) -> None:
    record = next(one for one in records if one.status == "finished")
    key = "test/win_rate/decentralised"
    steps, values = record.histories[key]
    changed = np.where(np.arange(len(values)) == 5, (values * 32 + 1) % 32 / 32, values)
    histories = {**record.histories, key: (steps, changed)}
    write_pack(tmp_path / "a.pack", [replace(record, histories=histories)])
    for places in ([place / "runs", tmp_path / "a.pack"], [tmp_path / "a.pack", place / "runs"]):
        analysis = analyse(load(*places))
        (run,) = analysis.left_out
        assert run.run_id == record.run_id
        assert run.doubts[0].kind == "records that contradict each other"
        told = run.doubts[0].detail
        assert "runs" in told
        assert "a.pack (SHA-256 " in told
        used = {one.run_id for result in analysis.results for one, _ in result.per_run}
        assert record.run_id not in used
        page = build_html(analysis.data, None)
        assert "because of records that contradict each other" in page


def test_a_failure_elsewhere_is_told(
    place: Path, records: list[RunRecord], load: Callable[..., ReportData], tmp_path: Path
) -> None:
    record = next(one for one in records if one.status == "finished")
    failed = replace(record, status="failed", failure="out of memory", weights_sha256=None)
    write_pack(tmp_path / "a.pack", [failed])
    data = load(tmp_path / "a.pack", place / "runs")
    (run,) = [one for one in data.runs if one.elsewhere]
    assert (run.run_id, run.status, run.sources) == (record.run_id, "finished", ("runs",))
    page = build_html(data, None)
    assert "records that do not count beside that of runs: failed in a.pack (SHA-256 " in page


def test_commands_take_packs(
    place: Path,
    records: list[RunRecord],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.pack"
    write_pack(path, records)
    assert call(["build", "small.toml", "--runs-dir", str(path)], place, monkeypatch) == 0
    page = tmp_path / "reports" / "small-tiny.html"  # beside the pack
    assert capsys.readouterr().out == f"{page}\n"
    both = ["--runs-dir", str(path), "--runs-dir", "runs"]
    assert call(["build", "small.toml", *both], place, monkeypatch) == 0
    assert capsys.readouterr().out == f"{place / 'runs' / 'reports' / 'small-tiny.html'}\n"
    assert call(["export", "small.toml", *both], place, monkeypatch) == 0
    document = json.loads(Path(capsys.readouterr().out.strip()).read_text())
    assert {len(run["read_from"]) for run in document["runs"]} == {2}
    against = ["--against", str(path), "--against", "runs"]
    assert call(["compare", "small.toml", *against], place, monkeypatch) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(f"A: runs  B: {path}, runs")
    assert all(" 0.0" in line for line in lines[4:])


def test_packs_that_cannot_be_read_are_one_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.pack").write_bytes(b"PK")
    for name, words in {
        "a.pack": "damaged, or no pack of cadp-suite",
        "b.pack": "there is no such file",
    }.items():
        arguments = ["build", "small.toml", "--runs-dir", str(tmp_path / name)]
        assert call(arguments, place, monkeypatch) == 2
        captured = capsys.readouterr()
        assert (captured.out, captured.err.count("\n")) == ("", 1)
        assert words in captured.err


def test_packs_are_read_without_torch_or_mlflow(
    place: Path, records: list[RunRecord], tmp_path: Path
) -> None:
    write_pack(tmp_path / "a.pack", records)
    program = (
        "import sys\nfrom pathlib import Path\nfrom reports.load import load_report_data\n"
        "load_report_data(Path('small.toml'), None, Path(sys.argv[1]))\n"
        "print(sorted({'torch', 'optuna', 'mlflow', 'numba'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.pack")]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
