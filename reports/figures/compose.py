"""Which figures a report has, in which order."""

from __future__ import annotations

from dataclasses import dataclass

from reports.analysis import Analysis
from reports.data import CENTRALISED
from reports.figures.forest import forest
from reports.figures.learning_curves import (
    Drawing,
    DrawnSeries,
    backbone_panel,
    drawn_series,
    overview,
)
from reports.figures.paper_panel import paper_panel
from reports.figures.style import drawing_style
from reports.figures.transition import transition
from reports.measures import measures
from reports.reference import Reference
from reports.series import series_keys


@dataclass(frozen=True)
class ScenarioFigures:
    """Figures of one scenario; any may be absent where there is nothing to draw."""

    scenario: str
    overview: Drawing | None
    panels: tuple[Drawing, ...]
    transitions: tuple[Drawing, ...]
    paper: Drawing | None


@dataclass(frozen=True)
class Figures:
    scenarios: tuple[ScenarioFigures, ...]
    forest: Drawing | None


def draw(analysis: Analysis, reference: Reference | None) -> Figures:
    """Every figure of a report; the paper's panels only where reference data is given."""
    with drawing_style():
        return Figures(
            tuple(
                _scenario(analysis, scenario, f"s{index}", reference)
                for index, scenario in enumerate(analysis.data.scenarios)
            ),
            forest(analysis.claims, "forest"),
        )


def _scenario(
    analysis: Analysis, scenario: str, prefix: str, reference: Reference | None
) -> ScenarioFigures:
    data, measure = analysis.data, measures(scenario)[0]
    keys = series_keys(data, scenario)
    drawn = [one for key in keys if (one := drawn_series(data, key, measure))]
    groups: dict[str, list[DrawnSeries]] = {}
    for one in drawn:
        groups.setdefault(one.key.backbone, []).append(one)
    conditions = [(one.key.arm, one.key.point) for one in drawn]
    is_one_per_kind = len(set(conditions)) == len(
        {(one.key.backbone, one.key.framework) for one in drawn}
    )
    panels = [
        backbone_panel(group, measure, f"{prefix}-p{i}", f"{scenario}: {backbone.upper()}")
        for i, (backbone, group) in enumerate(groups.items())
    ]
    transitions = [
        transition(data, key, measure, f"{prefix}-t{i}", f"{scenario}: {key.condition} around T")
        for i, key in enumerate(k for k in keys if k.framework == "cadp" and k.mode == CENTRALISED)
    ]
    paper = None
    if reference is not None:
        backbones = {key.backbone for key in keys if key.framework != "cadp"}
        paper = paper_panel(reference, scenario, backbones, f"{prefix}-paper")
    return ScenarioFigures(
        scenario,
        overview(drawn, measure, f"{prefix}-all", f"{scenario}: all arms")
        if len(groups) > 1 and is_one_per_kind
        else None,
        tuple(panels),
        tuple(one for one in transitions if one is not None),
        paper,
    )
