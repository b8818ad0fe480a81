"""Large files from the web: what has arrived stays, and is checked before it gets its name."""

from __future__ import annotations

import hashlib
import http.client
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn

from suite.errors import InputError

_TIMEOUT_SECONDS = 60.0
_MOST_CUTS = 5  # in a row, without a byte between
_PAUSE_SECONDS = 3.0
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Source:
    """A file on the web, and how it is known to be right.

    size: in bytes, None if nobody says. trust: where sha256 comes from, for whom it does not match.
    """

    url: str
    sha256: str
    size: int | None = None
    trust: str = ""


class _Cut(Exception):
    """The connection ended before the file did."""


def download(source: Source, target: Path, tell: Callable[[str], None]) -> None:
    """Bring `source` to `target`; nothing is done if it is there already.

    What has arrived of it stays in `target.part`, with which the next call goes on.
    Raises InputError, one line each, for whatever goes wrong.
    """
    if target.exists():
        _check(source, target)
        return
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(source, part, tell)
        _check(source, part)
        part.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        cure = f"free some space or mend the folder, then run it again: it goes on with {part}"
        raise InputError(f"cannot be written ({reason})", where=str(target), cure=cure) from error


def _fetch(source: Source, part: Path, tell: Callable[[str], None]) -> None:
    n_cuts = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _fetch_rest(source, part, before, tell)
            return
        except _Cut as cut:
            has_grown = part.exists() and part.stat().st_size > before
            n_cuts = 1 if has_grown else n_cuts + 1
            if n_cuts >= _MOST_CUTS:
                _refuse(
                    source, f"cannot be loaded ({cut})", f"run it again: it goes on with {part}"
                )
            tell(f"{cut}; going on")
            time.sleep(_PAUSE_SECONDS)


def _fetch_rest(source: Source, part: Path, start: int, tell: Callable[[str], None]) -> None:
    """Append what is missing; from the beginning if the server does not give parts."""
    request = urllib.request.Request(source.url)
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            if answer.status == HTTPStatus.PARTIAL_CONTENT:
                whole = _whole_size(answer.headers.get("Content-Range", ""), start)
                if whole is None:
                    _refuse(source, "another part came than was asked for", f"delete {part}")
            else:
                start, length = 0, answer.headers.get("Content-Length")
                whole = int(length) if length else None
            if None not in (whole, source.size) and whole != source.size:
                what = f"it has {whole} bytes there, not {source.size}"
                _refuse(source, what, "look whether this is the file that you want")
            _check_space(part, None if whole is None else whole - start)
            _append(answer, part, start, whole, tell)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing; whether all is right is checked next
        if error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
            what = f"the server answers {error.code} {error.reason}"
            _refuse(source, what, "look whether the address is still right")
        raise _Cut(f"the server answers {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _Cut(f"no connection: {error.reason}") from error
    except (http.client.HTTPException, ssl.SSLError, ConnectionError, TimeoutError) as error:
        raise _Cut(f"the connection was cut: {type(error).__name__}") from error


def _append(
    answer: http.client.HTTPResponse,
    part: Path,
    start: int,
    whole: int | None,
    tell: Callable[[str], None],
) -> None:
    n, told = start, 10 * start // (whole or 1)
    with part.open("ab" if start else "wb") as file:
        while block := answer.read(_BLOCK_BYTES):
            file.write(block)
            n += len(block)
            if whole and whole > 10 * _BLOCK_BYTES and 10 * n // whole > told:
                told = 10 * n // whole
                tell(f"{n / 1e9:.1f} of {whole / 1e9:.1f} GB")
    if whole is not None and n < whole:
        raise _Cut(f"the connection was cut after {n} of {whole} bytes")


def _whole_size(content_range: str, start: int) -> int | None:
    """Size of the whole file, from the head of a part that begins at `start`; else None."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", content_range.strip())
    return int(match[2]) if match and int(match[1]) == start else None


def _check_space(part: Path, needed: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed is not None and needed > free:
        what = f"{needed / 1e9:.1f} GB are still to come, {free / 1e9:.1f} GB are free"
        raise InputError(what, where=str(part.parent), cure="free some space, or choose a --folder")


def _check(source: Source, path: Path) -> None:
    """InputError unless this is the file; it stays where it is."""
    size = path.stat().st_size
    cure = f"delete {path} and run it again"
    if source.size is not None and size != source.size:
        _refuse(source, f"has {size} bytes, not {source.size}", cure)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != source.sha256:
        what = f"has SHA-256 {found}, not {source.sha256}{source.trust}"
        _refuse(source, what, cure)


def _refuse(source: Source, what: str, cure: str) -> NoReturn:
    raise InputError(what, where=source.url, cure=cure)
