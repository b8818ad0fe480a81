"""Where things lie is known in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite.runs.cohorts import cohort_id
from suite.runs.directory import RunsDirectory

ROOT = Path(__file__).resolve().parents[2]
RUN_IDS = ["0123456789abcdef", "fedcba9876543210"]
# Names that nothing else has, and words that are also used for other things than folders.
NAMES = (
    "mlflow.db",
    "optuna.db",
    "coordinator.lock",
    "coordinator.pid",
    ".ckpt",
    ".safetensors",
    "worker-",
)
FOLDERS = ("checkpoints", "weights", "logs", "reports", "replays")


def test_the_layout_is_the_documented_one() -> None:
    """ARCHITECTURE.md, "Where things live on disk": others look there too."""
    root = Path("runs")
    directory = RunsDirectory(root)
    assert directory.records_path == root / "mlflow.db"
    assert directory.schedule_path == root / "optuna.db"
    assert directory.checkpoint_path(RUN_IDS[:1]) == root / "checkpoints" / f"{RUN_IDS[0]}.ckpt"
    weights = root / "weights" / f"{RUN_IDS[0]}.safetensors"
    assert directory.weights_path(RUN_IDS[0]) == weights
    assert directory.stored_weights_path(RUN_IDS[0]) == weights
    assert directory.description_path(RUN_IDS[0]) == weights.with_suffix(".json")
    assert directory.report_path("a-quick.html") == root / "reports" / "a-quick.html"
    assert directory.replay_path("3m", "nearest", 4) == root / "replays" / "3m-nearest-seed4.html"
    assert directory.log_path(2) == root / "logs" / "worker-2.log"
    assert directory.lock_path == root / "coordinator.lock"
    assert directory.pid_path == root / "coordinator.pid"


def test_a_cohort_is_its_runs_in_their_order() -> None:
    assert cohort_id(RUN_IDS[:1]) == RUN_IDS[0]
    several = {cohort_id(RUN_IDS), cohort_id(RUN_IDS[::-1]), *map(cohort_id, zip(RUN_IDS))}
    assert len(several) == 4
    assert all(len(name) == 16 for name in several)


def test_what_is_here_is_found_by_its_name(tmp_path: Path) -> None:
    directory = RunsDirectory(tmp_path)
    assert (directory.checkpoint_paths(), directory.ids_with_weights()) == ([], set())
    for path in (directory.checkpoint_path(RUN_IDS), *map(directory.weights_path, RUN_IDS)):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    directory.weights_path(RUN_IDS[0]).write_bytes(b"weights")
    assert directory.checkpoint_paths() == [directory.checkpoint_path(RUN_IDS)]
    assert directory.ids_with_weights() == {RUN_IDS[0]}
    assert [directory.has_weights(run_id) for run_id in RUN_IDS] == [True, False]
    directory.weights_path(RUN_IDS[1]).with_suffix(".pt").write_bytes(b"weights")
    assert directory.ids_with_weights() == set(RUN_IDS)


def test_weights_of_the_second_format_are_found(tmp_path: Path) -> None:
    directory = RunsDirectory(tmp_path)
    directory.weights_folder.mkdir()
    old = directory.weights_folder / f"{RUN_IDS[0]}.pt"
    old.write_bytes(b"weights")
    assert directory.stored_weights_path(RUN_IDS[0]) == old
    assert directory.has_weights(RUN_IDS[0])
    assert directory.ids_with_weights() == {RUN_IDS[0]}
    new = directory.weights_path(RUN_IDS[0])
    new.touch()
    assert directory.stored_weights_path(RUN_IDS[0]) == new
    assert not directory.has_weights(RUN_IDS[0])


def sources() -> list[Path]:
    found = [*(ROOT / "suite").rglob("*.py"), *(ROOT / "reports").rglob("*.py")]
    return [path for path in found if path != ROOT / "suite" / "runs" / "directory.py"]


def path_parts(source: str) -> Iterator[str]:
    """Texts that a source joins to a path, and those that only a runs directory has."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    docstrings = [node.value for node in nodes if isinstance(node, ast.Expr)]
    for node in nodes:
        is_text = isinstance(node, ast.Constant) and node not in docstrings
        if is_text and any(name in str(node.value) for name in NAMES):
            yield str(node.value)
        joined: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            joined = [node.right]
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            joined = node.args if called in ("joinpath", "join", "Path") else []
        for part in joined:
            text = part.value if isinstance(part, ast.Constant) else None
            if isinstance(text, str) and not set(text.split("/")).isdisjoint(FOLDERS):
                yield text


@pytest.mark.parametrize(
    "source", ['root / "weights"', 'root.joinpath("logs")', 'name = "mlflow.db"', 'f"{name}.ckpt"']
)
def test_a_spelt_path_is_seen(source: str) -> None:
    assert len(list(path_parts(source))) == 1


def test_no_other_source_spells_a_path() -> None:
    spelt = {str(path): list(path_parts(path.read_text())) for path in sources()}
    assert len(spelt) > 100
    assert {path: parts for path, parts in spelt.items() if parts} == {}
