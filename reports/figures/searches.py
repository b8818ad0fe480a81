"""Which figures a search has."""

from __future__ import annotations

from dataclasses import dataclass

from reports.figures.front import pareto
from reports.figures.heatmap import heatmap
from reports.figures.history import history
from reports.figures.importance import bars
from reports.figures.learning_curves import Drawing
from reports.figures.slices import slice_of
from reports.sweep import SearchResult

# What a title says of the two objectives that are looked for together.
_PLACES = ("first objective", "second objective")


@dataclass(frozen=True)
class SearchFigures:
    """In the order of the page; those are left out for which there is nothing to draw."""

    front: Drawing | None
    histories: tuple[Drawing, ...]
    importances: tuple[Drawing, ...]
    maps: tuple[Drawing, ...]
    slices: tuple[Drawing, ...]


def draw_search(search: SearchResult, prefix: str) -> SearchFigures:
    """Every figure of a search. prefix: of their ids on the page."""
    places = range(len(search.objectives))
    suffixes = [f", {_PLACES[i]}" if len(places) > 1 else "" for i in places]
    across, up = search.plane or (None, None)
    plane = f"{across.symbol} × {up.symbol}" if across and up else ""
    histories = [
        history(search, i, f"{prefix}-h{i}", f"Points in order{suffixes[i]}") for i in places
    ]
    importances = [
        bars(search.importances[i], f"{prefix}-i{i}", f"What matters{suffixes[i]}") for i in places
    ]
    maps = [
        heatmap(search, i, f"{prefix}-m{i}", f"{plane}: {quantity.short}")
        for i, quantity in enumerate(search.quantities)
    ]
    slices = [
        slice_of(search, one, i, f"{prefix}-s{i}-{n}", f"Along {one.symbol}{suffixes[i]}")
        for i in places
        for n, one in enumerate(search.view.dimensions)
    ]
    return SearchFigures(
        pareto(search, f"{prefix}-f", "Both objectives"),
        _drawn(histories),
        _drawn(importances),
        _drawn(maps),
        _drawn(slices),
    )


def _drawn(figures: list[Drawing | None]) -> tuple[Drawing, ...]:
    return tuple(one for one in figures if one is not None)
