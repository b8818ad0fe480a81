"""Made-up searches of known truth, shaped like real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import synthetic_study as made_up

from reports.data import History, PointView, ReportData, RunView, SearchView
from suite.runs.spec import Scalar
from suite.study.dimensions import Dimension
from suite.study.objectives import OBJECTIVES

ALPHA = Dimension("alpha", "α", "float", 0.01, 10.0, log=True)
START = Dimension("pruning_start_fraction", "T/steps", "float", 0.2, 0.8)
HIDDEN = Dimension("hidden_size", "hidden_size", "categorical", choices=(32, 64, 128))
SCENARIO, ARM = "skirmish/3m", "cadp_qmix"
N_TEST_EPISODES = 50

Parameters = Mapping[str, Scalar]
Truth = Callable[[Parameters], tuple[float, float]]


def smooth(point: Parameters) -> tuple[float, float]:
    """Chances to win (alone, with advice): best at α = 1 and an early T."""
    far = np.log10(float(str(point["alpha"]))) ** 2
    late = (float(str(point["pruning_start_fraction"])) - 0.3) ** 2
    alone = 0.85 * np.exp(-0.8 * far - 3 * late)
    return float(alone), float(0.9 - 0.05 * far)


def search(
    points: Sequence[Parameters],
    *,
    truth: Truth = smooth,
    seeds: Sequence[int] = (101, 102, 103),
    dimensions: Sequence[Dimension] = (ALPHA, START),
    objectives: Sequence[str] = ("final_win_rate",),
    arm: str = ARM,
    scenario: str = SCENARIO,
    spread: float = 0.04,
) -> tuple[SearchView, list[RunView]]:
    """A search whose points are all complete, and their runs."""
    views, runs = [], []
    for number, point in enumerate(points):
        own = [
            run(arm, scenario, number, seed, truth(point), spread=spread, parameters=point)
            for seed in seeds
        ]
        runs += own
        views.append(PointView(number, "complete", dict(point), tuple(one.run_id for one in own)))
    view = SearchView(
        scenario=scenario,
        arm=arm,
        sampler="TPESampler",
        sampler_seed=0,
        pruner=None,
        n_trials=len(points),
        seeds=tuple(seeds),
        objectives=tuple(OBJECTIVES[name] for name in objectives),  # type: ignore[index]
        dimensions=tuple(dimensions),
        points=tuple(views),
    )
    return view, runs


def run(
    arm: str,
    scenario: str,
    number: int,
    seed: int,
    chances: tuple[float, float],
    *,
    spread: float = 0.04,
    parameters: Parameters | None = None,
) -> RunView:
    """A finished run that wins with these chances (alone, with advice) in its last tests."""
    rng = np.random.default_rng([number, seed, *map(ord, arm)])
    one = made_up.run(scenario, arm, seed, n_points=20, total=100_000)
    histories = dict(one.histories)
    shift = rng.normal(0, spread)
    for mode, chance in zip(("decentralised", "centralised"), chances, strict=True):
        key = f"test/win_rate/{mode}"
        if key in histories:
            steps = histories[key].steps
            risen = np.clip((chance + shift) * np.minimum(1, steps / 70_000), 0, 1)
            won = rng.binomial(N_TEST_EPISODES, risen) / N_TEST_EPISODES
            histories[key] = History(steps, won)
            histories[key.replace("win_rate", "return")] = History(
                steps, 10 * won + rng.random(len(steps))
            )
    loss = histories["train/loss_td"]
    histories["train/loss_td"] = History(loss.steps, rng.random(len(loss.steps)))
    words = ", ".join(f"{name}={value}" for name, value in (parameters or {}).items())
    return replace(
        one,
        run_id=f"{made_up.hash_text(f'{scenario}{arm}{number} {seed}'):016x}",
        point=words,
        counterpart=words,
        n_test_episodes=N_TEST_EPISODES,
        histories=histories,
        elapsed_seconds=60.0 + number,
        parameters={**one.parameters, **{k: str(v) for k, v in (parameters or {}).items()}},
    )


def random_points(n: int, *, dimensions: Sequence[Dimension] = (ALPHA, START)) -> list[Parameters]:
    """Points drawn evenly, the same ones for the same number."""
    rng = np.random.default_rng(n)
    found: list[Parameters] = []
    for _ in range(n):
        point: dict[str, Scalar] = {}
        for one in dimensions:
            if one.low is None or one.high is None:
                drawn = one.choices[rng.integers(len(one.choices))]
            elif one.log:
                drawn = float(np.exp(rng.uniform(np.log(one.low), np.log(one.high))))
            else:
                drawn = float(rng.uniform(one.low, one.high))
            point[one.name] = one.written(drawn)
        found.append(point)
    return found


def sweep(
    *searches: tuple[SearchView, list[RunView]], references: Sequence[RunView] = ()
) -> ReportData:
    """An exploring profile of these searches."""
    scenarios = tuple(dict.fromkeys(view.scenario for view, _ in searches))
    data = made_up.study(scenarios, arms=())
    runs = [*references, *(run for _, runs in searches for run in runs)]
    views = tuple(view for view, _ in searches)
    return replace(data, runs=tuple(runs), searches=views, explores=True)


def tuned(*searches: tuple[SearchView, list[RunView]], truth: Truth = smooth) -> ReportData:
    """A profile that tunes: the first point of each search was chosen, then judged on 1 to 5."""
    views, runs = [], []
    for view, tried in searches:
        chosen = view.points[0]
        judged = [
            run(
                view.arm,
                view.scenario,
                0,
                seed,
                truth(chosen.parameters),
                parameters=chosen.parameters,
            )
            for seed in range(1, 6)
        ]
        runs += [*(replace(one, is_tuning=True) for one in tried), *judged]
        views.append(replace(view, chosen=0, judged=tuple(one.run_id for one in judged)))
    data = sweep(*searches)
    return replace(data, runs=tuple(runs), searches=tuple(views), explores=False)
