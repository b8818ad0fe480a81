"""Verdicts on claims: paired differences by seed, tests against a margin, Holm's correction.

With d the mean paired difference left − right and m ≥ 0 the claim's margin:

============  ==========================  ===========================  =====================
kind          statement                   p_for (evidence for)         p_against
============  ==========================  ===========================  =====================
greater       d > m                       two-sided, H0 d = m, d̂ > m  two-sided, d̂ < m
equivalent    −m < d < m                  TOST: larger of the two      two-sided, nearer bound
                                          one-sided p values           excluded from outside
============  ==========================  ===========================  =====================

"reproduced" needs p_for ≤ .05 after correction, "not reproduced" p_against ≤ .05, anything else
is "undecided". So `greater` is reproduced when the whole 95 % interval lies above m, `equivalent`
when the whole 90 % interval lies within ±m (Schuirmann 1987, two one-sided tests at 5 % each), and
either is not reproduced when the 95 % interval lies wholly where the statement is false.

Equivalence is withheld at the floor (`is_at_floor`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reports.data import ClaimKind
from reports.statistics.intervals import Estimate
from suite.runs.intervals import is_constant, t_half_width

Verdict = Literal["reproduced", "not reproduced", "undecided"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
ERROR_LEVEL = 0.05


@dataclass(frozen=True)
class Pairs:
    """Values of both sides for the seeds that both have, in ascending order of seed.

    left, right: (n,) float64. left_only, right_only: seeds that found no partner.
    """

    seeds: tuple[int, ...]
    left: NDArray[np.float64]
    right: NDArray[np.float64]
    left_only: tuple[int, ...]
    right_only: tuple[int, ...]

    @property
    def differences(self) -> NDArray[np.float64]:
        return self.left - self.right

    def of(self, seeds: Collection[int]) -> Pairs:
        """Those of some seeds alone."""
        kept = [index for index, seed in enumerate(self.seeds) if seed in seeds]
        left_only, right_only = (
            tuple(seed for seed in side if seed in seeds)
            for side in (self.left_only, self.right_only)
        )
        of_both = tuple(self.seeds[index] for index in kept)
        return Pairs(of_both, self.left[kept], self.right[kept], left_only, right_only)


def pair_by_seed(left: Mapping[int, float], right: Mapping[int, float]) -> Pairs:
    """Pair two arms by seed; seeds that only one side has are left out and named."""
    seeds = tuple(sorted(left.keys() & right.keys()))
    return Pairs(
        seeds,
        np.array([left[seed] for seed in seeds], dtype=np.float64),
        np.array([right[seed] for seed in seeds], dtype=np.float64),
        tuple(sorted(left.keys() - right.keys())),
        tuple(sorted(right.keys() - left.keys())),
    )


def is_at_floor(pairs: Pairs, margin: float) -> bool:
    """True if no seed exceeds the margin on either side, so that no difference could.

    pairs: of values that cannot be negative, in the unit of margin. Two arms that win nothing are
    equal whatever they are. At the ceiling a worse arm would have shown: that is evidence.
    """
    values = np.concatenate([pairs.left, pairs.right])
    return len(values) > 0 and bool(np.max(values) <= margin)


def paired_estimate(differences: NDArray[np.float64], confidence: float) -> Estimate | None:
    """Mean difference with Student's interval at any n, so that it agrees with the test.

    differences: (n,). None for n = 0; no interval for n = 1 or where all differences are equal.
    """
    n = len(differences)
    if n == 0:
        return None
    mean = float(np.mean(differences))
    if n == 1:
        return Estimate(mean, None, None, 1, None, confidence, "one pair: no interval")
    if is_constant(differences):
        why = "all differences equal: no interval, exact sign test"
        return Estimate(mean, None, None, n, 0.0, confidence, why)
    half = float(t_half_width(differences, confidence))
    sd = float(np.std(differences, ddof=1))
    return Estimate(mean, mean - half, mean + half, n, sd, confidence, "paired t")


def p_above(differences: NDArray[np.float64], threshold: float) -> float:
    """One-sided p value for "the mean difference exceeds the threshold". differences: (n,).

    Student's t test; where all differences are equal it is undefined and the exact sign test
    takes its place: p = 2^-n if they exceed the threshold. 1 for n < 2: nothing can be said.
    """
    n = len(differences)
    if n < 2:
        return 1.0
    if is_constant(differences):
        return 0.5**n if float(differences[0]) > threshold else 1.0
    sd = float(np.std(differences, ddof=1))
    t_value = (float(np.mean(differences)) - threshold) / (sd / float(np.sqrt(n)))
    return float(stats.t.sf(t_value, n - 1))


# A one-sided p value for "the mean difference exceeds the threshold".
OneSided = Callable[[NDArray[np.float64], float], float]


def p_for(
    kind: ClaimKind,
    differences: NDArray[np.float64],
    margin: float,
    above: OneSided = p_above,
) -> float:
    """Evidence for the statement; small speaks for it. differences: (n,), unit of margin."""
    if kind == "greater":
        return min(1.0, 2 * above(differences, margin))
    return max(above(differences, -margin), above(-differences, -margin))


def p_against(
    kind: ClaimKind,
    differences: NDArray[np.float64],
    margin: float,
    above: OneSided = p_above,
) -> float:
    """Evidence that the statement is false; small speaks against it."""
    if kind == "greater":
        return min(1.0, 2 * above(-differences, -margin))
    outside = min(above(differences, margin), above(-differences, margin))
    return min(1.0, 2 * outside)


def p_values(
    kind: ClaimKind, pairs: Pairs, margin: float, above: OneSided = p_above
) -> tuple[float, float]:
    """Evidence for the statement, withheld at the floor, and against it."""
    for_, against = (test(kind, pairs.differences, margin, above) for test in (p_for, p_against))
    return (1.0 if kind == "equivalent" and is_at_floor(pairs, margin) else for_), against


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values that keep the family-wise error (Holm 1979), in the order given.

    The k-th smallest of m is multiplied by m − k + 1, made monotone and cut at 1.
    """
    adjusted = [1.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def combine_scenarios(p_fors: Sequence[float], p_againsts: Sequence[float]) -> tuple[float, float]:
    """p values of a claim that must hold in every scenario it names.

    For: the largest p value (intersection-union test, Berger 1982: no correction needed).
    Against: one counter-example suffices, so the smallest times their number (Bonferroni).
    """
    if not p_fors:
        return 1.0, 1.0
    return max(p_fors), min(1.0, len(p_againsts) * min(p_againsts))


def decide(p_value_for: float, p_value_against: float) -> Verdict:
    """The verdict at the 5 % level; give adjusted p values where several claims are judged."""
    if p_value_for <= ERROR_LEVEL:
        return "reproduced"
    if p_value_against <= ERROR_LEVEL:
        return "not reproduced"
    return "undecided"
