"""How numbers and texts are written, on the page and in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from reports.statistics.intervals import Estimate
from suite.text import duration_text

MISSING = "–"
MIXED_MARK = "†"  # beside numbers that rest on runs of mixed origin


def number(value: float | None, digits: int = 1) -> str:
    """A number with fixed decimals and a true minus sign; a dash for None."""
    if value is None:
        return MISSING
    text = f"{value:.{digits}f}"
    return "0" + text[2:] if float(text) == 0 and text.startswith("-") else text.replace("-", "−")


def signed(value: float | None, digits: int = 1) -> str:
    """A difference: always with its sign."""
    text = number(value, digits)
    return text if value is None or text.startswith("−") or float(text) == 0 else f"+{text}"


def interval(estimate: Estimate | None, sign: bool = False, digits: int = 1) -> str:
    """`[low, high]`, or a dash where there is none."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return MISSING
    write = signed if sign else number
    return f"[{write(estimate.low, digits)}, {write(estimate.high, digits)}]"


def p_value(value: float) -> str:
    """A p value to three decimals, "< 0.001" below."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def duration(seconds: float | None) -> str:
    """How long something took; a dash for None."""
    return MISSING if seconds is None else duration_text(seconds)


def enumerated(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; "" for none."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def listed(names: Sequence[object], most: int = 6) -> str:
    """`a, b, c`; the first `most` of them and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
