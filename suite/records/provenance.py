"""Where a run came from: software, machine and settings that its results may depend on.

No heavy package is imported to ask its version.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from suite import __version__
from suite.environments import describe
from suite.plugins import SOURCES, plugin_sources, plugin_versions
from suite.runs.spec import RunSpec

RECORDED_PACKAGES = ("torch", "numpy", "numba", "llvmlite", "optuna", "mlflow-skinny")
# What the last digits of a result may hang on, besides the run's own settings and the processor.
NUMERIC_PACKAGES = ("torch", "numpy", "numba", "llvmlite")
# Folders and files of this package that can change a result.
_TRAINING_CODE = ("algorithms", "environments", "training", "runs", "compilation.py")
_GIT_SECONDS = 10
# How often a game behind the environments broke down in a sitting; it tells at the end.
BREAKDOWNS = "breakdowns"


def provenance(spec: RunSpec, device: str, worker_environment: Mapping[str, str]) -> dict[str, str]:
    """Everything recorded with one sitting of a run: when and where it is trained, with what.

    worker_environment: environment variables the worker process is started with (threads).
    """
    environment = describe(spec.scenario)
    return {
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **_software(),
        **_machine(),
        "environment": environment.backend,
        "environment_version": environment.backend_version,
        "device": device,
        "torch_threads": worker_environment.get("OMP_NUM_THREADS", "default"),
        "seed": str(spec.seed),
        "protocol": str(spec.algorithm.model_dump().get("protocol", "none")),
    }


@cache
def numerics() -> dict[str, str]:
    """Code and library versions that a resumed run must share with the sitting before.

    training_code: fingerprint of the sources, committed or not, that can change a result, those of
    plug-ins too. plugins: distributions that bring methods or environments, where there are any.
    """
    versions = {name: package_version(name) or "missing" for name in NUMERIC_PACKAGES}
    python = ".".join(platform.python_version_tuple()[:2])
    plugins = {"plugins": plugin_versions()} if plugin_versions() else {}
    return {"training_code": training_code(), "python": python, **versions, **plugins}


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """`torch was 2.12, is 2.13`, and so on: what two sittings do not share."""
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return ", ".join(f"{key} was {before.get(key, '?')}, is {now.get(key, '?')}" for key in keys)


def training_code() -> str:
    """Fingerprint of the sources as they are at this moment; `numerics` keeps the first."""
    digest = hashlib.sha256()
    for name, source in [*_own_sources(), *sorted(plugin_sources().items())]:
        content = source.read_bytes()
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:16]


def _own_sources() -> Iterator[tuple[str, Path]]:
    """Name and path of every source of this package that can change a result."""
    home = Path(__file__).resolve().parents[1]
    for place in _TRAINING_CODE:
        path = home / place
        sources = [path] if path.is_file() else sorted(path.rglob("*"))
        for source in sources:
            if source.suffix in SOURCES:
                yield str(source.relative_to(home)), source


def package_version(name: str) -> str | None:
    """Installed version of a distribution; None if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def processor_model() -> str:
    """The processor as its maker calls it, as far as the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        name = _output(["sysctl", "-n", "machdep.cpu.brand_string"])
        if name:
            return name
    return platform.processor() or platform.machine()


def memory_bytes() -> int | None:
    """Physical memory; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def n_usable_cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _software() -> dict[str, str]:
    commit, is_dirty = _git_state(Path(__file__).resolve().parents[2])
    return {
        "cadp-suite": __version__,
        "git_commit": commit or "not a checkout",
        "git_dirty": str(is_dirty).lower(),
        "training_code": numerics()["training_code"],
        **({"plugins": plugin_versions()} if plugin_versions() else {}),
        "python": platform.python_version(),
        **{name: package_version(name) or "missing" for name in RECORDED_PACKAGES},
    }


@cache
def _machine() -> dict[str, str]:
    memory = memory_bytes()
    return {
        "platform": platform.platform(),
        "processor": processor_model(),
        "cores": str(n_usable_cores()),
        "memory": "unknown" if memory is None else f"{memory / 2**30:.1f} GiB",
    }


def _git_state(directory: Path) -> tuple[str | None, bool]:
    """Commit of the checkout this package runs from, and whether tracked files differ from it.

    An installed copy inside somebody else's repository has no commit of ours.
    """
    git = ["git", "-C", str(directory)]
    if _output([*git, "ls-files", "--error-unmatch", "suite/__init__.py"]) is None:
        return None, False
    commit = _output([*git, "rev-parse", "HEAD"])
    changes = _output([*git, "status", "--porcelain", "--untracked-files=no"])
    return commit, bool(changes)


def _output(command: list[str]) -> str | None:
    """Standard output of a command; None if it is absent, slow or fails.

    The user's GIT_DIR and its like would have git look at another repository.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_SECONDS,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
