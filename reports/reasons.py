"""Why a claim got its verdict, in a sentence for people."""

from __future__ import annotations

from collections.abc import Iterable

from reports.claims import ClaimResult, Contrast
from reports.data import ClaimView
from reports.numbers import enumerated, listed, p_value, signed
from reports.statistics.verdicts import VERDICTS
from suite.text import plural


def reason(result: ClaimResult) -> str:
    """What was seen, what it shows or lacks, and what the reader must know of its runs."""
    absent = ", ".join(result.absent)
    if not result.contrasts:
        return f"Not tested: this profile does not run {absent or 'both sides of it together'}."
    text = _reason_many(result) if len(result.contrasts) > 1 else _reason_one(result)
    if result.decided_at and result.n_seeds and result.decided_at < result.n_seeds:
        text += f" Decided at {result.decided_at} seeds; later ones change no verdict."
    if absent:
        text += f" Not run in this profile, so not covered: {absent}."
    return text + _doubts(result)


def _reason_one(result: ClaimResult) -> str:
    only = result.contrasts[0]
    if only.estimate is None and result.n_seeds == 0:
        return "The first look is not complete: nothing can be decided yet."
    if only.estimate is None:
        return f"No seed has finished on both sides in {only.place}."
    seen = _seen(only, result.claim)
    if only.estimate.n == 1:
        return f"{seen}, from one seed only: no interval, no verdict."
    if result.verdict == "descriptive":
        return f"{seen}: descriptive, not corrected."
    if only.is_at_floor and result.verdict == "undecided":
        return f"{seen}: {_floor(result.claim)}."
    if result.verdict != result.uncorrected:
        return f"{seen}; {_lost_to_correction(result)}"
    if result.verdict == "undecided" and result.n_seeds is not None:
        return (
            f"{seen}: not enough, at this look, to tell whether it is {_wanted(result.claim)} "
            f"(sequential p = {p_value(result.adjusted_for)})."
        )
    if result.verdict == "undecided":
        return f"{seen}: too wide to tell whether it is {_wanted(result.claim)}."
    if result.verdict == "reproduced":
        return f"{seen}: {_wanted(result.claim)}, as claimed."
    return f"{seen}: not {_wanted(result.claim)}."


def _reason_many(result: ClaimResult) -> str:
    if result.verdict == "descriptive":
        return f"Descriptive, in {len(result.contrasts)} comparisons: {_means(result.contrasts)}."
    verdicts = [one.verdict for one in result.contrasts]
    told = ", ".join(f"{word} in {verdicts.count(word)}" for word in VERDICTS if word in verdicts)
    text = f"Must hold in all {len(verdicts)} comparisons; each taken alone: {told}"
    floored = [one for one in result.contrasts if one.is_at_floor]
    if floored:
        text += f"; {_places(floored)} {_floor(result.claim)}"
    if result.verdict != result.uncorrected:
        return f"{text}; {_lost_to_correction(result)}"
    return f"{text}."


def _means(contrasts: Iterable[Contrast]) -> str:
    told = [
        f"{signed(one.estimate.mean)} points in {one.place}" for one in contrasts if one.estimate
    ]
    return listed(told) or "no seed has finished on both sides"


def _places(contrasts: Iterable[Contrast]) -> str:
    """`in A at α=0.5 and at α=1 and in B`: where they are, each scenario named once."""
    points: dict[str, list[str]] = {}
    for one in contrasts:
        points.setdefault(one.scenario, []).extend([f"at {one.point}"] if one.point else [])
    return enumerated(
        [f"in {scenario} {enumerated(at)}".strip() for scenario, at in points.items()]
    )


def _floor(claim: ClaimView) -> str:
    return (
        f"no seed of either side wins more than {100 * claim.margin:g} %, so no difference beyond "
        "the margin could have shown (floor effect)"
    )


def _doubts(result: ClaimResult) -> str:
    """Runs that the verdict lacks, and mixed runs that it rests on."""
    lacking = {run.run_id for one in result.contrasts for run in one.left_out}
    mixed = {run.run_id for one in result.contrasts for run in one.mixed}
    text = ""
    if lacking:
        text += f" Without {plural(len(lacking), 'finished run')} that count as no evidence: "
        text += f"{listed(sorted(lacking))} (see Left out)."
    if mixed:
        text += f" Rests on {plural(len(mixed), 'run')} of mixed origin: "
        text += f"{listed(sorted(mixed))} (see Provenance)."
    return text


def _lost_to_correction(result: ClaimResult) -> str:
    is_for = result.uncorrected == "reproduced"
    adjusted = result.adjusted_for if is_for else result.adjusted_against
    return (
        f"alone it would read “{result.uncorrected}”, but not after Holm's correction over this "
        f"study's claims (adjusted p = {p_value(adjusted)})."
    )


def _wanted(claim: ClaimView) -> str:
    margin = f"{100 * claim.margin:g} points"
    if claim.kind == "equivalent":
        return f"within ±{margin}"
    return f"above {margin}" if claim.margin else "above zero"


def _seen(one: Contrast, claim: ClaimView) -> str:
    """Estimate, interval and n of a contrast that has an estimate."""
    estimate = one.tost if claim.kind == "equivalent" else one.estimate
    assert estimate is not None
    text = f"{signed(estimate.mean)} points in {one.place}"
    if estimate.n == 1:
        return text
    seeds = plural(estimate.n, "paired seed")
    if one.is_at_floor and estimate.low is None:
        return f"{text} at each of {seeds} alike"
    if estimate.low is None or estimate.high is None:
        return f"{text} at each of {seeds} alike (exact sign test, p = {p_value(one.p_for)})"
    level = f"{100 * estimate.confidence:.0f} %"
    return f"{text} ({level} interval {signed(estimate.low)} to {signed(estimate.high)}, {seeds})"
