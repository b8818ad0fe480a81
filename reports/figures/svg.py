"""From a matplotlib figure to SVG text that can stand inside an HTML page next to others."""

from __future__ import annotations

import html
import io
import re
from typing import TYPE_CHECKING

from reports.figures.style import THEME_COLOURS, drawing_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def to_svg(figure: Figure, *, identifier: str, title: str, description: str) -> str:
    """SVG of a figure, byte for byte the same for the same drawing.

    identifier: unique on the page; prefixes every id in the drawing.
    title, description: the text alternative, read aloud in place of the drawing.
    """
    buffer = io.StringIO()
    with drawing_style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r"<style .*?</style>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'(?<= d=")[^"]*', lambda match: _shorter_path(match[0]), drawing)
    drawing = re.sub(r"<[^>]*>", lambda match: _shared_page(match[0], identifier), drawing)
    drawing = re.sub(r"\n\s*", "\n", drawing)
    return _accessible(drawing, identifier, title, description)


def _shared_page(tag: str, identifier: str) -> str:
    """A tag with short numbers, its own ids and the page's colours; text between tags stays."""
    tag = re.sub(r"\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}", tag)
    tag = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{identifier}-", tag)
    for stand_in, variable in THEME_COLOURS.items():
        tag = tag.replace(stand_in, variable)
    return tag


def _shorter_path(path: str) -> str:
    """The same path to a tenth of a point, a line's points without repeating its letter."""
    path = " ".join(path.split())
    if "C" in path or "Q" in path:
        return path  # markers: small, and rounding would show
    path = re.sub(r"\d+\.\d+", lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), path)
    return path.replace(" L ", " ").replace(" z", "z")


def _accessible(drawing: str, identifier: str, title: str, description: str) -> str:
    """Replace the opening tag: no fixed size, a role, a title and a description."""
    view_box = re.search(r'viewBox="[^"]*"', drawing)
    body = drawing[drawing.index(">") + 1 :]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{view_box[0] if view_box else ""} role="img" '
        f'aria-labelledby="{identifier}-title {identifier}-desc">'
        f'<title id="{identifier}-title">{html.escape(title)}</title>'
        f'<desc id="{identifier}-desc">{html.escape(description)}</desc>{body}'
    )
