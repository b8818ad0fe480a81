"""The page: one file, and its data are the recording's."""

import base64
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from suite.disk import write_atomically
from suite.environments.skirmish import fields as f
from suite.environments.skirmish.rules import DEFAULT_RULES
from suite.environments.skirmish.scenario import load_scenario
from suite.environments.skirmish.tables import build_tables
from suite.replays import files
from suite.replays.html import (
    POINTS_SCALE,
    POSITION_SCALE,
    label,
    pack,
    render,
    replay_document,
)
from suite.replays.recording import Recording, record

NOWHERE = Path("no-runs")


@pytest.fixture(scope="module")
def recording() -> Recording:
    return record(load_scenario("MMM"), "nearest", 4, NOWHERE)


@pytest.fixture(scope="module")
def page(recording: Recording) -> str:
    return render(recording)


@pytest.fixture(scope="module")
def document(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="replay">(.*?)</script>', page)
    assert found
    return json.loads(found.group(1))


def unpack(data: str, scale: float, n_columns: int) -> np.ndarray:
    """As the player reads: (rows, columns)."""
    differences = np.frombuffer(zlib.decompress(base64.b64decode(data)), "<i2")
    return np.cumsum(differences.reshape(n_columns, -1), axis=1, dtype=np.int16).T / scale


def test_numbers_come_back_within_the_rounding() -> None:
    values = np.random.default_rng(0).uniform(-200, 200, (50, 3))  # differences leave 16 bits
    back = unpack(pack(values, 128), 128, 3)
    assert abs(back - values).max() <= 0.5 / 128


def test_the_page_holds_the_recording(recording: Recording, document: dict) -> None:
    columns = {"x": f.X, "y": f.Y, "health": f.HEALTH, "shield": f.SHIELD, "energy": f.ENERGY}
    columns |= {"cooldown": f.COOLDOWN, "missile_x": f.MISSILE_X, "missile_y": f.MISSILE_Y}
    assert document["tracks"].keys() == columns.keys()
    for name, column in columns.items():
        track = document["tracks"][name]
        is_place = column in (f.X, f.Y, f.MISSILE_X, f.MISSILE_Y)
        assert track["scale"] == (POSITION_SCALE if is_place else POINTS_SCALE)
        shown = unpack(track["data"], track["scale"], recording.units.shape[1])
        kept = recording.units[:, :, column]
        assert shown.shape == kept.shape
        assert abs(shown - kept).max() <= 0.5 / track["scale"] + 1e-9
    assert np.ptp(recording.units[:, :, f.MISSILE_X]) > 0
    actions = unpack(document["actions"], 1, recording.actions.shape[1])
    np.testing.assert_array_equal(actions, recording.actions)
    np.testing.assert_allclose(document["rewards"], recording.rewards, atol=5e-5)
    loops, shooters, targets = unpack(document["shots"], 1, 3).astype(int).T
    shots = np.full(recording.shots.shape, -1)
    shots[loops, shooters] = targets
    np.testing.assert_array_equal(shots, recording.shots)


def test_rounding_neither_kills_nor_revives(recording: Recording) -> None:
    units = recording.units.copy()
    units[5, 3, f.HEALTH] = 1e-6
    track = replay_document(replace(recording, units=units))["tracks"]["health"]
    shown = unpack(track["data"], track["scale"], units.shape[1])
    np.testing.assert_array_equal(shown > 0, units[:, :, f.HEALTH] > 0)


def test_units_and_terrain_are_those_of_the_scenario(document: dict, recording: Recording) -> None:
    scenario = load_scenario("MMM")
    stats = build_tables(scenario, DEFAULT_RULES).stats
    shown = [document["types"][index] for index in document["units"]]
    names = [unit.type_name for unit in (*scenario.allies, *scenario.enemies)]
    assert [one["name"] for one in shown] == list(recording.unit_types)
    assert recording.unit_types[:10] == tuple(names[:10])
    assert sorted(recording.unit_types) == sorted(names)
    stats = stats[[names.index(name) for name in recording.unit_types]]
    np.testing.assert_array_equal([one["radius"] for one in shown], stats[:, f.RADIUS])
    np.testing.assert_array_equal([one["range"] for one in shown], stats[:, f.RANGE])
    np.testing.assert_array_equal([one["is_healer"] for one in shown], stats[:, f.IS_HEALER])
    letters = {one["name"]: one["letter"] for one in shown}
    assert letters == {"Marine": "M", "Marauder": "A", "Medivac": "E"}


@pytest.mark.parametrize(("scenario", "has_climbers"), [("MMM", False), ("2c_vs_64zg", True)])
def test_terrain_is_drawn_north_up_and_cliffs_for_climbers(
    scenario: str, has_climbers: bool
) -> None:
    terrain = replay_document(record(load_scenario(scenario), "nearest", 0, NOWHERE))["terrain"]
    ground, cliff = build_tables(load_scenario(scenario), DEFAULT_RULES).is_free
    cells = np.array([list(row) for row in terrain])[::-1].T
    np.testing.assert_array_equal(cells == ".", ground)
    np.testing.assert_array_equal(cells == "-", cliff & ~ground & has_climbers)


def test_the_page_needs_nothing_else(page: str) -> None:
    assert not re.search(r"\w://", page)
    for word in ("src=", "href=", "url(", "@import", "import(", "fetch(", "<link", "<iframe"):
        assert word not in page
    assert """content="default-src 'none';""" in page  # and the browser is told to load nothing


def test_the_page_says_what_it_is(page: str, recording: Recording) -> None:
    text = " ".join(re.sub(r"<(script|style).*?</\1>|<[^>]*>", "", page, flags=re.DOTALL).split())
    version = recording.version
    assert f"Not StarCraft II: the simulator skirmish, version {version}" in text
    said = (
        "skirmish/MMM policy nearest (SMAC's heuristic AI, available actions only), episode seed 4"
    )
    assert said in text.replace("&#39;", "'")
    assert '<html lang="en">' in page
    assert "<title>skirmish/MMM, nearest, seed 4: replay</title>" in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'element\("([\w-]+)"\)', page))
    assert used <= set(ids)  # the player asks for nothing that is not there
    assert len(used) > 10


def test_the_same_recording_gives_the_same_page(page: str, recording: Recording) -> None:
    assert render(recording) == page


def test_a_page_knows_its_label(page: str, recording: Recording, tmp_path: Path) -> None:
    assert files.read_label(page) == label(recording)
    path = files.replay_path(tmp_path, "MMM", "nearest", 4)
    write_atomically(path, page)
    assert files.find_replays(tmp_path) == [files.Replay(label(recording), page)]
    assert [path.name for path in path.parent.iterdir()] == ["MMM-nearest-seed4.html"]
