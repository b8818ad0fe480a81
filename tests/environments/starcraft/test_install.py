"""Fetching the game and the maps, from a file server on this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from suite.environments.starcraft import download as downloading
from suite.environments.starcraft import install as installing
from suite.environments.starcraft import installation
from suite.environments.starcraft.download import Source, download
from suite.environments.starcraft.install import LICENCE, install
from suite.errors import InputError, MissingDependencyError

CONTENT = os.urandom(100_000)
LARGE = bytes(64) * 400_000


class Server(ThreadingHTTPServer):
    """Files by path, and how badly they are served.

    cuts: after how many bytes the next answers end too early. asked: the Range of each request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.has_ranges, self.says_length = True, True
        self.cuts: list[int] = []
        self.codes: list[int] = []
        self.asked: list[str | None] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        if server.codes:
            self.send_error(server.codes.pop(0))
            return
        content = server.files.get(self.path[1:])
        if content is None:
            self.send_error(404)
            return
        start = 0
        if wanted and server.has_ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if server.says_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + server.cuts.pop(0) if server.cuts else len(content)
        self.wfile.write(content[start:end])

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(downloading, "_PAUSE_SECONDS", 0.0)
    with Server() as server:
        server.files["file"] = CONTENT
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def source(server: Server, **changes: Any) -> Source:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    return Source(**{"url": server.url("file"), "sha256": sha256, "size": None} | changes)


def test_a_file_arrives_and_is_left_alone_then(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "file"
    for _ in range(2):
        download(source(server, size=len(CONTENT)), target, print)
        assert target.read_bytes() == CONTENT
    assert server.asked == [None]
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("says_length", [True, False])
def test_what_is_cut_goes_on_by_itself(server: Server, says_length: bool, tmp_path: Path) -> None:
    """Without a length nobody knows that something is missing, but for the hash."""
    server.cuts, server.says_length = [30_000, 0, *[10_000] * 6], says_length
    told: list[str] = []
    if says_length:
        download(source(server), tmp_path / "file", told.append)
        assert (tmp_path / "file").read_bytes() == CONTENT
        assert server.asked[:4] == [None, "bytes=30000-", "bytes=30000-", "bytes=40000-"]
        assert told[0] == "the connection was cut after 30000 of 100000 bytes; going on"
    else:
        with pytest.raises(InputError, match="has SHA-256"):
            download(source(server), tmp_path / "file", told.append)


def test_what_a_call_has_loaded_is_kept_for_the_next(server: Server, tmp_path: Path) -> None:
    server.cuts = [40_000, 0, 0, 0, 0]
    with pytest.raises(InputError, match=r"cut after 40000 of 100000 bytes\); run it again.*part"):
        download(source(server), tmp_path / "file", print)
    assert not (tmp_path / "file").exists()
    download(source(server), tmp_path / "file", print)
    assert server.asked[-1] == "bytes=40000-"
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_without_ranges_begins_again(server: Server, tmp_path: Path) -> None:
    server.has_ranges, server.cuts = False, [40_000]
    download(source(server), tmp_path / "file", print)
    assert server.asked == [None, "bytes=40000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_whole_file_without_its_name_needs_nothing_more(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    download(source(server), tmp_path / "file", print)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_passing_trouble_of_the_server_is_waited_for(server: Server, tmp_path: Path) -> None:
    server.codes = [503, 500]
    told: list[str] = []
    download(source(server), tmp_path / "file", told.append)
    assert told == [
        "the server answers 503 Service Unavailable; going on",
        "the server answers 500 Internal Server Error; going on",
    ]


def test_progress_of_large_files(server: Server, tmp_path: Path) -> None:
    server.files["file"] = LARGE
    told: list[str] = []
    sha256 = hashlib.sha256(LARGE).hexdigest()
    download(source(server, sha256=sha256), tmp_path / "file", told.append)
    assert len(told) == 10
    assert told[-1] == "0.0 of 0.0 GB"


REFUSED = {
    "hash": ({"sha256": "0" * 64}, "has SHA-256 [0-9a-f]{64}, not 0{64}; delete .*file.part"),
    "size": ({"size": 99}, "it has 100000 bytes there, not 99"),
    "address": ({"path": "nothing"}, "the server answers 404 Not Found; look whether the address"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_the_file_is_refused(server: Server, what: str, tmp_path: Path) -> None:
    changes, message = REFUSED[what]
    changes = dict(changes)
    url = server.url(changes.pop("path", "file"))
    with pytest.raises(InputError, match=message) as caught:
        download(source(server, url=url, **changes), tmp_path / "file", print)
    assert str(caught.value).startswith(url)
    assert not (tmp_path / "file").exists()
    assert len(server.asked) == 1


def test_an_old_file_of_that_name_is_checked_too(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"something else")
    with pytest.raises(InputError, match="has 14 bytes, not 100000"):
        download(source(server, size=len(CONTENT)), tmp_path / "file", print)
    assert server.asked == []


def test_no_server(server: Server, tmp_path: Path) -> None:
    with Server() as other:
        url = other.url("file")
    with pytest.raises(InputError, match=r"no connection: .*refused"):
        download(source(server, url=url), tmp_path / "file", print)


def test_a_full_disk(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"cannot be written .No space left on device.; free some"):
        download(source(server), tmp_path / "file", print)


def test_too_little_space(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 99_999}))
    with pytest.raises(InputError, match=r"0\.0 GB are still to come, 0.0 GB are free; free some"):
        download(source(server), tmp_path / "file", print)
    assert not (tmp_path / "file.part").exists()


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "folder").touch()
    with pytest.raises(InputError, match=r"cannot be written .(Not a directory|File exists)"):
        download(source(server), tmp_path / "folder" / "file", print)


@pytest.fixture
def site(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A server with an archive of the game, under Blizzard's password, and two maps."""
    for needed in ("zip", "unzip"):
        if shutil.which(needed) is None:
            pytest.skip(f"the program {needed} is not here")
    inside = tmp_path / "site" / "StarCraftII"
    program = inside / "Versions" / "Base75689" / "SC2_x64"
    program.parent.mkdir(parents=True)
    program.write_bytes(CONTENT)
    program.chmod(0o755)
    (inside / "Maps").mkdir()
    archive = tmp_path / "site" / "game.zip"
    command = ["zip", "-q", "-r", "-P", "iagreetotheeula", str(archive), "StarCraftII"]
    subprocess.run(command, check=True, cwd=inside.parent)
    server.files["game.zip"] = archive.read_bytes()
    maps = {name: f"map {name}".encode() for name in ("3m", "8m")}
    for name, content in maps.items():
        server.files[f"{installation.smac_commit()}/{name}.SC2Map"] = content
    known = {
        name: installation.MapFile(len(content), hashlib.sha256(content).hexdigest())
        for name, content in maps.items()
    }
    for module in (installation, installing):
        monkeypatch.setattr(module, "map_files", lambda: known)
    sha256 = hashlib.sha256(server.files["game.zip"]).hexdigest()
    return Source(server.url("game.zip"), sha256, trust=installing.GAME.trust)


def run(
    folder: Path, game: Source, server: Server, *, accepts: bool = True
) -> tuple[list[str], int]:
    """What is told, and how often the licence was asked for."""
    told: list[str] = []
    asked: list[int] = []

    def answer() -> bool:
        assert told[-len(LICENCE.splitlines()) :] == LICENCE.splitlines()
        asked.append(len(server.asked))
        return accepts

    maps_url = server.url("{commit}/{name}.SC2Map")
    install(folder, accepts=answer, tell=told.append, game=game, maps_url=maps_url)
    assert asked in ([], [0])  # before anything is loaded
    return told, len(asked)


def test_everything_and_then_nothing(server: Server, site: Source, tmp_path: Path) -> None:
    folder = tmp_path / "my games" / "StarCraftII"
    told, n_asked = run(folder, site, server)
    assert n_asked == 1
    assert "2 maps of SMAC in" in told[-2]
    assert "2 of them new" in told[-2]
    assert told[-1].endswith(f'export SC2PATH="{folder}"')
    game = installation.find_game(folder)
    assert game.build == 75689
    assert [game.map_path(name).read_text() for name in ("3m", "8m")] == ["map 3m", "map 8m"]
    assert list(folder.parent.iterdir()) == [folder]
    n_requests = len(server.asked)
    told, n_asked = run(folder, site, server)
    assert (len(server.asked), n_asked) == (n_requests, 0)
    assert told[0] == f"game 4.10 (Base75689) is installed in {folder}"
    assert "0 of them new" in told[1]


def test_only_what_is_missing(server: Server, site: Source, tmp_path: Path) -> None:
    """Also beside another version of the game; a map of one's own stays as it is."""
    run(tmp_path / "game", site, server)
    game = installation.find_game(tmp_path / "game")
    (tmp_path / "game" / "Versions" / "Base75689").rename(
        tmp_path / "game" / "Versions" / "Base69232"
    )
    game.map_path("3m").unlink()
    game.map_path("8m").write_text("my own")
    told, n_asked = run(tmp_path / "game", site, server)
    assert n_asked == 0
    assert told[0].startswith("game 4.6.2 (Base69232) is installed")
    assert "1 of them new" in told[1]
    assert told[2] == "left alone, though not as in SMAC's repository: 8m"
    assert game.map_path("3m").read_text() == "map 3m"
    assert game.map_path("8m").read_text() == "my own"


def test_the_licence_declined(server: Server, site: Source, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the licence was not accepted; nothing was loaded"):
        run(tmp_path / "game", site, server, accepts=False)
    assert server.asked == []
    assert not (tmp_path / "game").exists()


def test_another_archive_is_told_with_what_was_found(
    server: Server, site: Source, tmp_path: Path
) -> None:
    """It is kept: who trusts it says so, and nothing is loaded again."""
    wrong = Source(site.url, "1" * 64, trust=site.trust)
    with pytest.raises(InputError, match=f"has SHA-256 {site.sha256}, not 1{{64}}.*--sha256"):
        run(tmp_path / "game", wrong, server)
    n_bytes = (tmp_path / "game.zip.part").stat().st_size
    server.asked.clear()
    run(tmp_path / "game", site, server)
    assert server.asked[0] == f"bytes={n_bytes}-"
    assert installation.find_game(tmp_path / "game").build == 75689


def test_a_damaged_archive(server: Server, site: Source, tmp_path: Path) -> None:
    """Whose hash somebody has confirmed, that is."""
    damaged = bytearray(server.files["game.zip"])
    damaged[len(damaged) // 2] ^= 255
    server.files["game.zip"] = bytes(damaged)
    trusted = Source(site.url, hashlib.sha256(damaged).hexdigest())
    with pytest.raises(InputError, match=r"game\.zip: cannot be unpacked"):
        run(tmp_path / "game", trusted, server)
    assert not (tmp_path / "game").exists()
    assert not (tmp_path / "game.unpacking").exists()


def test_an_archive_of_something_else(server: Server, site: Source, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("readme", "hello")
    server.files["game.zip"] = (tmp_path / "other.zip").read_bytes()
    trusted = Source(site.url, hashlib.sha256(server.files["game.zip"]).hexdigest())
    with pytest.raises(InputError, match="it holds no folder StarCraftII"):
        run(tmp_path / "game", trusted, server)


def test_other_folders_are_left_alone(server: Server, site: Source, tmp_path: Path) -> None:
    (tmp_path / "site" / "letter").touch()
    with pytest.raises(InputError, match="site: holds something else than the game; empty it"):
        run(tmp_path / "site", site, server)
    (tmp_path / "empty").mkdir()
    run(tmp_path / "empty", site, server)


def test_without_unzip(
    server: Server, site: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="the program unzip is missing"):
        run(tmp_path / "game", site, server)
    assert server.asked == []


def test_the_command_asks_nobody_who_is_not_there(tmp_path: Path) -> None:
    """But says what it would ask; options stand in its help."""
    command = [sys.executable, "-m", "suite.environments.starcraft.install"]
    arguments = ["--folder", str(tmp_path / "game")]
    done = subprocess.run(
        [*command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 2
    said = done.stderr.splitlines()
    assert LICENCE.splitlines()[1].strip() in done.stderr
    assert said[-1].startswith("install: Blizzard's licence: nobody is here to be asked; read it")
    done = subprocess.run([*command, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert {"--folder", "--accept-licence", "--sha256"} <= set(done.stdout.split())
