"""Fetches StarCraft II 4.10 for Linux and SMAC's maps, where they are missing.

python -m suite.environments.starcraft.install [--folder F] [--accept-licence] [--sha256 S]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from suite.command_line import run_command
from suite.environments.starcraft.download import Source, download
from suite.environments.starcraft.installation import (
    Game,
    find_game,
    game_folder,
    map_files,
    map_version,
    smac_commit,
)
from suite.errors import InputError, MissingDependencyError
from suite.printing import make_console, say

LICENCE = """\
StarCraft II belongs to Blizzard. Its StarCraft II AI and Machine Learning License,
    https://blzdistsc2-a.akamaihd.net/AI_AND_MACHINE_LEARNING_LICENSE.html
lets you use the game for AI testing, machine learning and related research only, and data from that
for your own purposes. You may not pass the game on or use it commercially. Otherwise Blizzard's End
User License Agreement holds; no Blizzard account is needed. This is a summary: the text counts."""
# By typing it one accepts that licence (github.com/Blizzard/s2client-proto).
_PASSWORD = "iagreetotheeula"

# No hash is published by Blizzard, and nobody of this project has had the file. This one is checked
# by a public script that installs it (github.com/Harimus/SpinningUpPySc2, install_sc2.sh).
GAME = Source(
    url="https://blzdistsc2-a.akamaihd.net/Linux/SC2.4.10.zip",
    sha256="1052f249f30a242bf5e17cc3315324919f9689307ca6dbcdb30bb41ea3004884",
    trust=(
        ", which is not Blizzard's word but that of another project; if you trust the file, repeat "
        "with --sha256 and what was found"
    ),
)
MAPS_URL = (
    "https://raw.githubusercontent.com/oxwhirl/smac/{commit}"
    "/smac/env/starcraft2/maps/SMAC_Maps/{name}.SC2Map"
)

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    folder: Annotated[
        Path | None, typer.Option(help="where the game lies or is to lie [SC2PATH, else the usual]")
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="accept Blizzard's licence without being asked")
    ] = False,
    sha256: Annotated[
        str, typer.Option(help="of the archive of the game, where yours is another")
    ] = GAME.sha256,
) -> None:
    """Fetch StarCraft II 4.10 for Linux and SMAC's maps, where they are missing."""
    console = make_console()
    install(
        (folder or game_folder()).expanduser().absolute(),
        accepts=lambda: accept_licence or _ask(),
        tell=lambda line: say(console, line),
        game=replace(GAME, sha256=sha256.lower()),
    )


def install(
    folder: Path,
    *,
    accepts: Callable[[], bool],
    tell: Callable[[str], None],
    game: Source = GAME,
    maps_url: str = MAPS_URL,
) -> None:
    """Bring the game to `folder` if none is there, and the maps that it lacks.

    accepts: asked for the licence before the game is loaded. maps_url: with {commit} and {name}.
    Raises InputError; what has been loaded by then is kept for the next time.
    """
    try:
        found = find_game(folder)
    except MissingDependencyError:
        _install_game(folder, game, accepts, tell)
        found = find_game(folder)
    else:
        tell(f"{found.version} is installed in {folder}")
    _install_maps(found, maps_url, tell)
    if folder != game_folder():
        tell(f'tell SMAC where it is, in each shell: export SC2PATH="{folder}"')


def _install_game(
    folder: Path, source: Source, accepts: Callable[[], bool], tell: Callable[[str], None]
) -> None:
    if not sys.platform.startswith("linux"):
        what, cure = "Blizzard packs it for Linux only", "install it by Battle.net, then run this"
        raise InputError(what, where="StarCraft II", cure=cure)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        cure = "empty it, or choose another --folder"
        raise InputError("holds something else than the game", where=str(folder), cure=cure)
    if shutil.which("unzip") is None:
        cure = "install it (Debian: apt install unzip); Python alone would unpack for an hour"
        raise MissingDependencyError("the program unzip is missing", where="install", cure=cure)
    for line in LICENCE.splitlines():
        tell(line)
    if not accepts():
        cure = "nothing was loaded; skirmish needs no game"
        raise InputError("the licence was not accepted", where="StarCraft II", cure=cure)
    archive = folder.with_name(f"{folder.name}.zip")
    tell(f"loading StarCraft II 4.10 (4 GB) from {source.url}")
    download(source, archive, tell)
    tell(f"unpacking it to {folder}")
    _unpack(archive, folder)
    archive.unlink()


def _unpack(archive: Path, folder: Path) -> None:
    """What the archive holds in `StarCraftII/`, as `folder`; all of it or nothing."""
    aside = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(aside, ignore_errors=True)
    command = ["unzip", "-q", "-P", _PASSWORD, str(archive), "-d", str(aside)]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    inside = aside / "StarCraftII"
    if done.returncode or not inside.is_dir():
        shutil.rmtree(aside, ignore_errors=True)
        said = (
            " ".join(done.stderr.decode(errors="replace").split())[-200:]
            or "it holds no folder StarCraftII"
        )
        cure = "look whether the disk is full (it takes some 10 GB unpacked), then run it again"
        raise InputError(f"cannot be unpacked ({said})", where=str(archive), cure=cure)
    if folder.exists():
        folder.rmdir()  # empty, see above
    inside.rename(folder)
    shutil.rmtree(aside)


def _install_maps(game: Game, url: str, tell: Callable[[str], None]) -> None:
    """Those that are missing; others of the same names are left alone, and named."""
    n_new, others = 0, []
    for name, known in map_files().items():
        target, address = game.map_path(name), url.format(commit=smac_commit(), name=name)
        if not target.exists():
            download(Source(address, known.sha256, known.size), target, tell)
            n_new += 1
        elif map_version(game, name):
            others.append(name)
    tell(f"{len(map_files())} maps of SMAC in {game.map_path('x').parent}, {n_new} of them new")
    if others:
        tell(f"left alone, though not as in SMAC's repository: {', '.join(others)}")


def _ask() -> bool:
    if not sys.stdin.isatty():
        cure = "read it, then run this again with --accept-licence"
        raise InputError("nobody is here to be asked", where="Blizzard's licence", cure=cure)
    return typer.confirm("Do you accept it?")


if __name__ == "__main__":
    left = "what has been loaded is kept; run it again to go on"
    sys.exit(run_command(__spec__.name, "install", interrupted=left))
