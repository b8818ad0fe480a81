"""A checked file of named members: a zip archive in which every byte is accounted for.

Nothing is compressed: no member can grow when it is read, and equal members make equal files
wherever they are written. The last member, `manifest.json`, has size and SHA-256 of all others; the
archive's comment has that of the manifest. Whoever made the file may be a stranger.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from suite.disk import open_plain_file, written_atomically
from suite.errors import CadpSuiteError, StoredDataError

# Raised when a reader of the old format would misread the new one.
PACK_FORMAT = 1
MANIFEST = "manifest.json"
CURE = "get the file again from where it came, or leave it out"

_KIND: Literal["cadp-suite pack"] = "cadp-suite pack"
_MOST_MEMBERS = 200_000
_LARGEST_NAME = 100
# Of a zip's fixed parts (APPNOTE 4.3): before a member, in the directory, at the end.
_BEFORE_MEMBER, _IN_DIRECTORY, _END, _END_64, _LOCATOR_64 = 30, 46, 22, 56, 20
_EXTRA_64 = 28  # of a directory entry in an archive beyond 2 GiB, at most
_COMMENT = "cadp-suite pack; SHA-256 of manifest.json: "
_COMMENT_BYTES = len(_COMMENT) + 64
_LARGEST_DIRECTORY = _MOST_MEMBERS * (_IN_DIRECTORY + _LARGEST_NAME + _EXTRA_64)
_LARGEST_MANIFEST = _MOST_MEMBERS * 2 * (_LARGEST_NAME + 64)

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Member(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256


class _Version(BaseModel):
    """What every version of the manifest has."""

    model_config = ConfigDict(strict=True)

    kind: Literal["cadp-suite pack"]
    format: int


class _Manifest(_Version):
    model_config = ConfigDict(extra="forbid", strict=True)

    members: dict[str, _Member]


def write_archive(path: Path, members: Iterable[tuple[str, bytes]]) -> str:
    """Replace `path` in one step by an archive of the members, in this order.

    Returns the SHA-256 of its manifest, which stands for all of its content.
    """
    listed: dict[str, _Member] = {}
    with written_atomically(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, content in members:
            listed[name] = _Member(bytes=len(content), sha256=_sha256(content))
            archive.writestr(_entry(name), content)
        if len(listed) >= _MOST_MEMBERS:
            cure = "export one study at a time"
            raise StoredDataError("too much for one pack", where=str(path), cure=cure)
        manifest = _Manifest(kind=_KIND, format=PACK_FORMAT, members=listed).model_dump()
        text = json.dumps(manifest, indent=1).encode()
        archive.writestr(_entry(MANIFEST), text)
        archive.comment = (_COMMENT + _sha256(text)).encode()
    return _sha256(text)


def _entry(name: str) -> zipfile.ZipInfo:
    """Without a time, and as if written on one kind of system."""
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    return entry


class Archive:
    """An archive opened by `open_archive`.

    sha256: of its manifest. sizes: member → bytes, in their order in the file.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, sha256: str, manifest: _Manifest):
        self.path = path
        self.sha256 = sha256
        self.sizes = {name: member.bytes for name, member in manifest.members.items()}
        self._archive = archive
        self._members = manifest.members

    def read(self, name: str, largest_bytes: int) -> bytes:
        """The content of a member. Raises StoredDataError if it is larger, or damaged."""
        with reading(self.path):
            if self.sizes[name] > largest_bytes:
                raise ValueError(f"{name} has more than {largest_bytes:,} bytes")
            content = self._archive.read(name)
            if _sha256(content) != self._members[name].sha256:
                raise ValueError(f"{name} is not what the manifest says")
            return content


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """An archive to read from while the body lasts; its structure and manifest are checked.

    Raises StoredDataError for any other file, and for one that is damaged, has anything that the
    manifest does not list, or is of a newer version.
    """
    with reading(path):
        file = open_plain_file(path)
    with file:
        with reading(path):
            directory_start, comment = _ends(file)
            archive = zipfile.ZipFile(file)
            _refuse_odd_entries(archive, directory_start)
            text = archive.read(MANIFEST)
            digest = _sha256(text)
            if comment != _COMMENT + digest:
                raise ValueError("the manifest was changed")
            manifest = _manifest(text, path)
            sizes = {one.filename: one.file_size for one in archive.infolist()[:-1]}
            if sizes != {name: member.bytes for name, member in manifest.members.items()}:
                raise ValueError("the members are not those of the manifest")
        yield Archive(path, archive, digest, manifest)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever the system and libraries make of a stranger's bytes ends as one line."""
    try:
        yield
    except CadpSuiteError:
        raise
    except FileNotFoundError:
        cure = "give the path of a pack"
        raise StoredDataError("there is no such file", where=str(path), cure=cure) from None
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise StoredDataError(what, where=str(path), cure=f"make it readable, or {CURE}") from None
    except MemoryError:
        raise
    except Exception as error:
        what = f"damaged, or no pack of cadp-suite ({reason(error):.200})"
        raise StoredDataError(what, where=str(path), cure=CURE) from None


def reason(error: Exception) -> str:
    """What was wrong, without the layout of pydantic's messages."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error) or type(error).__name__


def _ends(file: BinaryIO) -> tuple[int, str]:
    """Where the directory starts, and the comment; before zipfile reads a directory of any size."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LOCATOR_64 - _END_64 - _END - _COMMENT_BYTES))
    before, end, comment = _split(file.read(), _END, _COMMENT_BYTES)
    if end[:4] != b"PK\5\6" or not comment.startswith(_COMMENT.encode()):
        raise ValueError("its end is missing, or another's")
    (n_bytes,) = struct.unpack("<12xI6x", end)
    ends = _END + _COMMENT_BYTES
    before, end_64, locator = _split(before, _END_64, _LOCATOR_64)
    if locator[:4] == b"PK\6\7":
        (n_bytes,) = struct.unpack("<40xQ8x", end_64)
        ends += _END_64 + _LOCATOR_64
    if n_bytes > min(_LARGEST_DIRECTORY, size - ends):
        raise ValueError("its directory is too large")
    return size - ends - n_bytes, comment.decode("ascii")


def _split(tail: bytes, *lengths: int) -> list[bytes]:
    """The last parts of these lengths, and what is before."""
    start = len(tail) - sum(lengths)
    if start < 0:
        raise ValueError("too short")
    parts = [tail[:start]]
    for length in lengths:
        parts.append(tail[start : start + length])
        start += length
    return parts


def _refuse_odd_entries(archive: zipfile.ZipFile, directory_start: int) -> None:
    """Members lie side by side, uncompressed, and fill the file up to its directory."""
    expected, names = 0, set()
    for one in archive.infolist():
        if one.compress_type != zipfile.ZIP_STORED or one.compress_size != one.file_size:
            raise ValueError("a member is compressed")
        if one.flag_bits or len(one.filename) > _LARGEST_NAME or one.filename in names:
            raise ValueError("a member is encrypted, or its name unusable")
        if one.header_offset != expected or one.comment or len(one.extra) > _EXTRA_64:
            raise ValueError("something lies between its members")
        expected += _BEFORE_MEMBER + len(one.filename) + one.file_size
        names.add(one.filename)
    if expected != directory_start:
        raise ValueError("something lies between its members")
    last = archive.infolist()[-1] if names else None
    if last is None or last.filename != MANIFEST or last.file_size > _LARGEST_MANIFEST:
        raise ValueError("no manifest")


def _manifest(text: bytes, path: Path) -> _Manifest:
    version = _Version.model_validate_json(text).format
    if version != PACK_FORMAT:
        cure = "update cadp-suite to read it" if version > PACK_FORMAT else CURE
        value = f"format {version}"
        raise StoredDataError("a pack of another version", where=str(path), value=value, cure=cure)
    return _Manifest.model_validate_json(text)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
