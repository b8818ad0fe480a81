"""Builds gfootball and installs it into the environment that runs this module.

    python -m suite.environments.football.install [--wheels FOLDER | --missing]

PyPI has its sources only. They are compiled once (some 5 minutes of 2 cores); the wheel is kept in
FOLDER and installed from there the next time. Exit code 0: it is here. 2: something is missing; the
lines on standard error say what to type. Nothing outside of this Python and FOLDER is changed.
With --missing nothing is installed: it prints the packages of the system that a build needs.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from suite.errors import CadpSuiteError, InputError, MissingDependencyError

VERSION = "2.10.2"
DEFAULT_WHEELS = Path("~/.cache/cadp-suite/wheels")
_CURE = "see the lines above and docs/environments.md (football)"
# What its own build needs, and does not say.
_BUILD = ("setuptools", "wheel", "psutil")
# A program, or a header, that the compilation needs -> the Debian package that brings it.
_PROGRAMS = {"cmake": "cmake", "c++": "g++", "make": "make"}
_HEADERS = {
    "EGL/egl.h": "libegl-dev",
    "GL/gl.h": "libopengl-dev",
    "SDL2/SDL_image.h": "libsdl2-image-dev",
    "SDL2/SDL_ttf.h": "libsdl2-ttf-dev",
    "SDL2/SDL2_gfxPrimitives.h": "libsdl2-gfx-dev",
    "boost/python.hpp": "libboost-python-dev",
    "boost/filesystem.hpp": "libboost-filesystem-dev",
    "boost/thread.hpp": "libboost-thread-dev",
    "Python.h": "python3-dev",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Install it, unless it is here."""
    parser = argparse.ArgumentParser(
        prog="python -m suite.environments.football.install", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--wheels", type=Path, default=DEFAULT_WHEELS, metavar="FOLDER")
    parser.add_argument("--missing", action="store_true")
    given = parser.parse_args(arguments)
    if given.missing:
        print(*missing_packages())
        return
    wheels = given.wheels.expanduser().absolute()
    _pip("install", *_runtime_needs())
    if (fault := fault_of_installed()) is None:
        print(f"gfootball {VERSION} is installed")
        return
    wheel = find_wheel(wheels)
    if wheel is None:
        check_can_build()
        print(f"building gfootball {VERSION}: some minutes …", flush=True)
        build(wheels)
        wheel = find_wheel(wheels)
        if wheel is None:
            raise _broken("pip has built no wheel for this Python", str(wheels))
    anew = f"see the lines above; delete {wheel} to have it built anew"
    _pip("install", "--no-deps", "--force-reinstall", str(wheel), cure=anew)
    if (fault := fault_of_installed()) is not None:
        raise _broken(f"gfootball is installed and cannot be used: {fault}", str(wheel), anew)
    print(f"gfootball {VERSION} is installed, from {wheel}")


def check_can_build() -> None:
    """MissingDependencyError with what to type, unless all is here that the compilation needs."""
    if missing := missing_packages():
        raise MissingDependencyError(
            "gfootball has to be compiled, and packages of the system are missing",
            where="football",
            value=", ".join(missing),
            cure=f"as root, on Debian or Ubuntu: apt-get install {' '.join(missing)}; then again",
        )


def missing_packages() -> list[str]:
    """Debian packages that the compilation needs and that are not here."""
    missing = [package for program, package in _PROGRAMS.items() if shutil.which(program) is None]
    # Without a compiler nobody knows which headers it would find.
    return missing + (list(_HEADERS.values()) if "g++" in missing else _missing_headers())


def _missing_headers() -> list[str]:
    """Debian packages of headers that the compiler does not find."""
    lines = [f"#if !__has_include(<{h}>)\nmissing {p}\n#endif" for h, p in _HEADERS.items()]
    folder = sysconfig.get_paths()["include"]
    asked = [*("c++", "-std=c++17", "-E", "-P", "-x", "c++", f"-I{folder}", "-")]
    found = subprocess.run(asked, input="\n".join(lines), capture_output=True, text=True)
    if found.returncode != 0:
        return list(_HEADERS.values())
    return [line.split()[1] for line in found.stdout.splitlines() if line.startswith("missing ")]


def build(wheels: Path) -> None:
    """Compile the sources to a wheel in `wheels`; InputError, with the end of the output, if not.

    The build asks for `python3` and means this one.
    """
    _pip("install", *_BUILD)
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "python3"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        environment = {
            "PATH": os.pathsep.join((folder, os.environ.get("PATH", os.defpath))),
            "LDFLAGS": "-s",  # without symbols a third of the size
            "CMAKE_POLICY_VERSION_MINIMUM": "3.5",
        }
        _pip(
            *("wheel", "--no-build-isolation", "--no-deps", "--no-binary", "gfootball"),
            *("--wheel-dir", str(wheels), f"gfootball=={VERSION}"),
            environment=environment,
        )


def find_wheel(wheels: Path) -> Path | None:
    """A kept wheel for this Python and processor."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    machine = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    found = sorted(wheels.glob(f"gfootball-{VERSION}-{python}-{python}-*.whl"))
    return next((wheel for wheel in found if wheel.stem.endswith(machine)), None)


def fault_of_installed() -> str | None:
    """Why the installed gfootball cannot be used; None if it can."""
    try:
        version = importlib.metadata.version("gfootball")
    except importlib.metadata.PackageNotFoundError:
        return "it is not installed"
    if version != VERSION:
        return f"it is version {version}"
    tried = subprocess.run(
        [sys.executable, "-c", "import suite.environments.football.engine"],
        capture_output=True,
        text=True,
    )
    return (
        None if tried.returncode == 0 else (tried.stderr.strip() or "no message").splitlines()[-1]
    )


def _runtime_needs() -> list[str]:
    """What the extra `football` of this distribution names; InputError if it names nothing."""
    try:
        wanted = importlib.metadata.requires("cadp-suite") or []
    except importlib.metadata.PackageNotFoundError:
        wanted = []
    needs = [line.partition(";")[0].strip() for line in wanted if _is_of_extra(line)]
    if not needs:  # its sources are imported, and are newer or not installed at all
        what = "these sources of cadp-suite are not those that are installed"
        home = Path(__file__).resolve().parents[3]
        raise _broken(what, str(home), f'first: "{sys.executable}" -m pip install -e "{home}"')
    return needs


def _is_of_extra(requirement: str) -> bool:
    return requirement.partition(";")[2].strip().replace("'", '"') == 'extra == "football"'


def _pip(*arguments: str, environment: dict[str, str] | None = None, cure: str = _CURE) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments, "--quiet"],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        sys.stderr.write(done.stdout[-4_000:] + done.stderr[-4_000:])
        raise _broken(f"pip {arguments[0]} has failed", " ".join(arguments[1:]), cure)


def _broken(what: str, value: str, cure: str = _CURE) -> InputError:
    return InputError(what, where="football", value=value, cure=cure)


if __name__ == "__main__":
    try:
        main()
    except CadpSuiteError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except (OSError, RuntimeError) as error:  # folders that cannot be written to, or of nobody
        print(f"football: {error}", file=sys.stderr)
        sys.exit(InputError.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
