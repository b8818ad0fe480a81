"""How much of the jumps of learning curves is the battles' chance, and how much the learner's.

RUNS_DIR holds finished runs, best with many episodes a test (n_test_episodes = 320): of every run
the win rates of all tests are taken, from the first one on in which a battle was won.

\b
jump      root of the mean squared difference of tests that follow each other, as if of 32 episodes
battles   the part of it that comes from which 32 battles were drawn: p(1 - p)/32 of either test
learner   the rest: how much the policies differ, whatever battles are played
mixed     the share of tests that were neither won nor lost in at least 95 of 100 episodes

Where a policy wins all battles or none, the battles' part is small and jumps are the learner's;
where chance decides single battles, small changes of a policy make small changes of its win rate.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from starcraft_data import Json, make_app, number, run_script, show_table

from suite.errors import InputError
from suite.options import path_from
from suite.printing import print_json
from suite.records import RecordStore, RunRecord
from suite.runs.metrics import WIN_RATE, tested_mode

EPISODES = 32  # of a usual test
MIXED = (0.05, 0.95)

Directory = Annotated[
    Path, typer.Argument(parser=path_from("RUNS_DIR"), metavar="RUNS_DIR", help="With its records.")
]
app = make_app()


def jumps(win_rates: NDArray[np.float64], n_episodes: int) -> dict[str, float]:
    """Jumps of one learning curve, in points of 100.

    win_rates: (tests,) of `n_episodes` episodes each, at least two of either. A variance that comes
    out below 0 is none.
    """
    p = 100.0 * win_rates
    squared = np.diff(p) ** 2
    variance = p * (100.0 - p) / (n_episodes - 1)  # of a test's win rate, unbiased
    learner = max(float((squared - variance[1:] - variance[:-1]).mean()), 0.0)
    battles = float((variance[1:] + variance[:-1]).mean()) * n_episodes / EPISODES
    low, high = (100.0 * bound for bound in MIXED)
    return {
        "jump": float(np.sqrt(learner + battles)),
        "battles": float(np.sqrt(battles)),
        "learner": float(np.sqrt(learner)),
        "mixed": float(((p > low) & (p < high)).mean()),
    }


def rows_of(record: RunRecord) -> list[dict[str, object]]:
    """One row for each execution mode whose tests show jumps."""
    n_episodes = record.spec.training.n_test_episodes
    rows: list[dict[str, object]] = []
    for key, (_, values) in sorted(record.histories.items()):
        mode = tested_mode(key, WIN_RATE)
        won = np.flatnonzero(values > 0.0)
        if mode is None or not len(won) or len(values) - won[0] < 2 or n_episodes < 2:
            continue
        version = record.provenance.get("environment_version", "")
        run = {"scenario": record.scenario, "version": version, "arm": record.arm, "mode": mode}
        curve = jumps(values[won[0] :], n_episodes)
        rows.append({**run, "seed": record.spec.seed, "tests": len(values) - int(won[0]), **curve})
    return rows


@app.command(help=__doc__)
def main(runs_dir: Directory, json: Json = False) -> None:
    """The help is the module's docstring."""
    finished = [
        record for record in RecordStore.open(runs_dir).load() if record.status == "finished"
    ]
    rows = [row for record in finished for row in rows_of(record)]
    if not rows:
        cure = "train runs whose tests are won at times"
        raise InputError(
            "no finished run with two tests to compare", where=str(runs_dir), cure=cure
        )
    if json:
        print_json({"episodes": EPISODES, "runs": rows})
        return
    titles = ["scenario", "version", "arm", "mode", "seed", "tests", "jump", "battles", "learner"]
    words = ["scenario", "version", "arm", "mode"]
    shown = [
        [
            *(str(row[title]) for title in [*words, "seed", "tests"]),
            *(number(float(str(row[title])), 1) for title in titles[6:]),
            number(float(str(row["mixed"])), 2),
        ]
        for row in rows
    ]
    show_table([*titles, "mixed"], shown, len(words))


if __name__ == "__main__":
    run_script(__file__)
