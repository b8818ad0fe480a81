"""What users run. Gates (lint, types, tests) are in tox.ini.

nox -s reproduce_smac                      # profile quick: minutes
nox -s reproduce_smac -- --profile smoke   # about a minute after installation
nox -s reproduce_smac -- --backend starcraft  # on StarCraft II, where that is installed
nox -s reproduce_football                  # the same on football; builds gfootball first
nox -s sweep -- studies/<name>.toml        # any study file
nox -s report -- studies/<name>.toml       # rebuild a report from what is recorded
nox -s bench                               # benchmarks beside their floors
nox -s install_starcraft                   # StarCraft II 4.10 and SMAC's maps, after asking

`nox -s sweep -- --help` lists the options.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import nox

nox.options.sessions = ["reproduce_smac"]
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"

PINS = {"PIP_CONSTRAINT": "constraints.txt", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

RUN, STATUS, BUILD = "cadp-suite run", "cadp-suite status", "cadp-report build"

# Which of these commands know an option; all options take a value. tests/test_noxfile.py holds the
# table against the command lines.
OPTIONS = {
    "--profile": {RUN, STATUS, BUILD},
    "--backend": {RUN, STATUS, BUILD},
    "--runs-dir": {RUN, STATUS, BUILD},
    "--workers": {RUN},
    "--device": {RUN},
    "--if-changed": {RUN},
    "--output": {BUILD},
}

REPRODUCTION = "studies/reproduce_smac.toml"
FOOTBALL = "studies/reproduce_football.toml"

# Backends, as a study names them, and the extra with their packages. That of `pettingzoo` is what
# our example plays.
STARCRAFT, FOOTBALL_BACKEND = "starcraft", "football"
EXTRAS = {FOOTBALL_BACKEND: "football", "smax": "smax", "pettingzoo": "mpe2"}
# SMAC says that it needs a protobuf of 2022, pysc2 much that is not used here: the extra has what
# is. A commit is a hash of all that is in it.
SMAC = ("pysc2", "git+https://github.com/oxwhirl/smac@{commit}")
MAPS = "suite/environments/starcraft/maps.json"

# After Ctrl-C the command stops its workers and says what it has kept.
STOPPING_SECONDS = 60.0


@nox.session
def reproduce_smac(session: nox.Session) -> None:
    """CADP and its baselines on SMAC: [--profile smoke|quick|paper|mappo|tuned] [--workers N] …"""
    options = _options_of_reproduction(session)
    _install(session, study=REPRODUCTION, options=options)
    _run_and_report(session, REPRODUCTION, options)


@nox.session
def reproduce_football(session: nox.Session) -> None:
    """CADP and its baselines on football: [--profile smoke|quick|paper] [--workers N] …"""
    options = _options_of_reproduction(session)
    _install(session, study=FOOTBALL, options=options)
    _run_and_report(session, FOOTBALL, options)


@nox.session
def sweep(session: nox.Session) -> None:
    """Run any study: nox -s sweep -- studies/<name>.toml [--profile P] [--workers N] …"""
    given, options = _arguments(session, RUN, BUILD)
    study = _study(session, given)
    _install(session, study=study, options=options)
    _run_and_report(session, study, options)


@nox.session
def report(session: nox.Session) -> None:
    """Build a report from recorded runs: nox -s report -- [studies/<name>.toml] [--profile P] …"""
    given, options = _arguments(session, BUILD)
    study = _study(session, given or [REPRODUCTION])
    _install(session, study=study, options=options)
    _call(session, BUILD, study, options)


@nox.session
def bench(session: nox.Session) -> None:
    """Benchmarks (pytest-benchmark), each beside its floor, one thread."""
    _install(session, *nox.project.dependency_groups(_pyproject(), "tests"))
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    session.run("pytest", "benchmarks", *session.posargs, env=threads)


@nox.session
def install_starcraft(session: nox.Session) -> None:
    """StarCraft II 4.10 for Linux and SMAC's maps: [--folder F] [--accept-licence] [--sha256 S]"""
    parser = _Parser(prog="nox -s install_starcraft --", allow_abbrev=False)
    parser.add_argument("--folder", metavar="F", help="where the game lies or is to lie")
    parser.add_argument("--accept-licence", action="store_true", help="do not ask")
    parser.add_argument("--sha256", metavar="S", help="of the game's archive, if you trust another")
    try:
        parser.parse_args(session.posargs)
    except ValueError as error:
        session.error(f"{error}; see nox -s install_starcraft -- --help")
    except SystemExit:
        session.skip("only the help was asked for")
    _install_smac(session)
    fetch = ("python", "-m", "suite.environments.starcraft.install")
    session.run(*fetch, *session.posargs, env={"PYTHONPATH": None})
    session.run("cadp-suite", "doctor", env={"PYTHONPATH": None})


def _pyproject() -> dict[str, object]:
    return nox.project.load_toml("pyproject.toml")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _arguments(session: nox.Session, *commands: str) -> tuple[list[str], dict[str, str]]:
    """What stands after `--`: study files, and the options that one of `commands` knows.

    Ends the session, before anything is installed, at a wrong option and after `--help`.
    """
    parser = _Parser(
        prog=f"nox -s {session.name} --",
        description="Options are those of the commands behind them, whose --help explains them.",
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("study", nargs="*", metavar="STUDY", help="study files, as in studies/")
    parser.add_argument("-h", "--help", action="store_true", help="show this and run nothing")
    for option, known_by in OPTIONS.items():
        asked = [command for command in commands if command in known_by]
        if asked:
            name = option.removeprefix("--").upper()
            parser.add_argument(option, dest=option, metavar=name, help=" and ".join(asked))
    try:
        given = vars(parser.parse_intermixed_args(session.posargs))
    except ValueError as error:
        session.error(f"{error}; see nox -s {session.name} -- --help")
    if given.pop("help"):
        print(parser.format_help())
        session.skip("only the help was asked for")
    page = given.get("--output")
    if page is not None and (not page.endswith(".html") or Path(page).is_dir()):
        session.error(f"--output names no .html file (got {page!r})")  # not after days of training
    return given.pop("study"), {option: v for option, v in given.items() if v is not None}


def _options_of_reproduction(session: nox.Session) -> dict[str, str]:
    """Options of a session that has its own study."""
    given, options = _arguments(session, RUN, BUILD)
    if given:
        session.error(f"{session.name} has its own study; run yours by: nox -s sweep -- {given[0]}")
    return options


def _study(session: nox.Session, given: list[str]) -> str:
    """The one study file; ends the session if it is not one, or not there."""
    if len(given) != 1:
        found = f" (got {' and '.join(given)})" if given else ""
        session.error(f"name one study{found}: nox -s {session.name} -- studies/<name>.toml")
    if not Path(given[0]).is_file():
        session.error(f"no such study file: {given[0]}; those that are here lie in studies/")
    return given[0]


def _install(
    session: nox.Session, *extra: str, study: str = "", options: Mapping[str, str] | None = None
) -> None:
    session.log("installing pinned packages (the first time takes a few minutes) …")
    backend = (options or {}).get("--backend")
    said = Path(study).read_bytes() if study and backend is None else b""
    named = {one for one in (STARCRAFT, *EXTRAS) if backend == one or f"{one}/".encode() in said}
    if STARCRAFT in named:
        _install_smac(session)
    wanted = ",".join(EXTRAS[one] for one in EXTRAS if one in named)
    if STARCRAFT not in named or wanted:
        session.install("-e", f".[{wanted}]" if wanted else ".", *extra, env=PINS)
    if FOOTBALL_BACKEND in named:
        # Compiled once, some minutes; kept for other sessions and clones.
        session.run("python", "-m", "suite.environments.football.install", env=PINS)


def _install_smac(session: nox.Session) -> None:
    session.install("-e", f".[{STARCRAFT}]", env=PINS)
    commit = json.loads(Path(MAPS).read_text("utf-8"))["commit"]
    session.install("--no-deps", *(name.format(commit=commit) for name in SMAC), env=PINS)


def _run_and_report(session: nox.Session, study: str, options: dict[str, str]) -> None:
    """Train what is missing, then build the report; fails at the end if a run failed."""
    patience = {"interrupt_timeout": STOPPING_SECONDS, "terminate_timeout": STOPPING_SECONDS}
    _call(session, RUN, study, options, success_codes=[0, 1], **patience)
    _call(session, BUILD, study, options)
    status = _call(session, STATUS, study, options, "--json", silent=True, stderr=None, log=False)
    n_failed = json.loads(status)["counts"]["failed"] if status else 0  # none: --install-only
    if n_failed:
        session.error(f"{n_failed} runs failed; the report lists them with their tracebacks")


def _call(
    session: nox.Session,
    command: str,
    study: str,
    options: dict[str, str],
    *more: str,
    **how: Any,
) -> Any:
    """A command with those of the options that it knows; only the environment's own packages."""
    known = [f"{option}={v}" for option, v in options.items() if command in OPTIONS[option]]
    return session.run(*command.split(), study, *known, *more, env={"PYTHONPATH": None}, **how)
