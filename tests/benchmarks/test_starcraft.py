"""Comparisons with StarCraft II, on battles of the simulator itself: then both sides are known."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pymarl_agent import PymarlAgent
from recorder import Recorded, record
from starcraft_battles import (
    KEEP,
    MOVE,
    Battles,
    compare_deaths,
    death_curves,
    read_battles,
)
from starcraft_data import rules_from
from starcraft_networks import Network, as_pymarl, network_policy
from starcraft_recording import N_SEEN, Recording, compare_encoding, read_recording
from starcraft_replays import TakeOver, play
from starcraft_steps import (
    NEAR,
    Steps,
    obey,
    play_on,
    play_single_steps,
    put_in_place,
    stands_near,
    summarise,
)
from starcraft_transfer import play_network

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.rules import DEFAULT_RULES, Rules
from suite.environments.skirmish.scenario import load_scenario
from suite.errors import InputError
from suite.policies.evaluation import evaluation_seeds, play_episodes
from suite.policies.pymarl import pymarl_policy

Call = Callable[..., tuple[int, str, str]]
MAPS = ["3m", "2s3z", "MMM"]  # one type; shields and types; healers and energy
N_BATTLES = 16


@cache
def recorded(name: str) -> Recorded:
    return record(name, N_BATTLES)


def recording_of(path: Path, arrays: dict[str, np.ndarray], name: str | None = None) -> Recording:
    np.savez(path / "battles.npz", **arrays)
    return read_recording(path / "battles.npz", name)


def replays_of(path: Path, name: str, battles: list[dict[str, Any]]) -> Battles:
    file = path / "battles.json.gz"
    file.write_bytes(gzip.compress(json.dumps({"own": {"map": name, "battles": battles}}).encode()))
    return read_battles(file)["own"]


# Recorded steps


@pytest.mark.parametrize("name", [*MAPS, "bane_vs_bane"])
def test_states_tell_the_units(tmp_path: Path, name: str) -> None:
    """Where they are, their life, and agents' energy and cooldowns; the enemies' no state shows.
    Enemies of a type are told apart by their ids only."""
    kept = recorded(name)
    recording = recording_of(tmp_path, kept.arrays)
    battles, steps = np.nonzero(recording.filled)
    found, expected = recording.units(battles, steps), kept.units[battles, steps, :, :N_SEEN].copy()
    expected[expected[:, :, f.HEALTH] <= 0] = 0.0
    expected[:, recording.n_agents :, [f.ENERGY, f.COOLDOWN]] = 0.0
    types = [unit.type_name for unit in (*recording.scenario.allies, *recording.scenario.enemies)]
    is_medivac = np.array(types) == "Medivac"
    expected[:, is_medivac, f.COOLDOWN] = 0.0
    np.testing.assert_allclose(
        found[:, : recording.n_agents], expected[:, : recording.n_agents], atol=1e-4
    )
    for name in set(types[recording.n_agents :]):
        same = np.flatnonzero(np.array(types) == name)
        same = same[same >= recording.n_agents]
        rows = [np.sort(units[:, same].round(3).view("c16"), axis=1) for units in (found, expected)]
        assert np.abs(rows[0] - rows[1]).max() < 1e-2


@pytest.mark.parametrize("name", [*MAPS, "bane_vs_bane"])
def test_units_are_put_in_place_with_their_orders(tmp_path: Path, name: str) -> None:
    kept = recorded(name)
    recording = recording_of(tmp_path, kept.arrays)
    n, step = recording.n_agents, {"2s3z": 24, "MMM": 16}.get(name, 12)
    battles = np.flatnonzero(recording.filled[:, step])
    environment = SkirmishEnvironment(recording.scenario, len(battles), 0)
    put_in_place(environment, recording, battles, np.full(len(battles), step))
    units, orders = environment.units, environment.orders
    real_units, real_orders = kept.units[battles, step], kept.orders[battles, step]
    is_dead = units[:, :, f.HEALTH] <= 0
    assert is_dead.any()
    assert (orders[:, :, f.ORDER][is_dead] == f.SPENT).all()
    target = real_orders[:, :n, f.TARGET]
    aims = (real_orders[:, :n, f.ORDER] == f.ATTACK) & ~is_dead[:, :n]
    aims &= np.take_along_axis(real_units[:, :, f.HEALTH], target, axis=1) > 0
    told = kept.arrays["actions"][battles, step - 1, :, 0]
    flies = np.flatnonzero([unit.type_name == "Medivac" for unit in recording.scenario.allies])
    aims &= told >= f.FIRST_TARGET
    aims[:, flies] &= told[:, flies] == f.FIRST_TARGET + target[:, flies]  # others were refused
    b, a = np.nonzero(aims & (orders[:, :n, f.ORDER] == f.ATTACK))
    assert len(b) > max(10, 0.9 * aims.sum())  # some attacks on what flies were refused
    places = units[b, orders[b, a, f.TARGET], :2]
    np.testing.assert_allclose(places, real_units[b, target[b, a], :2], atol=1e-4)


def test_who_gathers_speed_keeps_it(tmp_path: Path) -> None:
    """The mean pace of the step before, which is a bit less than at its end."""
    kept, battles = recorded("MMM"), np.arange(N_BATTLES)
    recording = recording_of(tmp_path, kept.arrays)
    environment = SkirmishEnvironment(recording.scenario, N_BATTLES, 0)
    put_in_place(environment, recording, battles, np.full(N_BATTLES, 3))
    (medivac,) = (a for a, u in enumerate(recording.scenario.allies) if u.type_name == "Medivac")
    columns = [f.PACE, f.HEADING_X, f.HEADING_Y]
    pace, *heading = environment.units[:, medivac, columns].T
    real_pace, *real_heading = kept.units[:, 3, medivac, columns].T
    moves = real_pace > 0.1
    assert moves.any()
    assert (np.abs(pace - real_pace)[moves] < 0.05).all()
    np.testing.assert_allclose(
        np.array(heading)[:, moves], np.array(real_heading)[:, moves], atol=0.1
    )


@pytest.mark.parametrize("name", MAPS)
def test_encoded_states_show_what_was_recorded(tmp_path: Path, name: str) -> None:
    arrays = recorded(name).arrays
    found = compare_encoding(recording_of(tmp_path, arrays))
    assert found["observations"] == arrays["filled"].sum() * arrays["obs"].shape[2]
    assert found["same_available_actions"] == found["same_observations"] == 1.0
    assert found["largest_difference"] < 1e-6


def test_other_observations_and_actions_are_counted(tmp_path: Path) -> None:
    arrays = copy.deepcopy(recorded("2s3z").arrays)
    arrays["obs"][3, 2, 1, 5] += 0.25
    arrays["avail_actions"][4, 0, :2, f.NORTH] ^= 1
    found = compare_encoding(recording_of(tmp_path, arrays))
    assert found["same_observations"] == pytest.approx(1 - 1 / found["observations"], abs=1e-9)
    assert found["same_available_actions"] == pytest.approx(1 - 2 / found["observations"], abs=1e-9)
    assert found["largest_difference"] == pytest.approx(0.25, abs=1e-6)


@pytest.mark.parametrize("name", MAPS)
def test_the_simulators_own_steps_are_without_error(tmp_path: Path, name: str) -> None:
    recording = recording_of(tmp_path, recorded(name).arrays)
    rows = summarise(play_single_steps(recording, DEFAULT_RULES, 0), recording.n_agents)
    agents = [row for row in rows if row["who"] == "agents"]
    assert sum(row["n"] for row in agents if row["doing"] == "moving") > 200
    assert all(row["median_error_cells"] < 1e-6 for row in agents if row["n"] > 100)
    if name == "3m":  # hardly anybody touches an enemy, whose target no state shows
        assert all(row["mean_error_cells"] < 5e-3 for row in agents)
        assert all(row["share_far_off"] < 0.01 for row in agents)


def test_errors_are_distances_in_cells(tmp_path: Path) -> None:
    """One agent is recorded half a cell farther east in every second row."""
    arrays = copy.deepcopy(recorded("3m").arrays)
    x = arrays["state"][:, 1::2, 2]
    x[x != 0] += 0.5 / 28
    recording = recording_of(tmp_path, arrays)
    steps = play_single_steps(recording, DEFAULT_RULES, 0)
    medians = [np.median(steps.error[steps.is_compared[:, a], a]) for a in range(3)]
    assert medians == pytest.approx([0.5, 0.0, 0.0], abs=1e-6)


def test_actions_are_those_recorded(tmp_path: Path) -> None:
    """Whoever went east is now said to go west, at 1.125 cells a step."""
    arrays = copy.deepcopy(recorded("3m").arrays)
    arrays["actions"][arrays["actions"] == f.EAST] = f.WEST
    steps = play_single_steps(recording_of(tmp_path, arrays), DEFAULT_RULES, 0)
    was_east = recorded("3m").arrays["actions"][:, :-1, :, 0] == f.EAST
    lasting = arrays["filled"][:, 1:, 0] == 1
    turned = np.pad(was_east[lasting], ((0, 0), (0, 3))) & steps.is_compared
    assert turned.sum() > 30
    assert np.median(steps.error[turned]) == pytest.approx(2 * 1.125, abs=1e-5)


def test_who_is_near_others() -> None:
    units = np.zeros((1, 4, f.COOLDOWN + 1))
    units[0, :, f.X] = [5.0, 5.0 + NEAR - 0.01, 5.0 + 2 * NEAR, 5.0]
    units[0, :3, f.HEALTH] = 1.0  # the fourth is dead
    assert stands_near(units).tolist() == [[True, True, False, False]]


def test_errors_are_summed_up_by_group() -> None:
    steps = Steps(
        error=np.array([[0.1, 0.5, 9.0], [0.3, 7.0, 0.25]]),
        is_compared=np.array([[True, True, True], [True, False, True]]),
        is_near=np.array([[True, True, False], [True, True, False]]),
        doing=np.array([[f.EAST, f.FIRST_TARGET, -1], [f.STOP, f.EAST, -1]]),
    )
    rows = {(r["who"], r["where"], r["doing"]): r for r in summarise(steps, 2)}
    everybody = rows["agents", "near others", "all"]
    assert (everybody["n"], everybody["median_error_cells"]) == (3, 0.3)
    assert everybody["mean_error_cells"] == pytest.approx(0.3)
    assert everybody["share_far_off"] == pytest.approx(2 / 3)
    assert rows["agents", "near others", "moving"]["mean_error_cells"] == 0.1
    assert rows["agents", "near others", "attacking"]["mean_error_cells"] == 0.5
    assert rows["agents", "alone", "all"]["mean_error_cells"] is None
    assert rows["enemies", "alone", "all"]["mean_error_cells"] == 4.625


def test_life_of_battles_played_on(tmp_path: Path) -> None:
    kept = recorded("3m")
    rows = play_on(recording_of(tmp_path, kept.arrays), 1, DEFAULT_RULES, 0)
    lasting = kept.arrays["filled"][:, :, 0] == 1
    assert len(rows) > 10
    for row in rows:
        units = kept.units[lasting[:, row["step"]], row["step"]]
        life = units[:, :, f.HEALTH] + units[:, :, f.SHIELD]
        assert row["battles"] == len(life)
        assert row["agents_total_starcraft"] == pytest.approx(life[:, :3].sum(1).mean(), abs=1e-3)
        assert row["enemies_least_starcraft"] == pytest.approx(life[:, 3:].min(1).mean(), abs=1e-3)
        for who in ("agents", "enemies"):  # weapon periods are other draws
            difference = row[f"{who}_total_starcraft"] - row[f"{who}_total_skirmish"]
            assert abs(difference) < 0.1 * 135


def test_agents_that_are_told_to_stop_hurt_nobody(tmp_path: Path) -> None:
    arrays = copy.deepcopy(recorded("3m").arrays)
    arrays["actions"][:] = f.STOP
    last = play_on(recording_of(tmp_path, arrays), 0, DEFAULT_RULES, 0)[-1]
    assert last["enemies_total_skirmish"] == 135.0
    assert last["agents_total_skirmish"] < 60.0
    assert last["enemies_total_starcraft"] < 60.0


def test_who_should_be_dead_stops(tmp_path: Path) -> None:
    """It would walk 2 cells, had it not been for the second action, no-op."""
    arrays = copy.deepcopy(recorded("3m").arrays)
    arrays["actions"][:, 0], arrays["actions"][:, 1] = f.WEST, f.NO_OP
    recording, battles = recording_of(tmp_path, arrays), np.arange(N_BATTLES)
    environment = SkirmishEnvironment(recording.scenario, N_BATTLES, 0)
    put_in_place(environment, recording, battles, np.zeros_like(battles))
    start = environment.units[:, 1, f.X].copy()
    for t in range(2):
        obey(environment, recording, battles, t, np.ones(N_BATTLES, bool))
    np.testing.assert_allclose(environment.units[:, 1, f.X], start - 1.125, atol=1e-9)


# Replays


@pytest.mark.parametrize("name", MAPS)
def test_the_simulators_own_commands_lead_to_its_battles(tmp_path: Path, name: str) -> None:
    """The same seed draws the same weapon periods. Agents are created in another order."""
    kept = recorded(name)
    battles = replays_of(tmp_path, name, kept.replays)
    assert np.isfinite(kept.deaths).sum() > 50
    np.testing.assert_array_equal(battles.deaths, kept.deaths)
    played = play(battles, DEFAULT_RULES, 0, TakeOver.NOBODY)
    assert np.isfinite(played.error).sum() > 500
    assert np.nanmax(played.error) < 1e-9
    np.testing.assert_array_equal(played.deaths, kept.deaths)
    assert compare_deaths(battles, played.deaths)["enemies_gap_percent"] == 0.0


def test_places_told_are_compared_and_taken_over(tmp_path: Path) -> None:
    """Attacks tell places 0.3 cells too far north, moves in the first loop 0.2 too far east."""
    battles = copy.deepcopy(recorded("3m").replays)
    for battle in battles:
        for command in battle["commands"]:
            if command[2] == "attack":
                command[5] += 0.3
            elif command[2] == "move" and command[0] == 0:
                command[4] += 0.2
    shifted = replays_of(tmp_path, "3m", battles)
    found = {who: play(shifted, DEFAULT_RULES, 0, who).error for who in TakeOver}
    enemies = {who: error[:, :, 3:] for who, error in found.items()}
    np.testing.assert_allclose(np.nanmax(found[TakeOver.NOBODY][:, 0]), 0.2, atol=1e-9)
    assert np.nanmedian(enemies[TakeOver.NOBODY]) == pytest.approx(0.3, abs=1e-9)
    assert np.nanmedian(enemies[TakeOver.ALL]) < 0.1
    second = {who: np.nanmedian(error[:, 1, :3]) for who, error in found.items()}
    assert second[TakeOver.NOBODY] < 1e-9
    assert second[TakeOver.AGENTS] == pytest.approx(0.2, abs=1e-9)


def test_without_a_command_an_agent_goes_on() -> None:
    scenario = load_scenario("3m")
    told, point = np.full((1, 3, 3), KEEP), np.full((1, 3, 3, 2), np.nan)
    start = scenario.allies[1].x, scenario.allies[1].y
    told[0, [0, 2], 1] = MOVE
    point[0, 0, 1] = start[0] - 2.0, start[1]
    point[0, 2, 1] = start[0] - 4.0, start[1]  # from the end of the first move
    unhurt = np.full((1, 6), np.inf)
    battles = Battles("", scenario, told, np.full((1, 3, 3), -1), point, unhurt, np.array([3]))
    error = play(battles, DEFAULT_RULES, 0, TakeOver.NOBODY).error[0]
    assert error[[0, 2], 1] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert np.isnan(error[1]).all()


def test_agents_are_told_apart_in_every_battle(tmp_path: Path) -> None:
    """In one battle two that are created in the same cell have each other's ids."""
    battles = copy.deepcopy(recorded("3m").replays)
    first, second = (unit[0] for unit in battles[0]["units"] if unit[2:] == [1, 9, 16])
    other = {first: second, second: first}
    for command in battles[5]["commands"]:
        command[1] = other.get(command[1], command[1])
    for death in battles[5]["deaths"]:
        death[1] = other.get(death[1], death[1])
    mixed = replays_of(tmp_path, "3m", battles)
    np.testing.assert_array_equal(mixed.deaths, recorded("3m").deaths)
    assert np.nanmax(play(mixed, DEFAULT_RULES, 0, TakeOver.NOBODY).error) < 1e-9


def test_steps_without_a_command_are_kept_apart_from_stops(tmp_path: Path) -> None:
    battles = copy.deepcopy(recorded("3m").replays[:1])
    complete = replays_of(tmp_path, "3m", battles).told[0]
    del battles[0]["commands"][0]
    told = replays_of(tmp_path, "3m", battles).told[0]
    changed = np.argwhere(told != complete)
    assert len(changed) == 1
    assert told[tuple(changed[0])] == KEEP


def test_the_end_of_a_battle_kills_nobody(tmp_path: Path) -> None:
    battles = copy.deepcopy(recorded("3m").replays)
    for battle in battles:
        battle["deaths"] += [[999, unit[0], 0, 0, None] for unit in battle["units"]]
    np.testing.assert_array_equal(replays_of(tmp_path, "3m", battles).deaths, recorded("3m").deaths)


def test_curves_of_deaths() -> None:
    deaths = np.array([[8.0, np.inf, 9.0], [17.0, 1.0, np.inf]])
    curves = death_curves(deaths, 2, 3)
    assert curves["agents"].tolist() == [1.0, 1.0, 1.5]
    assert curves["enemies"].tolist() == [0.0, 0.5, 0.5]


def test_curves_are_compared_while_half_of_the_battles_last() -> None:
    scenario, nothing = load_scenario("3m"), np.zeros((3, 9, 3), int)
    real = np.full((3, 6), np.inf)
    real[:, 0] = 1.0
    battles = Battles("", scenario, nothing, nothing, np.zeros(()), real, np.array([2, 4, 9]))
    played = np.full((1, 6), np.inf)
    played[0, 0], played[0, 3:] = 17.0, 25.0
    found = compare_deaths(battles, played)
    assert found["loops"] == [8, 16, 24, 32]
    assert found["agents_starcraft"] == [1.0, 1.0, 1.0, 1.0]
    assert found["agents_skirmish"] == [0.0, 0.0, 1.0, 1.0]
    assert found["agents_gap_percent"] == pytest.approx(100 * (2 / 4) / 3)
    assert found["enemies_gap_percent"] == pytest.approx(100 * (3 / 4) / 3)


# Networks


def network(**changes: Any) -> Network:
    return Network(**{"path": "agent.th", "map": "3m", "win_rate": 50.0, **changes})


def shooting_agent() -> dict[str, torch.Tensor]:
    """It attacks the enemy of the lowest number that it may, and else goes east."""
    state = {
        name: torch.zeros_like(t) for name, t in PymarlAgent("skirmish/3m").state_dict().items()
    }
    state["fc2.bias"] = torch.tensor([0.0, 1.0, 2.0, 2.0, 3.0, 2.0, 9.0, 8.0, 7.0])
    return state


def test_an_agent_without_last_action_under_other_names() -> None:
    """It is PyMARL's agent that weighs its last action by nothing."""
    scenario, n_seen = load_scenario("3m"), load_scenario("3m").observation_size
    expected = dict(PymarlAgent("skirmish/3m").state_dict())
    ids = n_seen + scenario.n_actions
    expected["fc1.weight"][:, n_seen:ids] = 0.0
    names = {"fc1": "agent.encode", "rnn": "agent.cell", "fc2": "agent.q"}
    given = {}
    for name, tensor in expected.items():
        layer, _, rest = name.partition(".")
        given[f"{names[layer]}.{rest}"] = tensor
    first = expected["fc1.weight"]
    given["agent.encode.weight"] = torch.cat([first[:, :n_seen], first[:, ids:]], dim=1)
    found = as_pymarl(given, scenario, sees_last_action=False)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_network_plays_as_the_suites_policies_do(tmp_path: Path, call: Call) -> None:
    torch.save(shooting_agent(), tmp_path / "agent.th")
    policy = pymarl_policy(tmp_path / "agent.th", "skirmish/3m")
    outcomes = play_episodes("skirmish/3m", policy, evaluation_seeds(5, 40), lambda done: None)
    expected = 100 * outcomes.won.mean()
    assert 0 < expected < 100

    listed = '[[networks]]\npath = "agent.th"\nmap = "3m"\nwin_rate = '
    (tmp_path / "networks.toml").write_text(f"{listed}{expected + 2}\n{listed}{expected - 6}\n")
    arguments = (tmp_path / "networks.toml", "--episodes", 40, "--seed", 5)
    code, output, error = call("starcraft_transfer", *arguments, "--json")
    assert (code, error) == (0, "")
    answer = json.loads(output)
    assert [row["skirmish"] for row in answer["networks"]] == pytest.approx([expected, expected])
    assert (answer["mean_gap"], answer["worst_gap"]) == pytest.approx((4.0, 6.0))
    assert answer["maps"]["3m"] == {"networks": 2, "mean_gap": pytest.approx(4.0)}

    code, output, _ = call("starcraft_transfer", *arguments)
    assert code == 0
    assert "2 networks, 40 episodes each: mean gap 4.0 points, worst 6.0" in output


def test_deaths_of_a_network_are_those_of_its_battles(tmp_path: Path) -> None:
    torch.save(shooting_agent(), tmp_path / "agent.th")
    policy = network_policy(tmp_path / "agent.th", network())
    won, deaths = play_network("3m", policy, DEFAULT_RULES, 30, 0)
    is_lost = np.isfinite(deaths[:, :3]).all(axis=1)
    is_won = np.isfinite(deaths[:, 3:]).all(axis=1)
    assert won == pytest.approx(100 * (is_won & ~is_lost).mean())  # both may die at once
    assert (is_won | is_lost).all()
    outcomes = play_episodes("skirmish/3m", policy, evaluation_seeds(0, 30), lambda done: None)
    last = np.where(np.isfinite(deaths), deaths, 0).max(axis=1)
    np.testing.assert_array_equal(np.ceil(last / 8), outcomes.length)


def test_deaths_are_compared_with_battles_of_the_network(tmp_path: Path, call: Call) -> None:
    torch.save(shooting_agent(), tmp_path / "agent.th")
    kept = recorded("3m")
    replays_of(tmp_path, "3m", kept.replays)
    files = (tmp_path / "networks.toml", "--battles", tmp_path / "battles.json.gz")
    entry = '[[networks]]\npath = "agent.th"\nmap = "3m"\nwin_rate = 50\n'
    files[0].write_text(f'{entry}battles = "own"\n{entry}')
    code, output, _ = call("starcraft_transfer", *files, "--episodes", 20, "--json")
    assert code == 0
    answer = json.loads(output)
    first, second = answer["networks"]
    assert "deaths" not in second
    real = [int((kept.deaths[:, :3] <= loop).sum()) for loop in first["deaths"]["loops"]]
    assert first["deaths"]["agents_starcraft"] == pytest.approx(np.array(real) / N_BATTLES)
    gaps = [first["deaths"][f"{who}_gap_percent"] for who in ("agents", "enemies")]
    assert answer["deaths_gap_percent"] == pytest.approx(np.mean(gaps))
    assert max(gaps) > 0

    files[0].write_text(f'{entry}battles = "others"\n')
    code, _, error = call("starcraft_transfer", *files)
    assert (code, error.count("\n")) == (2, 1)
    assert "no such battles of 3m" in error


# What is wrong is one line


def test_rules_by_name() -> None:
    changes = ["spacing=separation", "rescan_loops=4", "draws_enemy_ids=false"]
    expected = Rules(spacing="separation", rescan_loops=4, draws_enemy_ids=False)
    assert rules_from([*changes, "period_jitter_loops=0,1.5"]) == Rules(
        spacing="separation", rescan_loops=4, draws_enemy_ids=False, period_jitter_loops=(0, 1.5)
    )
    assert rules_from(changes) == expected
    for wrong in ("speed=2", "rescan_loops=x", "draws_enemy_ids=1", "help_radius"):
        with pytest.raises(InputError, match="--rule"):
            rules_from([wrong])


SCRIPTS = ["starcraft_steps", "starcraft_replays", "starcraft_transfer"]


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("content", [None, b"\x93nothing of the kind", b"PK\x03\x04", b""])
def test_files_that_are_not_there_or_something_else(
    tmp_path: Path, call: Call, script: str, content: bytes | None
) -> None:
    path = tmp_path / "given"
    if content is not None:
        path.write_bytes(content)
    code, output, error = call(script, path)
    assert (code, output, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"{script}.py: {path}: ")
    assert ("no such file" in error) == (content is None)


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        (lambda a: a.pop("avail_actions"), [], "has no array avail_actions"),
        (lambda a: a.update(obs=a["obs"][:, :, :, :-1]), [], "not of the sizes of a map"),
        (lambda a: a.update(filled=a["filled"][:-1]), [], "filled is not (battles, steps)"),
        (lambda a: a.update(actions=a["actions"] + 50), [], "an action is out of range"),
        (lambda a: a["state"].fill(0), [], "do not show all the units of 2s3z"),
        (lambda a: None, ["--map", "3m"], "not of the sizes of 3m"),
        (lambda a: None, ["--map", "4m"], "--map: no such map"),
        (lambda a: None, ["--open-loop", 9999], "--open-loop: no battle lasts so long"),
        (lambda a: None, ["--open-loop", -1], "not a whole number"),
    ],
)
def test_recordings_that_do_not_fit(
    tmp_path: Path,
    call: Call,
    change: Callable[[dict[str, Any]], Any],
    arguments: list[Any],
    said: str,
) -> None:
    arrays = copy.deepcopy(recorded("2s3z").arrays)
    change(arrays)
    np.savez(tmp_path / "battles.npz", **arrays)
    code, output, error = call("starcraft_steps", tmp_path / "battles.npz", *arguments)
    assert (code, output, error.count("\n")) == (2, "", 1)
    assert said in error


@pytest.mark.parametrize(
    ("replacement", "arguments", "said"),
    [
        (('"3m"', '"4m"'), [], "no such map"),
        (('"3m"', '"8m"'), [], "do not fit 8m"),
        (("Marine_RL", "Zealot_RL"), [], "other agents"),
        (('"Marine"', '"Zealot"'), [], "other enemies"),
        (('"attack"', '"dance"'), [], "dance"),
        (("commands", "orders"), [], "commands"),
        (("", ""), ["--name", "other"], "--name: no such set"),
    ],
)
def test_replays_that_do_not_fit(
    tmp_path: Path, call: Call, replacement: tuple[str, str], arguments: list[str], said: str
) -> None:
    text = json.dumps({"own": {"map": "3m", "battles": recorded("3m").replays[:1]}})
    (tmp_path / "battles.json").write_text(text.replace(*replacement))
    code, output, error = call("starcraft_replays", tmp_path / "battles.json", *arguments)
    assert (code, output, error.count("\n")) == (2, "", 1)
    assert said in error


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('map = "4m"', "networks.0.map: no such map"),
        ("win_rate = 120", "networks.0.win_rate"),
        ('sees = "all"', "networks.0.sees"),
        ('path = "gone.th"', "gone.th: no such file"),
        ('map = "8m"', "agent.th: fc1.weight is for other inputs"),
        ("sees_last_action = false", "agent.th: fc1.weight is for other inputs"),
    ],
)
def test_networks_that_do_not_fit(tmp_path: Path, call: Call, line: str, said: str) -> None:
    torch.save(shooting_agent(), tmp_path / "agent.th")
    entry = {"path": '"agent.th"', "map": '"3m"', "win_rate": "50"}
    key, _, value = line.partition(" = ")
    entry[key] = value
    lines = [f"{key} = {value}" for key, value in entry.items()]
    (tmp_path / "networks.toml").write_text("\n".join(["[[networks]]", *lines]))
    code, output, error = call("starcraft_transfer", tmp_path / "networks.toml")
    assert (code, output, error.count("\n")) == (2, "", 1)
    assert said in error


def test_answers_for_programs_and_for_people(tmp_path: Path, call: Call) -> None:
    np.savez(tmp_path / "battles.npz", **recorded("3m").arrays)
    (tmp_path / "battles.json").write_text(
        json.dumps({"own": {"map": "3m", "battles": recorded("3m").replays}})
    )
    for script, file, keys, words in (
        ("starcraft_steps", "battles.npz", {"encoding", "single_steps"}, "far off, %"),
        ("starcraft_replays", "battles.json", {"sets", "take_over"}, "enemy Marine"),
    ):
        code, output, error = call(script, tmp_path / file, "--json")
        assert (code, error) == (0, "")
        assert keys | {"skirmish_version", "rules"} <= json.loads(output).keys()
        code, output, error = call(script, tmp_path / file)
        assert (code, error) == (0, "")
        assert words in output
