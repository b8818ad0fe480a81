"""What looking at seeds as they come costs and saves: the simulations behind docs/studies.md.

Seeds are added five by five up to thirty; a paired difference of win rates is judged at each look.
Three tables, each with the spending functions that were compared:

\b
errors   false verdicts in 100 studies of arms with equal means, at 5 % on two sides. "every look":
         uncorrected t tests at 5 %; "5 seeds", "30 seeds": one t test, as with a list of seeds.
         Arms alike differ by chance alone; "all or nothing": a seed of theirs wins every episode or
         none; "one or the other": so in each seed exactly one of both arms; "one varies": equal
         means, but the seeds of one arm vary and those of the other do not, which makes differences
         skewed
seeds    at the given effect, in standard deviations of the difference: verdicts in 100 studies, and
         the mean number of seeds, where one claim is tested and where the level is Holm's strictest
         of three. "30 seeds": one t test
means    of the difference where looks stopped at that strictest level, as a multiple of the true
         one, and how often its ordinary 95 % interval holds the truth
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from scipy import stats
from starcraft_data import Json, make_app, run_script, show_table

from reports.statistics.sequential import Spending, nominal_levels, spent
from suite.printing import print_json
from suite.runs.intervals import CONFIDENCE

Floats = NDArray[np.float64]
LOOKS = (5, 10, 15, 20, 25, 30)
ONE_SIDED = 0.025
EFFECTS = (0.5, 0.7, 1.0, 1.5, 2.0, 3.0)

Simulations = Annotated[int, typer.Option("--simulations", min=100, help="Of each case.")]
app = make_app()


def _pocock(levels: Floats, share: float) -> Floats:
    return np.asarray(levels * np.log1p((np.e - 1) * share))


def _obrien_fleming(levels: Floats, share: float) -> Floats:
    return np.asarray(2 * stats.norm.sf(stats.norm.isf(levels / 2) / np.sqrt(share)))


SPENDINGS: dict[str, Spending] = {
    "ours (power 2)": spent,
    "Pocock": _pocock,
    "linear": lambda levels, share: levels * share,
    "power 3": lambda levels, share: levels * share**3,
    "O'Brien-Fleming": _obrien_fleming,
}


def one_sided(differences: Floats, looks: tuple[int, ...]) -> Floats:
    """p values for "the mean exceeds zero" at each look: (studies, seeds) → (studies, looks).

    Where all differences are equal, of the exact sign test.
    """
    found = []
    for n in looks:
        here = differences[:, :n]
        is_constant = np.ptp(here, axis=1) <= 1e-12
        sd = np.where(is_constant, 1.0, here.std(axis=1, ddof=1))
        p = stats.t.sf(here.mean(axis=1) / sd * np.sqrt(n), n - 1)
        found.append(np.where(is_constant, np.where(here[:, 0] > 0, 0.5**n, 1.0), p))
    return np.stack(found, axis=1)


def decisions(differences: Floats, nominal: Floats, looks: tuple[int, ...]) -> NDArray[np.intp]:
    """Which look decides "above zero", the number of looks where none does: (studies,)."""
    is_crossed = one_sided(differences, looks) <= nominal
    return np.where(is_crossed.any(axis=1), is_crossed.argmax(axis=1), len(looks))


def boundary(level: float, spending: Spending, looks: tuple[int, ...] = LOOKS) -> Floats:
    """Nominal one-sided level of each look."""
    shares = tuple(n / looks[-1] for n in looks)
    return nominal_levels(looks, shares, np.array([level]), spending)[:, 0]


Sample = Callable[[np.random.Generator, tuple[int, int]], Floats]


def wins(rng: np.random.Generator, chances: Floats, n_episodes: int) -> Floats:
    """Win rates over so many test episodes."""
    return np.asarray(rng.binomial(n_episodes, chances) / n_episodes)


def seeds_of(rng: np.random.Generator, mean: float, sd: float, shape: tuple[int, int]) -> Floats:
    """Chances to win of trained networks, which vary from seed to seed (beta)."""
    size = mean * (1 - mean) / sd**2 - 1
    return np.asarray(rng.beta(mean * size, (1 - mean) * size, shape))


def alike(mean: float, sd: float, n_episodes: int) -> Sample:
    """Differences of two arms that are the same."""

    def sample(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
        sides = (wins(rng, seeds_of(rng, mean, sd, shape), n_episodes) for _ in range(2))
        return next(sides) - next(sides)

    return sample


def one_varies(mean: float, sd: float, n_episodes: int) -> Sample:
    """Differences of equal means: the seeds of the right arm vary, those of the left do not."""

    def sample(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
        left = wins(rng, np.full(shape, mean), n_episodes)
        return left - wins(rng, seeds_of(rng, mean, sd, shape), n_episodes)

    return sample


CASES: dict[str, Sample] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "alike, 3 %, 32 episodes": alike(0.03, 0.03, 32),
    "alike, 97 %, 32 episodes": alike(0.97, 0.03, 32),
    "alike, 97 %, 96 episodes": alike(0.97, 0.03, 96),
    "alike, 60 %, 96 episodes": alike(0.6, 0.15, 96),
    "all or nothing, 50 %": lambda rng, shape: (
        rng.integers(0, 2, shape) - rng.integers(0, 2, shape)
    ).astype(np.float64),
    "one or the other": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "one varies, 60 %, 96 episodes": one_varies(0.6, 0.15, 96),
    "one varies, 95 %, 32 episodes": one_varies(0.95, 0.06, 32),
    "one varies, 95 %, 96 episodes": one_varies(0.95, 0.06, 96),
    "one varies, 5 %, 32 episodes": one_varies(0.05, 0.06, 32),
}


def errors(n: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """False verdicts, in percent, by case and spending function."""
    bounds = {name: boundary(ONE_SIDED, spending) for name, spending in SPENDINGS.items()}
    bounds["every look"] = np.full(len(LOOKS), ONE_SIDED)
    rows = []
    for case, sample in CASES.items():
        drawn = sample(rng, (n, LOOKS[-1]))
        row: dict[str, object] = {"case": case}
        for name, nominal in bounds.items():
            row[name] = _two_sided(drawn, nominal, LOOKS)
        for seeds in (5, 30):
            row[f"{seeds} seeds"] = _two_sided(drawn, np.array([ONE_SIDED]), (seeds,))
        rows.append(row)
    return rows


def _two_sided(drawn: Floats, nominal: Floats, looks: tuple[int, ...]) -> str:
    n_false = sum((decisions(side, nominal, looks) < len(looks)).sum() for side in (drawn, -drawn))
    return f"{100 * n_false / len(drawn):.1f}"


def seeds(n: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """Verdicts in percent and mean number of seeds, by effect and spending function."""
    rows: list[dict[str, object]] = []
    for n_claims in (1, 3):
        level = ONE_SIDED / n_claims
        bounds = {name: boundary(level, spending) for name, spending in SPENDINGS.items()}
        for effect in EFFECTS:
            drawn = rng.normal(effect, size=(n, LOOKS[-1]))
            row: dict[str, object] = {"claims": n_claims, "effect": effect}
            for name, nominal in bounds.items():
                look = decisions(drawn, nominal, LOOKS)
                used = np.array([*LOOKS, LOOKS[-1]])[look].mean()
                row[name] = f"{100 * (look < len(LOOKS)).mean():.0f} {used:.1f}"
            p = one_sided(drawn, LOOKS[-1:])
            row["30 seeds"] = f"{100 * (p <= level).mean():.0f} 30"
            rows.append(row)
    return rows


def means(n: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """Mean where looks stopped, relative to the truth, and coverage of its interval in percent."""
    nominal, used = boundary(ONE_SIDED / 3, spent), np.array([*LOOKS, LOOKS[-1]])
    rows: list[dict[str, object]] = []
    for effect in EFFECTS:
        drawn = rng.normal(effect, size=(n, LOOKS[-1]))
        count = used[decisions(drawn, nominal, LOOKS)]
        is_there = np.arange(LOOKS[-1]) < count[:, None]
        mean = drawn.mean(axis=1, where=is_there)
        half = stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1) * drawn.std(
            axis=1, ddof=1, where=is_there
        )
        is_covered = np.abs(mean - effect) <= half / np.sqrt(count)
        rows.append(
            {
                "effect": effect,
                "mean / truth": f"{mean.mean() / effect:.2f}",
                "coverage": f"{100 * is_covered.mean():.1f}",
            }
        )
    return rows


@app.command(help=__doc__)
def main(simulations: Simulations = 100_000, json: Json = False) -> None:
    """The help is the module's docstring."""
    tables = {
        name: table(simulations, np.random.default_rng(index))
        for index, (name, table) in enumerate(
            {"errors": errors, "seeds": seeds, "means": means}.items()
        )
    }
    if json:
        print_json(tables)
        return
    for rows in tables.values():
        show_table(list(rows[0]), [[str(value) for value in row.values()] for row in rows])


if __name__ == "__main__":
    run_script(__file__)
