"""Loads `reference_results/paper`: published numbers and the paper's digitised curves.

They are StarCraft II and football results: shown beside ours, never on the same axes, never tested
against, and only comparable with results of the same game (`Backend.game`).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suite.errors import StoredDataError
from suite.runs.modes import CENTRALISED, DECENTRALISED, TEACHER

FILES = {
    "paper_curves.csv": (
        "figure,panel,scenario,algorithm,variant,timesteps,win_rate_percent,band_low,band_high,"
        "unc_percent"
    ),
    "paper_final.csv": (
        "figure,panel,scenario,algorithm,variant,mean_last10pct,uncertainty,mean_of_10_grid_points,"
        "mean_of_test_points,band_low_mean,band_high_mean,sd_over_last10pct,min_last10pct,"
        "max_last10pct,value_at_end,n_test_points,test_spacing_timesteps,visible_fraction_last10pct"
    ),
    "paper_pruning_start.csv": (
        "figure,panel,scenario,T_low,T_high,D_mean_10_tests_before,D_last_test_before,"
        "D_first_test_after,D_reaches_half_rise_at,D_time_to_90pct_of_rise,D_mean_last10pct,"
        "C_last_test_before,C_mean_5_tests_before,C_dip_value,C_dip_at,C_dip_depth_vs_last_test,"
        "C_recovers_predip_at,C_mean_last10pct"
    ),
    "published_results.csv": (
        "source,source_url,scenario,algorithm,metric,value,spread,spread_kind,timesteps,sc2_version,"
        "note"
    ),
}
# What the figures were measured in: the game, and its version as far as it is known.
GAMES = {
    "exp-smac.png": ("StarCraft II", "4.10"),
    "exp-gfootball.png": ("Google Research Football", ""),
}
# How the lines' variants act, by the names of execution modes; a student acts alone.
MODES = {
    "none": DECENTRALISED.name,
    "centralized": CENTRALISED.name,
    "decentralized": DECENTRALISED.name,
    "teacher": TEACHER.name,
    "student": DECENTRALISED.name,
}
CURE = "restore the file from the repository (reference_results/paper/README.md describes it)"


@dataclass(frozen=True)
class PaperCurve:
    """One digitised line of a figure of the paper.

    variant: "none", "centralized", "decentralized", "student" or "teacher".
    steps, win_rate_percent: (points,) float64.
    """

    figure: str
    panel: str
    scenario: str
    algorithm: str
    variant: str
    steps: NDArray[np.float64]
    win_rate_percent: NDArray[np.float64]

    @property
    def game(self) -> str:
        """What it was measured in; the figure's name where that is not known."""
        return GAMES.get(self.figure, (self.figure, ""))[0]

    @property
    def environment(self) -> str:
        """The game with its version, as far as that is known."""
        return " ".join(GAMES.get(self.figure, (self.figure, ""))).strip()

    @property
    def mode(self) -> str:
        """Name of the execution mode; that of the variant where we have none like it."""
        return MODES.get(self.variant, self.variant)


@dataclass(frozen=True)
class PaperFinal:
    """Mean of one digitised line over the last 10 % of its axis, percent, with reading error."""

    panel: str
    scenario: str
    algorithm: str
    variant: str
    win_rate_percent: float
    reading_uncertainty: float


@dataclass(frozen=True)
class PublishedResult:
    """One published number, from the paper or elsewhere. value is in the metric's own unit."""

    source: str
    source_url: str
    scenario: str
    algorithm: str
    metric: str
    value: float
    timesteps: str
    sc2_version: str


@dataclass(frozen=True)
class Reference:
    curves: tuple[PaperCurve, ...]
    finals: tuple[PaperFinal, ...]
    published: tuple[PublishedResult, ...]

    def panels(self, scenario: str) -> list[list[PaperCurve]]:
        """The curves of every panel for a scenario of ours (`backend/name`)."""
        name = scenario.rsplit("/", 1)[-1]
        found: dict[tuple[str, str], list[PaperCurve]] = {}
        for curve in self.curves:
            if curve.scenario == name:
                found.setdefault((curve.figure, curve.panel), []).append(curve)
        return list(found.values())


def default_directory() -> Path | None:
    """`reference_results/paper` beside the packages; None where it was not installed."""
    directory = Path(__file__).resolve().parents[1] / "reference_results" / "paper"
    return directory if directory.is_dir() else None


def load_reference(directory: Path) -> Reference:
    """Read and check the paper's data.

    Raises StoredDataError naming file and line for a missing file, other columns or a bad number.
    """
    curves: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for where, row in _rows(directory, "paper_curves.csv"):
        key = tuple(row[name] for name in ("figure", "panel", "scenario", "algorithm", "variant"))
        point = (
            _number(row, "timesteps", where),
            _number(row, "win_rate_percent", where, percent=True),
        )
        points = curves.setdefault(key, [])
        if points and point[0] <= points[-1][0]:
            raise _damaged(where, "timesteps do not ascend", row["timesteps"])
        points.append(point)
    finals = tuple(
        PaperFinal(
            row["panel"],
            row["scenario"],
            row["algorithm"],
            row["variant"],
            _number(row, "mean_last10pct", where, percent=True),
            _number(row, "uncertainty", where),
        )
        for where, row in _rows(directory, "paper_final.csv")
    )
    published = tuple(
        PublishedResult(
            row["source"],
            row["source_url"],
            row["scenario"],
            row["algorithm"],
            row["metric"],
            _number(row, "value", where),
            row["timesteps"],
            row["sc2_version"],
        )
        for where, row in _rows(directory, "published_results.csv")
    )
    for where, row in _rows(directory, "paper_pruning_start.csv"):
        if _number(row, "T_low", where) > _number(row, "T_high", where):
            raise _damaged(where, "T_low lies above T_high", row["T_low"])
    return Reference(
        tuple(_curve(key, points) for key, points in curves.items()), finals, published
    )


def _curve(key: tuple[str, ...], points: list[tuple[float, float]]) -> PaperCurve:
    figure, panel, scenario, algorithm, variant = key
    array = np.array(points)
    return PaperCurve(figure, panel, scenario, algorithm, variant, array[:, 0], array[:, 1])


def _rows(directory: Path, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row of a file with "file, line n" for messages; checks the header and the width."""
    path = directory / name
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoredDataError("cannot read the file", where=str(path), cure=CURE) from error
    reader = csv.DictReader(text.splitlines())
    if reader.fieldnames is None or ",".join(reader.fieldnames) != FILES[name]:
        raise _damaged(f"{path}, line 1", "other columns than documented", reader.fieldnames)
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        if None in row or None in row.values():
            raise _damaged(where, "another number of fields than the header", None)
        yield where, row


def _number(row: dict[str, str], column: str, where: str, *, percent: bool = False) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (percent and not 0 <= value <= 100):
        raise _damaged(f"{where}, column {column}", "not a usable number", row[column])
    return value


def _damaged(where: str, what: str, value: object) -> StoredDataError:
    return StoredDataError(what, where=where, value=value, cure=CURE)
