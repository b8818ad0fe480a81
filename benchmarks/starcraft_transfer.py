"""Play networks trained in StarCraft II on skirmish, and compare their win rates.

NETWORKS is a TOML file that lists them:

\b
    [[networks]]
    path = "3m/agent.th"      # relative to this file
    map = "3m"
    win_rate = 97.5           # in StarCraft II, %
    sees_last_action = true   # the default
    name = "qmix"             # optional, as is a source = "…"
    battles = "3m_qmix"       # optional: battles of this network, see --battles

A path is a file of torch.save with the weights of PyMARL's recurrent agent: linear, GRU cell,
linear, in this order, under whatever names; its inputs are the observation, the last action (if it
sees it) and the agent's number. No code in the file is run. Every network plays N episodes,
greedily, each agent on its own.

With --battles FILE (as for starcraft_replays.py) deaths over time of the networks that name a set
of battles are compared with those battles.

What one may conclude. A network that won in StarCraft II and loses here relies on something that
skirmish has wrong, if only a detail; one that wins here as there says that what it relies on is
right enough. Both are about the battles of such play, not about others, and networks that win never
or always, there and here, say little. A difference of a few points means nothing: the rates here
scatter by ± 8 points with 160 episodes, and StarCraft's rest on few episodes or runs; tens of
points do. No gap, however small, makes a win rate measured on skirmish one of StarCraft II. Rules
should be chosen by battles (starcraft_steps.py, starcraft_replays.py) and judged here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from starcraft_battles import Battles, Floats, compare_deaths, read_battles, record_deaths
from starcraft_data import (
    Json,
    RuleChanges,
    Seed,
    file_argument,
    make_app,
    rules_from,
    run_script,
    show_table,
)
from starcraft_networks import Network, network_policy, read_networks
from starcraft_replays import show_deaths

from suite.command_line import interrupts_deferred
from suite.environments.skirmish import SKIRMISH_VERSION
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.rules import Rules
from suite.environments.skirmish.scenario import load_scenario
from suite.errors import InputError
from suite.options import number_from, path_from
from suite.printing import print_json

if TYPE_CHECKING:
    from suite.algorithms.interface import Actor
    from suite.policies import Policy


class DeathWatch:
    """An actor that also notes who dies when: deaths (slots, units), infinite for who lives."""

    def __init__(self, environment: SkirmishEnvironment, actor: Actor) -> None:
        self._environment, self._actor = environment, actor
        self.deaths: Floats = np.full(environment.units.shape[:2], np.inf)
        self._n_steps = 0

    def __call__(self, t: int, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        if t > 0:
            self.look()
        return self._actor(t, slots)

    def look(self) -> None:
        """Note the deaths of the step just played; who is dead already stays so."""
        record_deaths(self.deaths, self._environment.loop_units, self._n_steps)
        self._n_steps += 1


def play_network(
    name: str, policy: Policy, rules: Rules, n_episodes: int, seed: int
) -> tuple[float, Floats]:
    """Win rate in %, and the loop of every unit's death (episodes, units), of episodes on a map."""
    from suite.policies.evaluation import evaluation_seeds
    from suite.training.rollout import play

    environment = SkirmishEnvironment(
        load_scenario(name), n_episodes, seed, rules, records_loops=True
    )
    watch = DeathWatch(environment, policy.actor(environment))
    seeds = evaluation_seeds(seed, n_episodes)
    outcomes = play(environment, np.arange(n_episodes), seeds, lambda: watch)
    watch.look()
    return 100 * float(outcomes.won.mean()), watch.deaths


app = make_app()


@app.command(help=__doc__)
def main(
    networks: Annotated[Path, file_argument("NETWORKS", "The list of networks (.toml).")],
    episodes: Annotated[
        int, typer.Option(parser=number_from(1, 100_000), metavar="N", help="Per network.")
    ] = 160,
    battles: Annotated[
        Path | None,
        typer.Option(
            parser=path_from("--battles"), metavar="FILE", help="Battles to compare deaths with."
        ),
    ] = None,
    rule: RuleChanges = (),  # type: ignore[assignment]
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    rules, listed = rules_from(rule), read_networks(networks)
    sets = read_battles(battles) if battles is not None else {}
    for network in listed:
        _check_battles(network, sets, networks, battles)
    with interrupts_deferred():
        import torch
    torch.set_num_threads(1)
    policies = [network_policy(networks.parent / one.path, one) for one in listed]
    rows: list[dict[str, Any]] = []
    for network, policy in zip(listed, policies, strict=True):
        won, deaths = play_network(network.map, policy, rules, episodes, seed)
        row: dict[str, Any] = {
            "map": network.map,
            "name": network.name or network.path,
            "source": network.source,
            "starcraft": network.win_rate,
            "skirmish": won,
            "gap": abs(won - network.win_rate),
        }
        if battles is not None and network.battles is not None:
            row["deaths"] = compare_deaths(sets[network.battles], deaths)
        rows.append(row)
    answer = {
        "skirmish_version": SKIRMISH_VERSION,
        "rules": list(rule),
        "episodes": episodes,
        "seed": seed,
        "networks": rows,
        **summarise(rows),
    }
    if as_json:
        print_json(answer)
    else:
        _show(answer)


def _check_battles(
    network: Network, sets: dict[str, Battles], networks: Path, battles: Path | None
) -> None:
    """Raise InputError if a network names battles that the file does not have for its map."""
    if battles is None or network.battles is None:
        return
    fitting = [name for name, one in sets.items() if one.scenario.name == network.map]
    if network.battles not in fitting:
        where = f"{networks}: {network.name or network.path}: battles"
        cure = f"choose from {', '.join(fitting) or 'none'}"
        what = f"no such battles of {network.map} in {battles}"
        raise InputError(what, where=where, value=network.battles, cure=cure)


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and worst gap of the networks, in points, and each map's mean; the mean gap of the
    curves of deaths, in % of a side, None without curves."""
    gaps: dict[str, list[float]] = {}
    for row in rows:
        gaps.setdefault(row["map"], []).append(row["gap"])
    curves = [row["deaths"] for row in rows if "deaths" in row]
    of_deaths = [one[f"{who}_gap_percent"] for one in curves for who in ("agents", "enemies")]
    return {
        "mean_gap": float(np.mean([row["gap"] for row in rows])),
        "worst_gap": max(row["gap"] for row in rows),
        "deaths_gap_percent": float(np.mean(of_deaths)) if of_deaths else None,
        "maps": {
            name: {"networks": len(found), "mean_gap": float(np.mean(found))}
            for name, found in gaps.items()
        },
    }


def _show(answer: dict[str, Any]) -> None:
    rows = [
        [row["map"], row["name"], *(f"{row[key]:.1f}" for key in ("starcraft", "skirmish", "gap"))]
        for row in answer["networks"]
    ]
    print(f"win rates, %: StarCraft II, skirmish {answer['skirmish_version']}\n")
    show_table(["map", "network", "StarCraft II", "skirmish", "gap"], rows, n_words=2)
    print()
    maps = [
        [name, str(one["networks"]), f"{one['mean_gap']:.1f}"]
        for name, one in answer["maps"].items()
    ]
    show_table(["map", "networks", "mean gap"], maps)
    print(
        f"\n{len(rows)} networks, {answer['episodes']} episodes each: "
        f"mean gap {answer['mean_gap']:.1f} points, worst {answer['worst_gap']:.1f}"
    )
    for row in answer["networks"]:
        if "deaths" in row:
            print(f"\n{row['map']}, {row['name']}\n")
            show_deaths(row["deaths"])
    if answer["deaths_gap_percent"] is not None:
        print(f"curves of deaths: mean gap {answer['deaths_gap_percent']:.1f} % of a side")


if __name__ == "__main__":
    run_script(__file__)
