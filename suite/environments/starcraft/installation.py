"""What of StarCraft II and SMAC is on this machine: looked for without importing or starting it."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from suite.errors import MissingDependencyError
from suite.plugins import module_sources

# Without what both say that they need: protobuf of 2022, which breaks MLflow, and much that is not
# used here. The extra holds what is.
_INSTALL_SMAC = (
    'pip install "cadp-suite[starcraft]"; '
    "pip install --no-deps pysc2 git+https://github.com/oxwhirl/smac@{commit}; then the game, as "
    "docs/environments.md says"
)
_NEEDED = ("pysc2", "s2clientprotocol", "absl", "websocket", "portpicker")
INSTALL_GAME = "python -m suite.environments.starcraft.install"

# Version of the game by the build of its program, for those that Blizzard has packed for Linux and
# those between (Blizzard/s2client-proto, buildinfo/versions.json). Others have no name here.
_VERSIONS = {
    55958: "3.16.1",
    56787: "3.17",
    59587: "4.0",
    60321: "4.1",
    67926: "4.6",
    69232: "4.6.2",
    70154: "4.7",
    71663: "4.8.2",
    72282: "4.8.3",
    73286: "4.8.4",
    73620: "4.8.6",
    74741: "4.9.2",
    75025: "4.9.3",
    75689: "4.10",
    75800: "4.10.1",
}
# What pysc2 refuses: older programs lack the interface.
_OLDEST_BUILD = 55958
# What a package calls its version has no bound; a recorded version has one of 100.
_LONGEST = 12


@dataclass(frozen=True)
class MapFile:
    """One of SMAC's maps, as SMAC's repository has it."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Game:
    """An installed game: its folder, and the build of the program that would be started."""

    folder: Path
    build: int

    @property
    def version(self) -> str:
        """`game 4.10 (Base75689)`, without the number in front where that is not known."""
        name = _VERSIONS.get(self.build)
        return f"game {name} (Base{self.build})" if name else f"game Base{self.build}"

    def map_path(self, scenario: str) -> Path:
        """Where the file of a map belongs."""
        return self.folder / "Maps" / "SMAC_Maps" / f"{scenario}.SC2Map"


def default_folder() -> Path:
    """Where the game lies unless the environment variable SC2PATH says otherwise, as in pysc2."""
    return Path("/Applications/StarCraft II" if sys.platform == "darwin" else "~/StarCraftII")


def game_folder() -> Path:
    """Where the game should be."""
    return Path(os.environ.get("SC2PATH") or default_folder()).expanduser().absolute()


def find_packages() -> str:
    """Versions of what SMAC is made of; MissingDependencyError if something is not there.

    SMAC's version has been 1.0.0 for years, and people change its code: a fingerprint of that says
    which it is.
    """
    spec = find_spec("smac")
    if spec is None or spec.origin is None:  # a folder of that name is no package
        _missing("SMAC is not installed", f"run: {_install_smac()}")
    if not any(Path(place, "env").is_dir() for place in spec.submodule_search_locations or ()):
        what = "the installed package smac is PyPI's, SMAC3, a hyperparameter optimiser"
        _missing(what, f"run: pip uninstall smac; {_install_smac()}")
    for name in _NEEDED:
        if find_spec(name) is None:
            what = f"SMAC needs the package {name}, which is not installed"
            _missing(what, f"run: {_install_smac()}")
    return f"smac {_version('smac')} {_fingerprint('smac')}, pysc2 {_version('pysc2')}"


def find_game(folder: Path | None = None) -> Game:
    """The game that SMAC would start; MissingDependencyError if there is none that it can.

    folder: where to look; `game_folder()` if None.
    """
    folder = folder or game_folder()
    elsewhere = f"{INSTALL_GAME}, or set SC2PATH to the folder of an installed game"
    if not folder.is_dir():
        _missing(f"the game is not installed in {folder}", elsewhere)
    builds = [
        int(path.name.removeprefix("Base"))
        for path in folder.glob("Versions/Base*")
        if path.name.removeprefix("Base").isdecimal()
    ]
    if not builds:
        _missing(f"{folder} holds no program of the game (Versions/Base…)", elsewhere)
    build = max(builds)  # as pysc2 chooses where it is not told
    if build < _OLDEST_BUILD:
        what = f"the game in {folder} is too old (build {build}; 3.16.1 is build {_OLDEST_BUILD})"
        _missing(what, elsewhere)
    name = "SC2.app/Contents/MacOS/SC2" if sys.platform == "darwin" else "SC2_x64"
    program = folder / "Versions" / f"Base{build:05}" / name
    if not program.is_file():
        _missing(f"the game's program {program} is missing", elsewhere)
    if not os.access(program, os.X_OK):
        _missing(f"the game's program {program} may not be started", f'chmod +x "{program}"')
    return Game(folder, build)


def check_maps(game: Game, scenarios: list[str]) -> None:
    """Raise MissingDependencyError if maps are missing, naming them."""
    missing = [name for name in scenarios if not game.map_path(name).is_file()]
    if missing:
        names = ", ".join(f"{name}.SC2Map" for name in missing)
        what = f"maps of SMAC are missing in {game.map_path(missing[0]).parent}: {names}"
        _missing(what, f"{INSTALL_GAME}, which adds what is missing")


def map_version(game: Game, scenario: str) -> str:
    """`""` for the map that SMAC's repository has, `map ` and a fingerprint for another."""
    digest = hashlib.sha256(game.map_path(scenario).read_bytes()).hexdigest()
    return "" if digest == map_files()[scenario].sha256 else f"map {digest[:8]}"


@functools.cache
def map_files() -> Mapping[str, MapFile]:
    """SMAC's maps by name, as they are in `smac_commit()`."""
    return {name: MapFile(*raw) for name, raw in _data()["maps"].items()}


def smac_commit() -> str:
    """Where SMAC and its maps are taken from: the newest of its commits, of February 2024."""
    return str(_data()["commit"])


@functools.cache
def _data() -> dict[str, dict[str, tuple[int, str]]]:
    text = resources.files(__package__).joinpath("maps.json").read_text("utf-8")
    return dict(json.loads(text))


def _install_smac() -> str:
    return _INSTALL_SMAC.format(commit=smac_commit())


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)[:_LONGEST]
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@functools.cache
def _fingerprint(module: str) -> str:
    digest = hashlib.sha256()
    for name, source in sorted(module_sources(module).items()):
        content = source.read_bytes()
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:8]


def _missing(what: str, cure: str) -> NoReturn:
    raise MissingDependencyError(what, where="backend starcraft", cure=cure)
