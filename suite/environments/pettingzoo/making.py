"""Making one of the environments that a scenario names, whatever can go wrong on the way."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cache
from importlib import import_module
from typing import Any, NoReturn

from pettingzoo import AECEnv, ParallelEnv

from suite.environments.pettingzoo.naming import Source
from suite.errors import InputError
from suite.plugins import module_sources

# What a distribution calls itself has no bound; a recorded version has one of 100.
_LONGEST = 60


def make_one(source: Source) -> ParallelEnv[Any, Any, Any]:
    """A new environment; InputError if there is none."""
    with foreign_code(source, "cannot be made", "give arguments that it takes: ?name=value"):
        made = _maker(source)(**source.arguments)
    if isinstance(made, AECEnv):
        cure = "name its parallel form, most often called parallel_env"
        refuse(source, "an environment in which agents move in turn", cure)
    if not isinstance(made, ParallelEnv):
        cure = "name what makes a pettingzoo.ParallelEnv"
        refuse(source, f"makes a {type(made).__name__}, no PettingZoo ParallelEnv", cure)
    return made


def _maker(source: Source) -> Any:
    with foreign_code(source, "its module cannot be imported", "mend or reinstall it"):
        try:
            found: Any = import_module(source.module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{source.module}.".startswith(f"{error.name}."):
                raise
            cure = "install the distribution that brings it, or name its folder in PYTHONPATH"
            refuse(source, f"there is no module {error.name}", cure)
    for part in source.name.split("."):
        if not hasattr(found, part):
            names = [name for name in vars(found) if "env" in name.lower() and name[0] != "_"]
            cure = f"use one of {', '.join(names)}" if names else "look it up in its documentation"
            refuse(source, f"module {source.module} has no {source.name}", cure)
        found = getattr(found, part)
    return found


@contextmanager
def foreign_code(source: Source, what: str, cure: str) -> Iterator[None]:
    """Whatever is raised in here as an InputError; what is printed goes to standard error."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except InputError:
        raise
    except Exception as error:  # somebody else's code
        raise failure(source, what, error, cure) from error


def failure(source: Source, what: str, error: Exception, cure: str) -> InputError:
    """An InputError that tells what other people's code raised."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return InputError(f"{what} ({reason})", where=f"{source.module}:{source.name}", cure=cure)


def refuse(source: Source, what: str, cure: str) -> NoReturn:
    """Raise an InputError about an environment."""
    raise InputError(what, where=f"{source.module}:{source.name}", cure=cure)


def version_of(module: str) -> str:
    """`distribution version` of who brings a module; else a fingerprint of its sources."""
    top = module.partition(".")[0]
    if owners := sorted(set(_distributions().get(top, ()))):
        text = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in owners)
        return text[:_LONGEST]
    digest = hashlib.sha256()
    for name, source in sorted(module_sources(module).items()):
        content = source.read_bytes()
        digest.update(f"{name} {len(content)} ".encode() + content)
    return f"{top[:_LONGEST]} of no distribution, sources {digest.hexdigest()[:12]}"


@cache
def _distributions() -> Mapping[str, Sequence[str]]:
    return importlib.metadata.packages_distributions()
