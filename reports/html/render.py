"""Fills the page's template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from reports import numbers
from reports.analysis import DEFAULT_MARGIN_POINTS, Analysis
from reports.checks import told_changes
from reports.figures.compose import Figures
from reports.figures.learning_curves import Drawing
from reports.html import words
from reports.measures import RETURN, WIN_RATE
from reports.reasons import reason
from reports.replays import STAND_INS
from reports.series import BOOTSTRAP_SEED
from reports.statistics.intervals import BCA_FROM_N, N_RESAMPLES
from suite.replays.files import Replay

TEMPLATES = Path(__file__).parent / "templates"
# Control characters but for tab and line feed, halves of surrogate pairs, and what turns the
# direction of writing: text of a study or a traceback must not reorder the page around it.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


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
        plural=numbers.plural,
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        environment_statement=words.environment_statement(analysis),
        warnings=words.warnings(analysis),
        seeds=sorted({run.seed for run in analysis.data.runs}),
        records_until=max((run.ended for run in analysis.data.runs), default=""),
        total_seconds=sum(run.elapsed_seconds or 0.0 for run in analysis.data.runs),
        measures=(RETURN, WIN_RATE),
        expected_to_differ=words.EXPECTED_TO_DIFFER,
        default_margin=DEFAULT_MARGIN_POINTS,
        bca_from_n=BCA_FROM_N,
        n_resamples=N_RESAMPLES,
        bootstrap_seed=BOOTSTRAP_SEED,
    )


def _visible(value: object) -> object:
    """Text with hidden characters written out, as in \\u202e; anything else as it is."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), value)
