"""Fills the page's template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reports import numbers
from reports.analysis import DEFAULT_MARGIN_POINTS, Analysis
from reports.checks import told_changes
from reports.figures.compose import Figures
from reports.figures.learning_curves import Drawing
from reports.html import search_words, words
from reports.measures import backend
from reports.reasons import reason
from reports.replays import STAND_INS
from reports.series import BOOTSTRAP_SEED
from reports.statistics.intervals import BCA_FROM_N, N_RESAMPLES
from suite.replays.files import Replay
from suite.runs.hyperparameters import value_text
from suite.text import plural, visible

TEMPLATES = Path(__file__).parent / "templates"


def render(analysis: Analysis, figures: Figures, replays: Sequence[Replay]) -> str:
    """The report as one HTML document."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=numbers.number,
        signed=numbers.signed,
        interval=numbers.interval,
        p_value=numbers.p_value,
        duration=numbers.duration,
        listed=numbers.listed,
        reason=reason,
        told_changes=told_changes,
    )
    environment.globals["mixed_mark"] = numbers.MIXED_MARK

    def drawing(one: Drawing) -> Markup:
        return Markup(one.svg)

    return environment.get_template("report.html.j2").render(
        analysis=analysis,
        data=analysis.data,
        figures=figures,
        replays=replays,
        stand_ins=STAND_INS,
        drawing=drawing,
        plural=plural,
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        environment_statement=words.environment_statement(analysis),
        warnings=words.warnings(analysis),
        looks_statement=words.looks_statement(analysis),
        stopping_note=words.stopping_note(analysis),
        seeds=sorted({run.seed for run in analysis.data.runs if not run.is_tuning}),
        tuning_seeds=sorted({run.seed for run in analysis.data.runs if run.is_tuning}),
        verdict_statement=search_words.verdict_statement(analysis),
        shown_statement=search_words.shown_statement(analysis),
        what_was_run=search_words.what_was_run,
        budget=search_words.budget,
        best_statement=search_words.best_statement,
        seeds_statement=search_words.seeds_statement,
        typical_statement=search_words.typical_statement,
        importance_statement=search_words.importance_statement,
        state_words=search_words.STATE_WORDS,
        value_text=value_text,
        records_until=max((run.ended for run in analysis.data.runs), default=""),
        total_seconds=sum(run.elapsed_seconds or 0.0 for run in analysis.data.runs),
        measures=analysis.measures,
        modes_statement=words.modes_statement(analysis),
        moments_statement=words.moments_statement(analysis),
        modes_heading=words.modes_heading(analysis),
        backend=backend,
        arms=words.arms(analysis),
        default_margin=DEFAULT_MARGIN_POINTS,
        bca_from_n=BCA_FROM_N,
        n_resamples=N_RESAMPLES,
        bootstrap_seed=BOOTSTRAP_SEED,
    )


def _visible(value: object) -> object:
    """Any text of the page but what is HTML already: nothing in it is hidden."""
    is_plain = isinstance(value, str) and not hasattr(value, "__html__")
    return visible(str(value), keep="\t\n") if is_plain else value
