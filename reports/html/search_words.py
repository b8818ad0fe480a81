"""What the page says of searches, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from reports.analysis import Analysis
from reports.numbers import enumerated, listed
from reports.statistics.importance import EVALUATOR, FEWEST_POINTS, Importance, n_best
from reports.sweep import SearchResult, Worth
from suite.text import plural

# Of the states of points, on the page.
STATE_WORDS = {
    "complete": "complete",
    "running": "under way",
    "failed": "failed",
    "pruned": "pruned",
    "left out": "complete, but no evidence",
    "refused": "refused by the arm",
}


def verdict_statement(analysis: Analysis) -> str:
    """Why a profile that searches has no verdicts, or on what they rest; "" for others."""
    data = analysis.data
    if not analysis.searches:
        return ""
    n_claims = plural(len(data.claims), "claim")
    if data.explores:
        text = (
            "This profile explores: it tries many points on the same seeds and looks which turn "
            "out best, so it judges nothing."
        )
        if data.claims:
            text += (
                f" The {n_claims} of the study are judged by profiles whose seeds no search has "
                "seen."
            )
        return text
    budget = _budget_in_words(analysis.searches[0])
    if not all(one.view.judged for one in analysis.searches):
        n_over = sum(_is_over(one) for one in analysis.searches)
        return (
            f"The arms are still being tuned, each with {budget}: {n_over} of "
            f"{plural(len(analysis.searches), 'search', 'searches')} over. The {n_claims} of the "
            "study are judged when all are, on other seeds."
        )
    return (
        f"Every arm was tuned first, with {budget}; its best point was then trained on other "
        "seeds, on which alone the claims are judged. A search over more dimensions is rougher "
        "with the same budget."
    )


def _budget_in_words(search: SearchResult) -> str:
    view = search.view
    return (
        f"the same budget on each scenario: {plural(view.n_trials, 'trial')} of "
        f"{plural(len(view.seeds), 'seed')} ({listed(view.seeds)})"
    )


def _is_over(search: SearchResult) -> bool:
    ended = [point for point in search.points if point.state not in ("running", "refused")]
    return len(ended) >= search.view.n_trials and "running" not in search.counts


def what_was_run(analysis: Analysis, scenario: str) -> str:
    """Arms of a scenario with their points; of arms that are searched the number of points."""
    searched = {one.view.arm: one for one in analysis.searches if one.view.scenario == scenario}
    runs = [run for run in analysis.data.runs if run.scenario == scenario]
    names = dict.fromkeys(run.condition for run in runs if run.arm not in searched)
    told = (f"{arm} ({plural(len(one.points), 'point')} searched)" for arm, one in searched.items())
    return ", ".join((*names, *told))


def shown_statement(analysis: Analysis) -> str:
    """Which points of searched arms ordinary tables and figures show; "" where none is explored."""
    if not (analysis.searches and analysis.data.explores):
        return ""
    return (
        "Of each arm that is searched the best, the median and the worst point are shown, by the "
        "first objective; all others stand under Searches. The best is the best of many, so its "
        "value flatters."
    )


def typical_statement(search: SearchResult) -> str:
    """Which points of an explored arm other sections show."""
    told = [f"{role} {point.words}" for role, point in search.typical.items()]
    return f"Shown in curves and tables below: {'; '.join(told)}." if told else ""


def budget(search: SearchResult) -> Iterator[tuple[str, str]]:
    """(What, value) of the facts of a search."""
    view, counts = search.view, search.counts
    yield "Sampler", f"{view.sampler}, seed {view.sampler_seed}"
    if view.pruner:
        yield "Pruner", view.pruner
    told = ", ".join(f"{n} {STATE_WORDS[state]}" for state, n in counts.items())
    asked = f"{len(search.points)} asked for {plural(view.n_trials, 'trial')}"
    yield "Points", f"{asked}: {told}" if told else asked
    yield "Seeds of a point", listed(view.seeds)
    aims = (
        f"{'highest' if one.maximises else 'lowest'} {one.objective.title}"
        for one in search.objectives
    )
    yield "Looks for", "; ".join(aims)
    yield "Searches", "; ".join(one.text for one in view.dimensions)
    yield "Spent", f"{search.core_hours:.3g} core hours of finished runs"


def best_statement(search: SearchResult) -> str:
    """The best point or the front, and how far to believe it."""
    if not search.complete:
        return "No point has a value yet that counts as evidence: there is nothing to show."
    if len(search.objectives) > 1:
        return (
            f"With two objectives there is no best point. The front, which no other point beats in "
            f"both, has {plural(len(search.front), 'point')} of {len(search.ranked)}. Which these "
            "are depends on the seeds: where many points are close, some are there by luck."
        )
    best, n = search.best, len(search.ranked)
    assert best is not None
    text = (
        f"Best: {best.words}, with a {search.quantities[0].objective.title} of "
        f"{_told(best.worths[0])}."
    )
    if search.judged:
        return (
            f"{text} That is the best of {n}, on the seeds that chose it, and flatters. On "
            f"{plural(len(search.judged[0].by_seed), 'other seed')} it is "
            f"{_told(search.judged[0])}: only that counts above."
        )
    if n == 1:
        return f"{text} It is the only one so far."
    text += (
        f" This is the best of {plural(n, 'point')}, chosen by the very seeds that it is measured "
        "on: partly it was lucky, and on new seeds it is likely to do worse (the winner's curse)."
    )
    estimate = best.worths[0].estimate
    assert estimate is not None
    return f"{text} The interval does not allow for that." if estimate.has_interval else text


def _told(worth: Worth) -> str:
    estimate, unit = worth.estimate, worth.quantity.unit
    if estimate is None:
        return "not known yet"
    text = f"{worth.quantity.write(estimate.mean)} {unit}"
    if estimate.has_interval:
        interval = f"95 % interval {worth.quantity.interval(estimate)}"
        return f"{text} ({interval}, {plural(estimate.n, 'seed')})"
    return f"{text} ({plural(estimate.n, 'seed')}, no interval)"


def seeds_statement(search: SearchResult) -> str:
    """What few seeds cannot tell; "" where there are more."""
    match len(search.view.seeds):
        case 1:
            return (
                "One seed for each point: nothing tells how much seeds differ, so no point has an "
                "interval. Look for what many points agree on."
            )
        case 2:
            return (
                "Two seeds for each point: most intervals hold almost every possible value. What "
                "many points agree on tells more than any one of them."
            )
    return ""


def importance_statement(search: SearchResult, place: int) -> str:
    """What the importance of dimensions is, or why there is none. place: of the objective."""
    n, found = len(search.complete), search.importances[place]
    about = f" for the {search.objectives[place].objective.title}"
    about = about if len(search.objectives) > 1 else ""
    if len(search.view.dimensions) == 1:
        return ""
    if n < FEWEST_POINTS:
        return (
            f"How much each dimension matters{about} is not computed from "
            f"{plural(n, 'complete point')}: with fewer than {FEWEST_POINTS} it would be noise."
        )
    if not found:
        return (
            f"How much each dimension matters{about} cannot be told: too many points are worth the "
            f"same for the best {n_best(n)} to stand out."
        )
    text = (
        f"Importance{about} by Optuna's {EVALUATOR}: along which dimensions the best {n_best(n)} "
        f"of {n} points lie elsewhere than all that were tried."
    )
    told = [one for one in found if one.is_told]
    if not told:
        return f"{text} No dimension stands out from what chance gives."
    names = enumerated([_shared(one) for one in told])
    text += f" More than chance: {names}."
    if n_best(n) * 10 > n:
        text += f" From {n} points this is rough."
    return text


def _shared(one: Importance) -> str:
    return f"{one.dimension.symbol} ({100 * one.share:.0f} %)"
