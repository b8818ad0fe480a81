"""The space that a search of one arm on one scenario looks through, and its trials."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from suite.algorithms.registry import hyperparameters_of, method_of
from suite.algorithms.settings import ArmSettings
from suite.environments import short_name
from suite.environments.interface import EnvironmentInfo
from suite.errors import InputError
from suite.runs.hyperparameters import Value, value_text
from suite.runs.spec import Scalar
from suite.study.able import unable, untrainable
from suite.study.definition import Profile
from suite.study.dimensions import BACKBONE, Dimension, changed, dimensions_of
from suite.study.messages import value_fault
from suite.study.search import Search
from suite.study.trial import Trial, grid, trial_at


@dataclass(frozen=True)
class SearchSpace:
    """One search: scenario × arm.

    n_trials: how many points are tried. seeds: over which each is judged.
    """

    scenario: str
    arm: str
    dimensions: tuple[Dimension, ...]
    n_trials: int
    seeds: tuple[int, ...]
    profile: Profile
    settings: ArmSettings
    environment: EnvironmentInfo

    @property
    def n_points(self) -> float:
        """How many points there are; infinitely many where a dimension is continuous."""
        return math.prod(one.n_points for one in self.dimensions)

    @property
    def key(self) -> str:
        """16 hex digits: what makes it this search and no other. Its budget may grow."""
        search = self.profile.search
        assert search is not None
        said = search.model_dump(mode="json", exclude={"n_trials", "ranges", "seeds"})
        typical = self.trial(self.typical, self.seeds).key
        content = [said, [repr(one) for one in self.dimensions], typical]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """For people: `skirmish/3m cadp_qmix`."""
        return f"{self.scenario} {self.arm}"

    @property
    def typical(self) -> dict[str, Scalar]:
        """A point to begin with and to estimate by: what the arm has or what is published, where
        that lies in the range, and its middle else."""
        own = self.settings
        for one in self.dimensions:
            if one.name == BACKBONE and own.backbone not in one:
                own = changed(own, {BACKBONE: one.middle})
        own = method_of(own).on_scenario(own, short_name(self.scenario))
        published = {one.name: one.published for one in hyperparameters_of(own)}
        known = {**dict(own), **published}
        return {
            one.name: one.written(known[one.name]) if known.get(one.name) in one else one.middle
            for one in self.dimensions
        }

    def trial(self, values: Mapping[str, Scalar], seeds: Sequence[int]) -> Trial:
        """The trial of a point, one value per dimension, on these seeds.

        Fractions become steps, values are written as `Dimension.written` says; those that have no
        effect (a setting that the chosen backbone lacks) are left out, so that points which train
        the same runs are the same trial.

        Raises
        ------
        InputError: the point contradicts itself, or the arm cannot run so on the scenario.
        """
        point = {one.name: one.written(values[one.name]) for one in self.dimensions}
        settings = self._settings(point)
        lists = grid(self.profile, self.scenario, settings)
        total = self.profile.training_for(self.scenario).total_env_steps
        taken: dict[str, Value] = {}
        for one in hyperparameters_of(settings):
            given: Any = point.get(one.name)
            if given is None and one.fraction in point:
                given = round(float(point[one.fraction]) * total)  # type: ignore[arg-type]
            if given is None:
                if not lists[one.name]:
                    cure = f"add {one.name} to ranges or hyperparameters"
                    raise self._refused(f"no {one.name} ({one.meaning})", point, None, cure)
                given = lists[one.name][0]
            taken[one.name] = given
        self._check(settings, taken, point)
        effective = {
            key
            for one in hyperparameters_of(settings)
            for key in (one.name, one.fraction)
            if key is not None
        } | type(settings).model_fields.keys()
        searched = {name: value for name, value in point.items() if name in effective}
        return trial_at(self.profile, self.environment, self.arm, settings, taken, seeds, searched)

    def _settings(self, point: Mapping[str, Scalar]) -> ArmSettings:
        try:
            return changed(self.settings, dict(point))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            what, value, cure = value_fault(first)
            key = ".".join(map(str, first["loc"]))
            raise self._refused(f"{key} is {what}", point, value, cure) from None

    def _check(
        self, settings: ArmSettings, taken: Mapping[str, Value], point: Mapping[str, Scalar]
    ) -> None:
        refusal = method_of(settings).point_refusal(settings, taken)
        if refusal is not None:
            raise self._refused(refusal.what, point, refusal.value, refusal.cure)
        faults = itertools.chain(
            unable((), self.scenario, self.arm, settings),
            untrainable((), self.profile, self.scenario, self.arm, settings),
        )
        for fault in faults:
            raise self._refused(fault.what, point, fault.value, fault.cure)

    def _refused(
        self, what: str, point: Mapping[str, Scalar], value: object, cure: str
    ) -> InputError:
        at = ", ".join(f"{name} = {value_text(v)}" for name, v in point.items())
        return InputError(what, where=f"search of {self.label} at {at}", value=value, cure=cure)


def search_space(
    profile: Profile,
    search: Search,
    environment: EnvironmentInfo,
    arm: str,
    settings: ArmSettings,
) -> SearchSpace | None:
    """The space of an arm on a scenario; None where no range applies to it."""
    dimensions = dimensions_of(settings, search)
    if not dimensions:
        return None
    return SearchSpace(
        environment.name,
        arm,
        dimensions,
        search.n_trials,
        search.seeds,
        profile,
        settings,
        environment,
    )
