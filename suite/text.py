"""Words that are not ours (studies, paths, options, tracebacks) are shown as they are, on one line.

A terminal obeys control characters, and some invisible ones reorder or hide what follows. These,
and letters that an encoding lacks, are shown as escapes: `\\x1b`, `\\u202e`.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

# Control and format characters, lone surrogates (bytes of a path that are not UTF-8), line ends.
_NOT_SHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # format characters that Persian, Hindi and emoji are spelt with
_IN_ASCII = {"α": "alpha", "×": "x", "–": "-", "−": "-", "━": "-", "…": "..."}

# Longer words are not compared with valid ones: no typing error makes them, and it takes long.
_LONGEST_MISSPELT = 100

# In addresses: `user:password@`, and values of parameters whose name says that they are secret. A
# password that should have been escaped may hold any letter but white space, `@` and `/` too.
_USER = re.compile(r"(?<=://)(?:[^\s/@]*|[^\s/:@]*:[^\s\"'<>]*)@")
_SECRET = re.compile(
    r"([?&;][^=&\s]*(?:pass|pwd|secret|token|key)[^=&\s]*=)[^&\s\"'<>]+", re.IGNORECASE
)

# For `errors=` of a stream: our own letters in ASCII, others as escapes.
ENCODING_ERRORS = "cadp-suite-visible"


def visible(text: str, encoding: str | None = "utf-8", *, keep: str = "") -> str:
    """`text` as one line that `encoding` can show and no terminal obeys.

    keep: characters that stay, as line ends and tabs may on a page.
    """
    if not text.isprintable():
        keep += _JOINERS
        text = "".join(_escaped(x) if x not in keep and _is_hidden(x) else x for x in text)
    encoding = encoding or "utf-8"
    return text.encode(encoding, ENCODING_ERRORS).decode(encoding)


def redacted(text: str) -> str:
    """`text` without the credentials that addresses in it may hold: `https://***@host/…`.

    For every line that leaves this process: errors, logs, records, reports.
    """
    if "://" not in text:
        return text
    return _SECRET.sub(r"\1***", _USER.sub("***@", text))


def one_line(text: str) -> str:
    """A text of several lines, as study files may have them, on one, and nothing in it hidden."""
    return visible(" ".join(text.split()))


def shortened(text: str, most: int) -> str:
    """At most about `most` characters: the beginning and the end of a longer text."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end]}…{text[-end:]}"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 run`, `2 runs`."""
    return f"{count} {noun if count == 1 else many or noun + 's'}"


def duration_text(seconds: float) -> str:
    """`45 s`, `12 min`, `3.4 h`, `3.1 days`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def memory_text(n_bytes: float) -> str:
    """`0.4 GiB`, `12 GiB`."""
    size = n_bytes / 2**30
    return f"{size:.1f} GiB" if size < 10 else f"{size:.0f} GiB"


def close_names(word: str, valid: Iterable[str], most: int = 1, likeness: float = 0.5) -> list[str]:
    """Which of the `valid` names a misspelt one may mean: the likeliest first, none if too far.

    likeness: share of letters in common, from 0 to 1, that it takes.
    """
    if len(word) > _LONGEST_MISSPELT:
        return []
    return get_close_matches(word, list(valid), n=most, cutoff=likeness)


def _is_hidden(letter: str) -> bool:
    return unicodedata.category(letter) in _NOT_SHOWN


def _escaped(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # how Python carries a byte that is not UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode("ascii")


def _encoding_error(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(_IN_ASCII.get(letter) or _escaped(letter) for letter in missing), error.end


codecs.register_error(ENCODING_ERRORS, _encoding_error)
