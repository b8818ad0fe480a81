"""What a study file must respect beyond its types: names that exist, values that fit together."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from itertools import islice
from pathlib import Path
from typing import NoReturn

from suite.algorithms.registry import hyperparameters, hyperparameters_of, method_of, modes_of
from suite.environments import (
    available,
    backend_of,
    backends,
    counts_wins,
    describe,
    is_scenario,
)
from suite.errors import InputError
from suite.runs.hyperparameters import Hyperparameter
from suite.study.able import Fault, unable, unbearable, untrainable
from suite.study.definition import Claim, Profile, StudyDefinition
from suite.study.dimensions import dimensions_of
from suite.study.idle import idle_values
from suite.study.messages import Keys, in_one_line, nearest, place
from suite.study.search_checks import search_faults, space_faults
from suite.study.seeds import MOST_LOOKS, SequentialSeeds
from suite.study.table import LARGEST_PLAN
from suite.study.trial import algorithm_for, grid, points


def check_study(study: StudyDefinition, path: Path) -> None:
    """Check every profile and claim; raises InputError at the first fault."""
    in_one_line(lambda: _Checks(study, path).run(), path)


class _Checks:
    """The checks of one study file; holds what every message needs."""

    def __init__(self, study: StudyDefinition, path: Path) -> None:
        self.study = study
        self.path = path

    def run(self) -> None:
        self._check_arms()
        self._check_backends()
        if self.study.default_profile not in self.study.profiles:
            cure = nearest(self.study.default_profile, self.study.profiles, noun="profiles")
            self._fail("unknown profile", ["default_profile"], self.study.default_profile, cure)
        for name, profile in self.study.profiles.items():
            self._check_profile(["profiles", name], profile)
        self._check_no_repeats(["claims"], [claim.name for claim in self.study.claims])
        for index, claim in enumerate(self.study.claims):
            self._check_claim(["claims", index], claim)

    def _fail(self, what: str, keys: Keys, value: object, cure: str) -> NoReturn:
        raise InputError(what, where=place(self.path, keys), value=value, cure=cure)

    def _refuse(self, faults: Iterable[Fault]) -> None:
        """Fail with the first of them."""
        for fault in faults:
            self._fail(fault.what, fault.keys, fault.value, fault.cure)

    def _check_arms(self) -> None:
        """Two arms with the same settings would train the same runs twice under two names."""
        first_with: dict[str, str] = {}
        for name, settings in self.study.arms.items():
            # Said or not matters: what is not said may be otherwise on some scenarios.
            said = sorted(settings.model_fields_set)
            key = f"{settings.model_dump_json()} {said}"
            self._refuse_twin(name, first_with.setdefault(key, name))

    def _check_backends(self) -> None:
        """What is said of backends is said of some that there are."""
        for key in ("backend_deviations", "backend_arms"):
            for name in getattr(self.study, key):
                if name not in backends():
                    self._fail(
                        "unknown backend", [key], name, nearest(name, backends(), noun="backends")
                    )
        for name, arms in self.study.backend_arms.items():
            for arm in arms:
                if arm not in self.study.arms:
                    cure = nearest(arm, self.study.arms, noun="arms")
                    self._fail("unknown arm", ["backend_arms", name], arm, cure)

    def _refuse_twin(self, arm: str, twin: str) -> None:
        if twin != arm:
            cure = f"remove one, or change a setting; it equals arms.{twin}"
            self._fail("two arms with the same settings", ["arms", arm], arm, cure)

    def _check_no_repeats(self, keys: Keys, values: Iterable[Hashable]) -> None:
        seen: set[Hashable] = set()
        for value in values:
            if value in seen:
                self._fail("listed twice", keys, value, "remove one of the two")
            seen.add(value)

    def _check_scenario(self, keys: Keys, scenario: str) -> None:
        if not is_scenario(scenario):
            known = available()
            ending = f"/{scenario}".lower()  # its backend was forgotten
            full = [name for name in known if name.lower().endswith(ending)]
            cure = nearest(full[0] if full else scenario, known, noun="scenarios")
            self._fail("unknown scenario", keys, scenario, cure)
        if backend_of(scenario).takes_any_name:
            try:
                describe(scenario)
            except InputError as error:
                self._fail(error.what, keys, scenario, error.cure)

    def _check_profile(self, keys: list[str | int], profile: Profile) -> None:
        for key in ("scenarios", "arms"):
            self._check_no_repeats([*keys, key], getattr(profile, key))
        self._check_seeds([*keys, "seeds"], profile)
        for scenario in profile.scenarios:
            self._check_scenario([*keys, "scenarios"], scenario)
            if scenario in profile.missing_scenarios:
                cure = "leave it in one of scenarios and missing_scenarios"
                self._fail("both run and missing", [*keys, "missing_scenarios"], scenario, cure)
        for arm in profile.arms:
            if arm not in self.study.arms:
                cure = nearest(arm, self.study.arms, noun="arms")
                self._fail("unknown arm", [*keys, "arms"], arm, cure)
        for scenario in profile.scenario_settings:
            if scenario not in profile.scenarios:
                cure = nearest(scenario, profile.scenarios, noun="scenarios of this profile")
                self._fail("not a scenario", [*keys, "scenario_settings"], scenario, cure)
        if not profile.seeds and profile.search is None:
            self._fail("missing key", [*keys, "seeds"], None, "add it")
        for scenario in profile.scenarios:
            self._check_arms_on(keys, scenario, profile)
        arms = {name: self.study.arms[name] for name in profile.arms}
        self._check_use(keys, profile)
        self._refuse(search_faults(keys, profile, arms))
        for scenario in profile.scenarios:
            self._refuse(unbearable(keys, profile, scenario, arms))
            for name, settings in arms.items():
                self._refuse(untrainable(keys, profile, scenario, name, settings))
            self._check_hyperparameters(keys, scenario, profile)
        self._refuse(space_faults(keys, profile, arms))

    def _check_seeds(self, keys: Keys, profile: Profile) -> None:
        """No seed twice; looks that there are, few enough, and something to be decided by them."""
        seeds = profile.seeds
        if not isinstance(seeds, SequentialSeeds):
            self._check_no_repeats(keys, seeds)
            return
        if seeds.up_to <= seeds.first:
            cure = f"give more than first = {seeds.first}, or a list of seeds"
            self._fail("nothing to add", [*keys, "up_to"], seeds.up_to, cure)
        if seeds.n_looks > MOST_LOOKS:
            what = f"{seeds.n_looks:,} looks: each takes the claims some power"
            self._fail(what, [*keys, "then"], seeds.then, f"at most {MOST_LOOKS}; add more at once")
        arms, scenarios = set(profile.arms), set(profile.scenarios)
        if not any(
            {claim.left_arm, claim.right_arm} <= arms
            and (claim.scenarios is None or not scenarios.isdisjoint(claim.scenarios))
            for claim in self.study.primary_claims
        ):
            cure = "mark one as primary, claim something of its arms and scenarios, or list seeds"
            self._fail("no primary claim that this profile could decide", keys, None, cure)

    def _check_use(self, profile_keys: list[str | int], profile: Profile) -> None:
        """Whatever a profile sets, some run of it has."""
        for idle in idle_values(profile, [self.study.arms[arm] for arm in profile.arms]):
            self._fail(idle.what, [*profile_keys, *idle.keys], idle.value, "leave it out")

    def _check_hyperparameters(
        self, profile_keys: list[str | int], scenario: str, profile: Profile
    ) -> None:
        keys: list[str | int] = [*profile_keys, "hyperparameters"]
        table = profile.hyperparameters_for(scenario)
        total = profile.training_for(scenario).total_env_steps
        for declared in hyperparameters().values():
            self._check_values(profile_keys, scenario, profile, declared)
        for arm in profile.arms:
            if profile.search is not None and dimensions_of(self.study.arms[arm], profile.search):
                continue  # see `space_faults`
            for declared in hyperparameters_of(self.study.arms[arm]):
                if table.values(declared, total) is None and declared.published is None:
                    spellings = f"{declared.name} = [...]"
                    if declared.fraction:
                        spellings += f" or {declared.fraction} = [0.7]"
                    what = f"no {declared.name} ({declared.meaning}) for arm {arm} on {scenario}"
                    self._fail(what, keys, None, f"none is published for it; add {spellings}")
            self._check_points(profile_keys, scenario, arm, profile)

    def _check_points(self, profile_keys: Keys, scenario: str, arm: str, profile: Profile) -> None:
        """No combination of an arm's values contradicts itself."""
        settings = self.study.arms[arm]
        method = method_of(settings)
        # Longer grids are refused as such.
        for point in islice(points(grid(profile, scenario, settings)), LARGEST_PLAN):
            refusal = method.point_refusal(settings, point)
            if refusal is not None:
                what = f"arm {arm} cannot run on {scenario}: {refusal.what}"
                declared = hyperparameters()[refusal.key]
                keys, value = profile.written_for(scenario, declared, refusal.value)
                self._fail(what, [*profile_keys, *keys], value, refusal.cure)

    def _check_values(
        self, profile_keys: Keys, scenario: str, profile: Profile, declared: Hyperparameter
    ) -> None:
        """The values of one hyperparameter: in one spelling, within training, once each."""
        table = profile.hyperparameters_for(scenario)
        total = profile.training_for(scenario).total_env_steps
        if table.fractions(declared) and table.given(declared.name) is not None:
            cure = f"give {declared.name} or {declared.fraction}, not both"
            keys = [*profile_keys, "hyperparameters"]
            self._fail(f"{declared.symbol} is given twice", keys, None, cure)
        seen: set[Hashable] = set()
        for value in table.values(declared, total) or ():
            keys, said = profile.written_for(scenario, declared, value)
            if declared.fraction and value > total:
                cure = f"{scenario} ends after total_env_steps = {total}; start earlier"
                self._fail("after the last step", [*profile_keys, *keys], said, cure)
            if value in seen:
                self._fail("listed twice", [*profile_keys, *keys], said, "remove one of the two")
            seen.add(value)

    def _check_arms_on(
        self, profile_keys: list[str | int], scenario: str, profile: Profile
    ) -> None:
        """Arms that cannot run on a scenario are refused before anything is trained."""
        first_with: dict[str, str] = {}
        for arm in profile.arms:
            settings = self.study.arms[arm]
            key = algorithm_for(scenario, settings).model_dump_json()
            self._refuse_twin(arm, first_with.setdefault(key, arm))
            self._refuse(unable(profile_keys, scenario, arm, settings))

    def _check_claim(self, keys: list[str | int], claim: Claim) -> None:
        for key in ("left", "right"):
            self._check_side([*keys, key], getattr(claim, key))
        if claim.left == claim.right:
            self._fail("compares a side with itself", [*keys, "right"], claim.right, "change one")
        if claim.kind == "equivalent" and claim.margin == 0:
            cure = "give the largest difference that still counts as equivalent, e.g. 0.05"
            self._fail("equivalence without a margin", [*keys, "margin"], claim.margin, cure)
        self._check_no_repeats([*keys, "scenarios"], claim.scenarios or ())
        for scenario in claim.scenarios or ():
            self._check_scenario([*keys, "scenarios"], scenario)
        everywhere = (one for profile in self.study.profiles.values() for one in profile.scenarios)
        for scenario in claim.scenarios or everywhere:
            if not counts_wins(scenario):
                cure = "list in scenarios only such as say which episodes are won"
                self._fail("no win rate to compare", [*keys, "scenarios"], scenario, cure)

    def _check_side(self, keys: list[str | int], side: str) -> None:
        arm, _, mode = side.partition("/")
        if arm not in self.study.arms:
            cure = nearest(arm, self.study.arms, noun="arms")
            self._fail("unknown arm", keys, side, cure)
        modes = [one.name for one in modes_of(self.study.arms[arm])]
        if mode not in modes:
            cure = "write " + " or ".join(f"'{arm}/{valid}'" for valid in modes)
            self._fail("no such execution mode of this arm", keys, side, cure)
