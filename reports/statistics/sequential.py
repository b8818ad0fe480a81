"""Tests that are looked at several times, as p values that allow for it.

Who tests after every few seeds and stops at p ≤ 5 % errs far more often than in 5 % of cases. Here
the error level α is spent look by look: `spent(α, t)` of it until a share t of the most seeds is
there (Lan and DeMets 1983, "Discrete sequential boundaries"; the function is of Kim and DeMets
1987, "Design and analysis of group sequential tests"). At each look the nominal level is the one at
which exactly that much is spent, given that no look before has decided: numerical integration over
the statistic, from look to look (Armitage, McPherson and Rowe 1969, "Repeated significance tests").

The statistic is Student's t, and its integration exact for normal differences, as in Jennison and
Turnbull 1991, "Exact calculations for sequential t, χ² and F tests". The usual shortcut, nominal
levels of known variance given to t tests, errs in 5.2 to 5.4 % of cases at five seeds a look.

A *sequential p value* (Liu and Anderson 2008, "On adaptive extensions of group sequential trials")
is the smallest α at which some look so far decides. Whenever one stops, it is at most α with a
probability of at most α, so whatever holds of p values (two sides, largest of several, Holm) holds
of it. Why this spending function, and what looks cost: docs/studies.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.interpolate import PchipInterpolator

from reports.data import ClaimKind
from reports.statistics.verdicts import OneSided, Pairs, p_above, p_values

Floats = NDArray[np.float64]
# Given n pairs: (cells, edges), the probability that the statistic of n + 1 pairs lies above each
# edge, from within each cell. Statistics are normal scores: Φ⁻¹(1 − p) of a one-sided p value.
Transition = Callable[[int], Floats]
# (Error levels, share of the most seeds) → how much of each level is spent by then.
Spending = Callable[[Floats, float], Floats]

# Few seeds tell little of skewed differences, so little is spent on them; docs/studies.md compares.
SPENDING_POWER = 2
_WIDTH = 0.05
EDGES: Floats = np.arange(-100, 171, dtype=np.float64) * _WIDTH
# Points that stand for cells: centres have a variance of 1 + h²/12, normal scores one of 1
# (Sheppard's correction).
CELLS: Floats = (EDGES[1:] + EDGES[:-1]) / 2 / np.sqrt(1 + _WIDTH**2 / 12)
# Levels at which boundaries are tabulated; p values between are interpolated, those below cut.
_LEVELS: Floats = np.geomspace(1e-8, 0.5, 48)
_ANGLES: Floats = np.linspace(-np.pi / 2, np.pi / 2, 4001)


def spent(level: Floats, share: float) -> Floats:
    """How much of an error level is spent once a share of the most seeds is there."""
    return level * share**SPENDING_POWER


def p_values_by_look(
    kind: ClaimKind, pairs: Pairs, margin: float, looks: Sequence[Collection[int]], most: int
) -> list[tuple[float, float]]:
    """Sequential p values for and against a statement, as they stand after each look.

    looks: all seeds asked for by then. most: how many seeds the last look that may come has. They
    never rise: what was decided once stays so. A look that brings no new pair is no test.
    """
    found, lowest = [], (1.0, 1.0)
    n_pairs: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()
    for seeds in looks:
        here = pairs.of(seeds)
        n = len(here.seeds)
        if n > max((1, *n_pairs)):
            n_pairs, shares = (*n_pairs, n), (*shares, len(seeds) / most)
            for_, against = p_values(kind, here, margin, _above(n_pairs, shares))
            lowest = min(lowest[0], for_), min(lowest[1], against)
        found.append(lowest)
    return found


def _above(n_pairs: tuple[int, ...], shares: tuple[float, ...]) -> OneSided:
    """The one-sided test of the last look."""
    return lambda differences, threshold: sequential_p_value(
        p_above(differences, threshold), n_pairs, shares
    )


def sequential_p_value(
    p_value: float, n_pairs: tuple[int, ...], shares: tuple[float, ...]
) -> float:
    """The smallest level at which a one-sided p value crosses the boundary at the last look.

    n_pairs: pairs at every look so far, at least 2, ascending. shares: of the most seeds, that were
    asked for by then. p values above the largest tabulated level become 1.
    """
    lowest, highest, level_at = _inverse(n_pairs, shares)
    if p_value > highest:
        return 1.0
    return float(np.exp(level_at(np.log(max(p_value, lowest)))))


@lru_cache(maxsize=1024)
def _inverse(
    n_pairs: tuple[int, ...], shares: tuple[float, ...]
) -> tuple[float, float, PchipInterpolator]:
    """Lowest and highest nominal level of the last look, and log level as a function of its log."""
    nominal = nominal_levels(n_pairs, shares, _LEVELS)[-1]
    return nominal[0], nominal[-1], PchipInterpolator(np.log(nominal), np.log(_LEVELS))


def nominal_levels(
    n_pairs: tuple[int, ...],
    shares: tuple[float, ...],
    levels: Floats,
    spending: Spending | None = None,
    transition: Transition | None = None,
) -> Floats:
    """One-sided p value at which each look decides, for each error level.

    n_pairs, shares: see `sequential_p_value`. levels: (levels,), each below 1. → (looks, levels).
    spending: `spent` unless another function is given. transition: of Student's t unless another
    statistic is given.
    """
    spending, transition = spending or spent, transition or _student
    # Probability that no look before has decided and the score lies above each edge.
    above = np.tile(stats.norm.sf(EDGES), (len(levels), 1))
    before, already, found = 0, np.zeros(len(levels)), []
    for n, share in zip(n_pairs, shares, strict=True):
        for m in range(before or n, n):
            above = -np.diff(above) @ transition(m)
        now = spending(levels, share) - already
        boundary = np.array([_where(row, part) for row, part in zip(above, now, strict=True)])
        found.append(stats.norm.sf(boundary))
        above = np.where(boundary[:, None] > EDGES, above - now[:, None], 0.0)
        before, already = n, already + now
    return np.array(found)


def _where(above: Floats, part: float) -> float:
    """The score above which a probability of `part` lies."""
    return float(np.interp(-np.log(part), -np.log(np.maximum(above, 1e-300)), EDGES))


@lru_cache(maxsize=64)
def _student(n: int) -> Floats:
    """Transition of Student's t from n to n + 1 normal differences of mean zero.

    With r = Σx / √Σx² of the first n and x = tan θ · √Σx² the next, θ is independent of r, √n tan θ
    is of Student's t with n degrees of freedom, and the new ratio is r cos θ + sin θ.
    """
    ratio, after = _ratio(CELLS, n)[:, None], _ratio(EDGES, n + 1)
    angle, shift = np.arcsin(np.clip(after / np.hypot(1, ratio), -1, 1)), np.arctan(ratio)
    table = stats.t.cdf(np.sqrt(n) * np.tan(_ANGLES), n)
    # The sine exceeds its value at `angle` between there and π − angle, and before −π − angle.
    ends = (np.pi - angle - shift, angle - shift, -np.pi - angle - shift)
    end, begin, before = (np.interp(x, _ANGLES, table) for x in ends)
    return np.asarray(end - begin + before)


def _ratio(scores: Floats, n: int) -> Floats:
    """Σx / √Σx² of n differences, of which Student's t test gives these normal scores."""
    t = stats.t.isf(stats.norm.sf(np.abs(scores)), n - 1)
    return np.asarray(np.sign(scores) * np.sqrt(n) * t / np.hypot(np.sqrt(n - 1), t))
