"""Builds a report: view of the records in, HTML text or file out."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from reports.analysis import analyse
from reports.data import ReportData
from reports.reference import Reference
from suite.errors import InputError


def build_html(data: ReportData, reference: Reference | None) -> str:
    """The report as text; the same data gives the same bytes."""
    from reports.figures.compose import draw
    from reports.html.render import render

    analysis = analyse(data)
    return render(analysis, draw(analysis, reference))


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` in one step, so that no reader ever sees half a file.

    Raises InputError if the file cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(
            f"cannot write the file: {error.strerror or error}",
            where=str(path),
            cure="give another --output",
        ) from error
