"""What users run. Gates (lint, types, tests) are in tox.ini.

nox -s reproduce_smac                      # profile quick: minutes
nox -s reproduce_smac -- --profile smoke   # about a minute after installation
nox -s sweep -- studies/<name>.toml        # any study file
nox -s report -- studies/<name>.toml       # rebuild a report from what is recorded
nox -s bench                               # benchmarks beside their floors
"""

from __future__ import annotations

import json

import nox

nox.options.sessions = ["reproduce_smac"]
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"

PINS = {"PIP_CONSTRAINT": "constraints.txt", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _install(session: nox.Session, *extra: str) -> None:
    session.log("installing pinned packages (the first time takes a few minutes) …")
    session.install("-e", ".", *extra, env=PINS)


def _without_workers(options: list[str]) -> list[str]:
    """The options that the report shares with the run."""
    kept = iter(options)
    shared = []
    for option in kept:
        if option == "--workers":
            next(kept, None)
        elif not option.startswith("--workers="):
            shared.append(option)
    return shared


def _run_and_report(session: nox.Session, study: str, options: list[str]) -> None:
    """Train what is missing, then build the report; fails at the end if a run failed."""
    session.run("cadp-suite", "run", study, *options, success_codes=[0, 1])
    shared = _without_workers(options)
    status = session.run("cadp-suite", "status", study, *shared, "--json", silent=True, log=False)
    session.run("cadp-report", "build", study, *shared)
    n_failed = json.loads(str(status))["counts"]["failed"]
    if n_failed:
        session.error(f"{n_failed} runs failed; the report lists them with their tracebacks")


@nox.session
def reproduce_smac(session: nox.Session) -> None:
    """CADP and its baselines on SMAC scenarios; [--profile smoke|quick|paper]."""
    _install(session)
    _run_and_report(session, "studies/reproduce_smac.toml", session.posargs)


@nox.session
def sweep(session: nox.Session) -> None:
    """Run any study: nox -s sweep -- studies/<name>.toml [--profile P] [--workers N]."""
    if not session.posargs:
        session.error("name a study: nox -s sweep -- studies/<name>.toml")
    _install(session)
    _run_and_report(session, session.posargs[0], list(session.posargs[1:]))


@nox.session
def report(session: nox.Session) -> None:
    """Build a report from recorded runs: nox -s report -- studies/<name>.toml [--profile P]."""
    _install(session)
    session.run("cadp-report", "build", *(session.posargs or ["studies/reproduce_smac.toml"]))


@nox.session
def bench(session: nox.Session) -> None:
    """Benchmarks (pytest-benchmark), each beside its floor, one thread."""
    _install(session, *nox.project.dependency_groups(_pyproject(), "tests"))
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    session.run("pytest", "benchmarks", *session.posargs, env=threads)


def _pyproject() -> dict[str, object]:
    return nox.project.load_toml("pyproject.toml")
