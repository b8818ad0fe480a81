"""How kernels are compiled: numba, kept on disk, one file per signature and version of the sources.

Numba notices a change only in the file of the cached function, not in the files of the functions
it calls. Kernels call each other across files, so the name under which a kernel is kept carries
a fingerprint of every source it may use: changed sources never meet old machine code.

What is kept saves time and nothing else. A damaged file, a folder that cannot be written or a full
disk means compiling again, said in one line (logging, by default on standard error), never a
failure.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import pickle
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)

CURE = "set NUMBA_CACHE_DIR to a folder that you can write to"

# Enough to notice a full disk; all kernels together take some megabytes.
_PROBE_BYTES = 1 << 16
_CHECKSUM_BYTES = hashlib.sha256().digest_size

_log = logging.getLogger(__name__)

# Programs whose root logger shows everything, PyMARL for one, would print every step of every
# compilation: 200,000 lines. Who wants them sets the level of numba's logger first.
_numba_log = logging.getLogger("numba")
if _numba_log.level == logging.NOTSET:
    _numba_log.setLevel(logging.WARNING)


def compiler(sources: Iterable[Path], **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that compiles with numba at first use and keeps the result on disk.

    sources: every file whose change must lead to a new compilation. options: as for `numba.njit`.
    """
    digest = hashlib.sha256()
    for source in sorted({Path(__file__), *sources}):
        digest.update(source.read_bytes())
    fingerprint = digest.hexdigest()[:12]

    def compiled(function: Callable[..., Any]) -> Any:
        function.__qualname__ = f"{function.__qualname__}_{fingerprint}"
        kernel = numba.njit(**options)(function)
        if kernel is not function and _chosen_folder().path is not None:  # else: NUMBA_DISABLE_JIT
            kernel._cache = _KernelCache(function)
        return kernel

    return compiled


@dataclass(frozen=True)
class KernelFolder:
    """Where compiled kernels are kept.

    path: None where nothing can be written. refused: those that would have come first, but cannot
    be written to.
    """

    path: Path | None
    is_temporary: bool
    refused: tuple[Path, ...]

    def __str__(self) -> str:
        where = f"in {'the temporary folder ' if self.is_temporary else ''}{self.path}"
        if self.path is None:
            where = "nowhere, every process compiles for itself"
        refused = " and ".join(map(str, self.refused))
        return f"{where}; {refused} cannot be written to" if refused else where


def find_folder() -> KernelFolder:
    """The first folder in which a file can be written: numba's usual ones, then a temporary one.

    The temporary folder has a fixed name, so that the workers of a run and the runs after it share
    it, and only this user can enter it, because what is kept there is code.
    """
    refused: list[Path] = []
    for path in _usual_folders():
        if _can_write(path):
            return KernelFolder(path, is_temporary=False, refused=tuple(refused))
        refused.append(path)
    temporary = _private_temporary_folder()
    if temporary is not None and not _can_write(temporary):
        temporary = None
    return KernelFolder(temporary, is_temporary=temporary is not None, refused=tuple(refused))


@cache
def _chosen_folder() -> KernelFolder:
    """This process's folder; says so if it is not a usual one."""
    folder = find_folder()
    if folder.path is None or folder.is_temporary:
        _log.warning("compiled kernels are kept %s; %s", folder, CURE)
    return folder


def _usual_folders() -> list[Path]:
    """Where numba would keep what this file compiles, in its order."""
    locators = [InTreeCacheLocator, UserWideCacheLocator]
    if numba.config.CACHE_DIR:
        locators.insert(0, UserProvidedCacheLocator)
    paths = []
    for locator in locators:
        with suppress(UnicodeEncodeError):  # a checkout whose path is no text has none elsewhere
            paths.append(Path(locator(compiler, __file__).get_cache_path()))
    return [path.absolute() for path in paths if path.parts[0] != "~"]  # a user without a home


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE_BYTES))
    except OSError:
        return False
    return True


def _private_temporary_folder() -> Path | None:
    """A folder that only this user can enter; None if its name is taken by anything else."""
    try:
        path = Path(tempfile.gettempdir()) / f"cadp-suite-kernels-{os.geteuid()}"
        path.mkdir(mode=0o700, exist_ok=True)
        facts = path.lstat()
    except OSError:
        return None
    is_ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
    return path if is_ours and not facts.st_mode & 0o077 else None


class _Locator(InTreeCacheLocator):
    """Tells numba that functions are kept in our folder."""

    def get_cache_path(self) -> str:
        return str(_chosen_folder().path)

    def ensure_cache_path(self) -> None:
        """It has been tried already; made again by numba, it might be open to others."""


class _Reduction(CompileResultCacheImpl):
    """What numba keeps of a compiled function, and under which name."""

    def __init__(self, function: Callable[..., Any]) -> None:
        source = inspect.getfile(function)
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Locator(function, source)
        name = f"{Path(source).stem}.{function.__qualname__}"
        self._filename_base = self.get_filename_base(name, sys.abiflags)


class _Files(IndexDataCacheFile):
    """A file per signature: a checksum and numba's pickle.

    Numba's own pair, an index and numbered data, may disagree when two processes write at once;
    and damaged machine code, loaded unchecked, ends the process or computes something else.
    """

    def load(self, key: object) -> Any:
        """What was saved under `key`; None if nothing was, ValueError if it is damaged."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        checksum, pickled = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
        if _checksum(path, pickled) != checksum:
            raise ValueError(f"{path} is damaged, or another kernel's")
        return pickle.loads(pickled)

    def save(self, key: object, data: object) -> None:
        """Write the file whole or not at all."""
        path, pickled = self._path(key), self._dump(data)
        with self._open_for_write(str(path)) as file:
            file.write(_checksum(path, pickled) + pickled)

    def flush(self) -> None:
        """Forget the function's signatures."""
        for path in Path(self._cache_path).glob(self._index_name.replace(".nbi", ".*.kernel")):
            path.unlink(missing_ok=True)

    def _path(self, key: object) -> Path:
        """Of a signature on a kind of processor, for this numba and this source."""
        identity = repr((self._version, self._source_stamp, key)).encode()
        name = self._index_name.replace(".nbi", f".{hashlib.sha256(identity).hexdigest()[:16]}")
        return Path(self._cache_path) / f"{name}.kernel"


def _checksum(path: Path, pickled: bytes) -> bytes:
    """Of the content and of its name, which says what it is."""
    return hashlib.sha256(path.name.encode() + b"\0" + pickled).digest()


class _KernelCache(FunctionCache):
    """Numba's cache of one function; whatever it raises means compiling again."""

    _impl_class = _Reduction

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, stamp)

    def load_overload(self, signature: Any, target: Any) -> Any:
        try:
            return super().load_overload(signature, target)
        except Exception as error:  # a damaged pickle may raise anything
            _say_once("a kept kernel cannot be used and is compiled again", error)
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        try:
            super().save_overload(signature, result)
        except Exception as error:
            _say_once("a compiled kernel cannot be kept", error)


_said: set[str] = set()


def _say_once(what: str, error: Exception) -> None:
    """One line for the first of many kernels."""
    if what not in _said:
        _said.add(what)
        _log.warning("%s, as may be others: %s", what, error)
