"""Which figures a report has, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reports.analysis import Analysis
from reports.figures import style
from reports.figures.forest import forest
from reports.figures.learning_curves import Drawing, DrawnSeries, drawn_series, panel
from reports.figures.modes import mode_curve
from reports.figures.overview import overview
from reports.figures.paper_panel import paper_panels
from reports.figures.searches import SearchFigures, draw_search
from reports.figures.transition import transition
from reports.measures import Measure, measures
from reports.reference import Reference
from reports.series import SeriesKey, runs_of, series_keys
from suite.environments import short_name
from suite.text import shortened

# With more, bands and names in one panel are no longer told apart.
MOST_LINES = 6
# Letters of a scenario that a title of a panel has room for, beside what is drawn.
_ROOM = 26


@dataclass(frozen=True)
class ScenarioFigures:
    """Figures of one scenario; any may be absent where there is nothing to draw."""

    scenario: str
    overview: Drawing | None
    panels: tuple[Drawing, ...]
    transitions: tuple[Drawing, ...]
    modes: tuple[Drawing, ...]
    paper: tuple[Drawing, ...]


@dataclass(frozen=True)
class Figures:
    """searches: one for each of the analysis, in its order."""

    scenarios: tuple[ScenarioFigures, ...]
    forest: Drawing | None
    searches: tuple[SearchFigures, ...]


def draw(analysis: Analysis, reference: Reference | None) -> Figures:
    """Every figure of a report; the paper's panels only where reference data is given."""
    colours = style.colours([run.backbone for run in analysis.data.runs])
    with style.drawing_style():
        return Figures(
            tuple(
                _scenario(analysis, scenario, f"s{index}", reference, colours)
                for index, scenario in enumerate(analysis.data.scenarios)
            ),
            forest(analysis.claims, "forest"),
            tuple(draw_search(one, f"q{i}") for i, one in enumerate(analysis.searches)),
        )


def _scenario(
    analysis: Analysis,
    scenario: str,
    prefix: str,
    reference: Reference | None,
    colours: Mapping[str, str],
) -> ScenarioFigures:
    data, measure = analysis.shown, measures(scenario)[0]
    keys = series_keys(data, scenario)
    drawn = [one for key in keys if (one := drawn_series(data, key, measure))]
    conditions = [(one.key.arm, one.key.point) for one in drawn]
    kinds = {(one.key.backbone, one.key.framework) for one in drawn}
    has_overview = len({one.key.backbone for one in drawn}) > 1
    # Colour and line style tell backbone and framework, no more.
    has_overview &= len(set(conditions)) == len(kinds)
    several = [key for key in keys if len(key.method.modes) > 1]
    firsts = [key for key in several if key.mode == key.method.modes[0]]
    transitions = [
        transition(
            data, key, measure, f"{prefix}-t{i}", f"{_brief(scenario)}: {_around(analysis, key)}"
        )
        for i, key in enumerate(firsts)
        if runs_of(data, key)[0].moments
    ]
    return ScenarioFigures(
        scenario,
        overview(drawn, measure, colours, f"{prefix}-all", f"{_brief(scenario)}: all arms")
        if has_overview
        else None,
        tuple(
            panel(group, measure, f"{prefix}-p{i}", f"{_brief(scenario)}: {name}")
            for i, (name, group) in enumerate(_panels(drawn))
        ),
        tuple(one for one in transitions if one is not None),
        tuple(_mode_curves(analysis, firsts, measure, prefix)),
        tuple(paper_panels(reference, scenario, keys, f"{prefix}-paper")) if reference else (),
    )


def _brief(scenario: str) -> str:
    """A scenario's name for titles, which have little room; the heading above has all of it."""
    return scenario if len(scenario) <= _ROOM else shortened(short_name(scenario), _ROOM)


def _around(analysis: Analysis, key: SeriesKey) -> str:
    symbols = [moment.symbol for moment in runs_of(analysis.shown, key)[0].moments]
    return f"{key.condition} around {' and '.join(symbols)}"


def _panels(drawn: Iterable[DrawnSeries]) -> Iterator[tuple[str, list[DrawnSeries]]]:
    """What is drawn together, with its name: the arms of a backbone, in parts if they are many.

    Every part shows the first arm with one mode, to compare with.
    """
    backbones: dict[str, list[DrawnSeries]] = {}
    for one in drawn:
        backbones.setdefault(one.key.backbone, []).append(one)
    for group in backbones.values():
        parts = list(_parts(group))
        for i, part in enumerate(parts):
            name = part[0].key.method.backbone_title
            yield f"{name} ({i + 1} of {len(parts)})" if len(parts) > 1 else name, part


def _parts(group: Sequence[DrawnSeries]) -> Iterator[list[DrawnSeries]]:
    if len(group) <= MOST_LINES:
        yield list(group)
        return
    conditions: dict[tuple[str, str], list[DrawnSeries]] = {}
    for one in group:
        conditions.setdefault((one.key.arm, one.key.point), []).append(one)
    plain = next(
        (c for c, lines in conditions.items() if len(lines[0].key.method.modes) == 1), None
    )
    shared = [] if plain is None else conditions.pop(plain)
    part = list(shared)
    for lines in conditions.values():
        if len(part) > len(shared) and len(part) + len(lines) > MOST_LINES:
            yield part
            part = list(shared)
        part += lines
    yield part


def _mode_curves(
    analysis: Analysis, firsts: Iterable[SeriesKey], measure: Measure, prefix: str
) -> Iterator[Drawing]:
    """Of every arm with more than two modes: the way from the first to the last."""
    results = {one.key: one for one in analysis.results if one.measure is measure}
    for i, key in enumerate(firsts):
        of_arm = [
            result
            for other, result in results.items()
            if (other.scenario, other.arm, other.point) == (key.scenario, key.arm, key.point)
        ]
        title = f"{_brief(key.scenario)}: {key.condition} by way of acting"
        if len(of_arm) > 2 and (drawing := mode_curve(of_arm, f"{prefix}-m{i}", title)):
            yield drawing
