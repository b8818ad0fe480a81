"""What Optuna's samplers suggest, and its pruners stop, as functions of what they may know.

A sampler is made anew for every point, from the search's seed and the point's number, and sees the
results of those points only that the search promises to be known by then. So a search asks the
same points whatever runs end first, however many workers there are, and however often it was
killed. The study that a sampler sees is a copy in memory; the points themselves are kept by
`suite.scheduling.proposers.search`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.study.dimensions import Dimension
from suite.study.objectives import Direction
from suite.study.search import SAMPLERS, PrunerName, SamplerName

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial


# What pruners by successive halving note with a trial.
_RUNG = "completed_rung_"


@dataclass(frozen=True)
class Suggestion:
    """A point. parameters: name → value. notes: what the sampler has to find with it later."""

    parameters: Mapping[str, Any]
    notes: Mapping[str, Any]


def suggest(
    sampler: SamplerName,
    seed: int,
    dimensions: Sequence[Dimension],
    directions: Sequence[Direction],
    name: str,
    known: Sequence[FrozenTrial],
) -> Suggestion:
    """The next point of a search.

    name: of its Optuna study. known: the points before, in order, as far as they may be known.
    """
    import optuna

    with _quiet():
        study = optuna.create_study(
            study_name=name,
            directions=list(directions),
            sampler=_sampler(sampler, seed, len(known)),
        )
        study.add_trials(known)
        asked = study.ask(distributions(dimensions))
        notes = study.get_trials(deepcopy=False)[asked.number].system_attrs
        return Suggestion(asked.params, dict(notes))


@dataclass(frozen=True)
class Prospect:
    """What a pruner says of a point. notes: what it has to find with it later."""

    is_hopeless: bool
    notes: Mapping[str, Any]


def prospect(
    pruner: PrunerName,
    n_steps: int,
    direction: Direction,
    name: str,
    known: Sequence[FrozenTrial],
    number: int,
) -> Prospect:
    """Whether a point is to be given up.

    known: the points, in order, as far as they may be known; that of this `number` has
    intermediate values. n_steps: how many a point has at its end.
    """
    import optuna

    with _quiet():
        made = _pruner(pruner, n_steps)
        study = optuna.create_study(study_name=name, direction=direction, pruner=made)
        study.add_trials(known)
        is_hopeless = bool(made.prune(study, study.get_trials()[number]))
        return Prospect(is_hopeless, study.get_trials()[number].system_attrs)


def sampler_notes(trial: FrozenTrial) -> dict[str, Any]:
    """Of what is noted with a point, what its sampler did; the rest is a pruner's."""
    return {k: v for k, v in trial.system_attrs.items() if not k.startswith(_RUNG)}


def distributions(dimensions: Sequence[Dimension]) -> dict[str, BaseDistribution]:
    """The dimensions as Optuna has them."""
    return {one.name: _distribution(one) for one in dimensions}


def _distribution(one: Dimension) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if one.low is None or one.high is None:
        return CategoricalDistribution(one.choices)
    if one.kind == "int":
        step = 1 if one.step is None else int(one.step)
        return IntDistribution(int(one.low), int(one.high), log=one.log, step=step)
    return FloatDistribution(one.low, one.high, log=one.log, step=one.step)


def _sampler(name: SamplerName, seed: int, number: int) -> BaseSampler:
    from optuna import samplers

    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    n_random = SAMPLERS[name].n_random
    match name:
        case "TPESampler":
            return samplers.TPESampler(seed=own, n_startup_trials=n_random, constant_liar=True)
        case "GPSampler":
            return samplers.GPSampler(seed=own, n_startup_trials=n_random)
        case "CmaEsSampler":
            return samplers.CmaEsSampler(seed=own)
        case "RandomSampler":
            return samplers.RandomSampler(seed=own)
        case "NSGAIISampler":
            return samplers.NSGAIISampler(seed=own, population_size=n_random)


def _pruner(name: PrunerName, n_steps: int) -> BasePruner:
    from optuna import pruners

    match name:
        case "MedianPruner":
            return pruners.MedianPruner()
        case "HyperbandPruner":
            return pruners.HyperbandPruner(min_resource=1, max_resource=n_steps)
        case "WilcoxonPruner":
            return pruners.WilcoxonPruner()


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna warns that some of what is asked of it may change in later versions."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
