"""The runs directory: the one place that knows where anything a run produces lies."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.errors import InputError
from suite.runs.cohorts import cohort_id

CHECKPOINT = ".ckpt"
# Weights files, and those of format 2 (`suite.training.weights`).
_WEIGHTS, _EARLIER = ".safetensors", ".pt"


@dataclass(frozen=True)
class RunsDirectory:
    """Everything below `root`. These are names: that something lies there is not promised."""

    root: Path

    def refuse_file(self) -> None:
        """Raise InputError if something else than a directory lies there."""
        if self.root.exists() and not self.root.is_dir():
            cure = "choose another --runs-dir"
            raise InputError("not a directory", where=str(self.root), cure=cure)

    @property
    def records_path(self) -> Path:
        """MLflow's database: what is known of every run."""
        return self.root / "mlflow.db"

    @property
    def schedule_path(self) -> Path:
        """Optuna's database: trials that are begun, complete or failed."""
        return self.root / "optuna.db"

    @property
    def lock_path(self) -> Path:
        """Held by the coordinator at work here."""
        return self.root / "coordinator.lock"

    @property
    def pid_path(self) -> Path:
        """Says who holds the lock; the only one of the two that readers touch."""
        return self.root / "coordinator.pid"

    @property
    def checkpoints_folder(self) -> Path:
        """Checkpoints of cohorts that have not finished."""
        return self.root / "checkpoints"

    def checkpoint_path(self, run_ids: Sequence[str]) -> Path:
        """Where the cohort of these runs, in this order, is kept until all have finished."""
        return self.checkpoints_folder / f"{cohort_id(run_ids)}{CHECKPOINT}"

    def checkpoint_paths(self) -> list[Path]:
        """All checkpoints that are here, in order of their names."""
        return sorted(self.checkpoints_folder.glob(f"*{CHECKPOINT}"))

    @property
    def weights_folder(self) -> Path:
        """Final networks."""
        return self.root / "weights"

    def weights_path(self, run_id: str) -> Path:
        """Where a finished run's networks are written."""
        return self.weights_folder / f"{run_id}{_WEIGHTS}"

    def description_path(self, run_id: str) -> Path:
        """What those networks are, for people and programs that have nothing else."""
        return self.weights_folder / f"{run_id}.json"

    def stored_weights_path(self, run_id: str) -> Path:
        """Where a finished run's networks lie, in whichever format; as above if they do not."""
        path, earlier = self.weights_path(run_id), self.weights_folder / f"{run_id}{_EARLIER}"
        return earlier if os.path.lexists(earlier) and not os.path.lexists(path) else path

    def has_weights(self, run_id: str) -> bool:
        """Whether a run's weights are there; whoever reads them checks what they hold."""
        path = self.stored_weights_path(run_id)
        return path.is_file() and path.stat().st_size > 0

    def ids_with_weights(self) -> set[str]:
        """Ids of the runs whose weights are here (`has_weights`), in one look at the folder."""
        try:
            with os.scandir(self.weights_folder) as entries:
                return {
                    entry.name.rpartition(".")[0]
                    for entry in entries
                    if entry.name.endswith((_WEIGHTS, _EARLIER))
                    and entry.is_file()
                    and entry.stat().st_size > 0
                }
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def log_path(self, worker: int) -> Path:
        """Standard error of a worker."""
        return self.root / "logs" / f"worker-{worker}.log"

    def pack_path(self, name: str) -> Path:
        """Where `cadp-suite export` writes a file of this name unless told otherwise."""
        return self.root / "packs" / name

    def report_path(self, name: str) -> Path:
        """Where `cadp-report` writes a file of this name unless told otherwise."""
        return self.root / "reports" / name

    @property
    def replays_folder(self) -> Path:
        """Battles written by `cadp-suite watch`."""
        return self.root / "replays"

    def replay_path(self, scenario: str, policy: str, seed: int) -> Path:
        """Where a battle is written unless told otherwise; all three are plain names."""
        return self.replays_folder / f"{scenario}-{policy}-seed{seed}.html"
