"""Whether learners find a simulator's maps hard in the order in which they find the game's hard.

Each RUNS_DIR holds finished runs; those of one scenario and arm are averaged over seeds. The
published win rates come from a CSV file with the columns map (`3m` or `skirmish/3m`) and win_rate
(percent); maps that are not in it are not used.

\b
won       test win rate, mean of the last third of the tests, percent
return    test return, the same mean
rank      Spearman's correlation of either with the published win rates, over maps, and the chance
          to find one as large or larger if the order had nothing to do with it (permutations)

Returns tell apart maps that are not won at all yet. A few hundred thousand steps say who is easy
early on, which need not be who is easy in the end.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from scipy import stats
from starcraft_data import Json, make_app, number, read_file, run_script, show_table

from suite.errors import InputError
from suite.options import path_from
from suite.printing import print_json
from suite.records import RecordStore, RunRecord
from suite.runs.metrics import RETURN, WIN_RATE, tested_mode

LAST_PART = 1.0 / 3.0  # of the tests
LEAST_MAPS = 4  # fewer say nothing about an order
PERMUTATIONS = 9999

Directories = Annotated[
    list[Path],
    typer.Argument(parser=path_from("RUNS_DIR"), metavar="RUNS_DIR...", help="With their records."),
]
Published = Annotated[
    Path,
    typer.Option("--published", parser=path_from("FILE"), metavar="FILE", help="The CSV file."),
]
app = make_app()


def read_published(path: Path) -> dict[str, float]:
    """Win rates in percent by map; InputError for what is no such file."""
    what = "a CSV file with the columns map and win_rate"
    lines = csv.DictReader(io.StringIO(read_file(path, what).decode("utf-8-sig", "replace")))
    if not {"map", "win_rate"} <= set(lines.fieldnames or ()):
        found = ", ".join(lines.fieldnames or ()) or "nothing"
        raise InputError("no such columns", where=str(path), value=found, cure=f"give {what}")
    rates: dict[str, float] = {}
    for line, row in enumerate(lines, 2):
        where = f"{path}, line {line}"
        cure = "one line a map: its name and a win rate from 0 to 100"
        name, value = (row["map"] or "").rpartition("/")[2], row["win_rate"]
        try:
            rate = float(value or "")
        except ValueError:
            raise InputError("no win rate", where=where, value=value, cure=cure) from None
        if not name or name in rates or not 0.0 <= rate <= 100.0:
            problem = "not a map of its own with its rate"
            raise InputError(problem, where=where, value=row, cure=cure)
        rates[name] = rate
    if not rates:
        raise InputError("no win rates", where=str(path), cure=f"give {what}")
    return rates


def final(values: NDArray[np.float64]) -> float:
    """Mean of the last third of the tests (tests,), of one at least."""
    return float(values[-max(round(LAST_PART * len(values)), 1) :].mean())


def finals(records: list[RunRecord]) -> dict[tuple[str, str, str], dict[str, list[float]]]:
    """Final values of every seed, by arm with its mode, map and rules' version."""
    found: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for record in records:
        version = str(record.provenance.get("environment_version", ""))
        for key, (steps, values) in record.histories.items():
            for quantity in (WIN_RATE, RETURN):
                mode = tested_mode(key, quantity)
                if mode is not None and len(values):
                    name = record.scenario.partition("/")[2]
                    entry = found[f"{record.arm}/{mode}", name, version]
                    entry[quantity].append(final(values))
                    if quantity == WIN_RATE:
                        entry["steps"].append(float(steps[-1]))
    return found


def correlation(values: list[float], published: list[float]) -> dict[str, float]:
    """Spearman's correlation over maps and the chance of one as large, by permutations."""
    if len(set(values)) == 1 or len(set(published)) == 1:
        return {"rank": float("nan"), "chance": float("nan")}

    def spearman(shuffled: NDArray[np.float64]) -> float:
        return float(stats.spearmanr(shuffled, published).statistic)

    test = stats.permutation_test(
        (np.array(values),),
        spearman,
        permutation_type="pairings",
        alternative="greater",
        n_resamples=PERMUTATIONS,
        rng=np.random.default_rng(0),
    )
    return {"rank": float(test.statistic), "chance": float(test.pvalue)}


@app.command(help=__doc__)
def main(runs_dirs: Directories, published: Published, json: Json = False) -> None:
    """The help is the module's docstring."""
    rates = read_published(published)
    runs = {  # a run that is in two folders counts once
        record.run_id: record
        for folder in runs_dirs
        for record in RecordStore.open(folder).load()
        if record.status == "finished"
    }
    records = list(runs.values())
    rows = [
        {
            "arm": arm,
            "map": name,
            "version": version,
            "seeds": len(entry[WIN_RATE]),
            "steps": min(entry["steps"]),
            "published": rates[name],
            "won": 100.0 * float(np.mean(entry[WIN_RATE])),
            "return": float(np.mean(entry[RETURN])),
        }
        for (arm, name, version), entry in finals(records).items()
        if name in rates
    ]
    rows.sort(key=lambda row: (row["arm"], row["version"], -float(str(row["published"]))))
    answers = []
    for arm, version in sorted({(str(row["arm"]), str(row["version"])) for row in rows}):
        of_arm = [row for row in rows if row["arm"] == arm and row["version"] == version]
        if len(of_arm) >= LEAST_MAPS:
            published_rates = [float(str(row["published"])) for row in of_arm]
            for quantity in ("won", "return"):
                values = [float(str(row[quantity])) for row in of_arm]
                ranks = correlation(values, published_rates)
                about = {"arm": arm, "version": version, "by": quantity, "maps": len(of_arm)}
                answers.append({**about, **ranks})
    if not answers:
        cure = "train one arm on more of them"
        what = f"fewer than {LEAST_MAPS} maps with finished runs and a published win rate"
        raise InputError(what, where=", ".join(map(str, runs_dirs)), cure=cure)
    if json:
        print_json({"maps": rows, "ranks": answers})
        return
    words = ["arm", "map", "version"]
    titles = [*words, "seeds", "steps", "published", "won", "return"]
    digits = (0, 0, 0, 1, 2)
    show_table(
        titles,
        [
            [
                *(str(row[title]) for title in words),
                *(number(float(str(row[t])), d) for t, d in zip(titles[3:], digits, strict=True)),
            ]
            for row in rows
        ],
        len(words),
    )
    words = ["arm", "version", "by"]
    show_table(
        [*words, "maps", "rank", "chance"],
        [
            [
                *(str(row[title]) for title in words),
                str(row["maps"]),
                number(float(str(row["rank"])), 2),
                number(float(str(row["chance"])), 4),
            ]
            for row in answers
        ],
        len(words),
    )


if __name__ == "__main__":
    run_script(__file__)
