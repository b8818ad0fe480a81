"""What this machine offers: software, environments, accelerators; and known traps."""

from __future__ import annotations

import platform
import sys
from typing import Any

from rich.console import Console

from suite import __version__
from suite.algorithms import mixers, registry
from suite.command_line import interrupts_deferred
from suite.environments import registry as environments
from suite.plugins import Plugin
from suite.printing import say
from suite.records.provenance import (
    memory_bytes,
    n_usable_cores,
    package_version,
    processor_model,
)
from suite.text import one_line

NEEDED_PACKAGES = (
    *("torch", "safetensors", "numpy", "numba", "scipy", "pandas", "optuna", "mlflow-skinny"),
    "sqlalchemy",
    *("alembic", "matplotlib", "seaborn", "pydantic", "typer", "rich", "jinja2"),
)


def examine() -> dict[str, Any]:
    """The whole report as plain containers; `is_usable` says whether the embedded path works."""
    packages = {name: package_version(name) for name in NEEDED_PACKAGES}
    missing = [name for name, version in packages.items() if version is None]
    memory = memory_bytes()
    accelerators, plugins = _accelerators(), _plugins()
    is_broken = any(plugin["error"] for plugin in plugins)
    return {
        "cadp_suite": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "processor": processor_model(),
        "cores": n_usable_cores(),
        "memory_gib": None if memory is None else round(memory / 2**30, 1),
        "packages": packages,
        "missing_packages": missing,
        "environments": _environments(),
        "plugins": plugins,
        "kernels": _kernels(),
        "accelerators": accelerators,
        "is_usable": not missing and accelerators["cuda"] is not None and not is_broken,
    }


def print_report(console: Console, report: dict[str, Any]) -> None:
    """The report for people."""
    say(console, f"cadp-suite {report['cadp_suite']}, Python {report['python']}")
    memory = f"{report['memory_gib']} GiB" if report["memory_gib"] else "unknown"
    say(console, f"{report['platform']}, {report['processor']}")
    say(console, f"{report['cores']} cores, memory {memory}")
    say(console, "Packages:")
    for name, version in report["packages"].items():
        say(console, f"  {name:14} {version or 'MISSING: pip install ' + name}")
    say(console, "Environments:")
    for environment in report["environments"]:
        mark = "usable" if environment["is_usable"] else "not usable"
        say(console, f"  {environment['name']:14} {mark}: {environment['detail']}")
        if environment["cure"]:
            say(console, f"  {'':14} cure: {environment['cure']}")
    if report["plugins"]:
        say(console, "Plug-ins:")
    for plugin in report["plugins"]:
        kind, names = plugin["group"].rpartition(".")[2], ", ".join(plugin["brings"])
        mark = (
            f"not usable: {kind} {plugin['name']}" if plugin["error"] else f"usable: {kind} {names}"
        )
        say(console, f"  {plugin['distribution']:14} {mark}")
        if plugin["error"]:
            say(console, f"  {'':14} {one_line(plugin['error'])}")
    say(console, f"Compiled kernels: {report['kernels']['detail']}")
    if report["kernels"]["cure"]:
        say(console, f"  cure: {report['kernels']['cure']}")
    say(console, f"Accelerators: {one_line(report['accelerators']['detail'])}")
    verdict = "ready: try `cadp-suite run studies/reproduce_smac.toml --profile smoke`"
    if not report["is_usable"]:
        verdict = f"not ready: {_trouble(report)}"
    say(console, verdict)


def _trouble(report: dict[str, Any]) -> str:
    if report["missing_packages"]:
        return f"install {', '.join(report['missing_packages'])}"
    if report["accelerators"]["cuda"] is None:
        return "torch cannot be imported"
    return "mend or uninstall what brings broken plug-ins"


def _plugins() -> list[dict[str, Any]]:
    """Every plug-in of every group, whether it can be used or not."""
    found: list[Plugin[Any, Any]] = []
    for room in (mixers, registry, environments):
        found += room.plug_ins()
    return [
        {
            "group": plugin.group,
            "name": plugin.name,
            "value": plugin.value,
            "distribution": plugin.distribution,
            "brings": plugin.names,
            "error": None if plugin.error is None else str(plugin.error),
        }
        for plugin in found
    ]


def _environments() -> list[dict[str, Any]]:
    usable = environments.our_backends()
    for plugin in environments.plug_ins():
        usable |= dict(plugin.brings)
    embedded = []
    for name, backend in usable.items():
        names = sorted(f"{name}/{scenario}" for scenario in backend.scenarios())
        needed = [f"{one} {package_version(one) or 'is missing'}" for one in backend.needs]
        problem = backend.problem()
        what, cure = ("", None) if problem is None else problem
        if problem is None and names:
            first = backend.describe(backend.scenarios()[0])
            what = f"{backend.version_word} {first.backend_version}"
        parts = (what, backend.description, ", ".join(names), ", ".join(needed))
        detail = "; ".join(part for part in parts if part)
        embedded.append(
            {"name": name, "is_usable": problem is None, "detail": detail, "cure": cure}
        )
    return embedded


def _kernels() -> dict[str, Any]:
    """Where compiled kernels are kept, found by writing there; asked anew at each call."""
    try:
        from suite.compilation import CURE, find_folder
    except Exception as error:  # as for torch below
        detail = f"unknown, numba cannot be imported: {type(error).__name__}: {error}"
        return {"folder": None, "is_lasting": False, "detail": detail, "cure": None}
    kept = find_folder()
    is_lasting = kept.path is not None and not kept.is_temporary
    return {
        "folder": None if kept.path is None else str(kept.path),
        "is_lasting": is_lasting,
        "detail": f"kept {kept}",
        "cure": None if is_lasting else CURE,
    }


def _accelerators() -> dict[str, Any]:
    """What torch sees, `cuda` None if it cannot be imported, which only the doctor tries."""
    try:
        with interrupts_deferred():
            import torch
    except Exception as error:  # a broken installation fails in many ways; all are the answer
        detail = f"unknown, torch cannot be imported: {type(error).__name__}: {error}"
        return {"cuda": None, "mps": None, "detail": detail}
    cuda = torch.cuda.is_available()
    mps = torch.backends.mps.is_available()
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    names += ["Apple GPU (mps)"] * mps
    return {"cuda": cuda, "mps": mps, "detail": ", ".join(names) or "none, training uses the CPU"}
