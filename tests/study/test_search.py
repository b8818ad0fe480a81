"""What a study may say of a search, and what it is told where it must not."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import optuna
import pytest
from pydantic import ValidationError

from suite.errors import InputError
from suite.study.load import load_study
from suite.study.objectives import OBJECTIVES, ObjectiveName
from suite.study.plan import Plan, expand
from suite.study.search import PRUNERS, SAMPLERS, PrunerName, Range, SamplerName

STUDY = """
format = 1
name = "s"
question = "?"
default_profile = "p"
[arms.qmix]
framework = "ctde"
backbone = "qmix"
[arms.cadp]
framework = "cadp"
backbone = "qmix"
[arms.vdn]
framework = "ctde"
backbone = "vdn"
[arms.gap]
framework = "cadp"
backbone = "qmix"
pruning_schedule = "gap"
[profiles.p]
description = ""
scenarios = ["skirmish/3m"]
arms = ["cadp", "qmix"]
{profile}
[profiles.p.training]
total_env_steps = 1_000
{tables}
[profiles.p.search]
n_trials = 4
seeds = [11, 12]
{search}
[profiles.p.search.ranges]
{ranges}
"""
ALPHA = "alpha = { low = 0.01, high = 10, log = true }\n"
START = "pruning_start_fraction = { low = 0.2, high = 0.7 }\n"
RATE = "learning_rate = { low = 1e-4, high = 1e-3 }\n"
TUNED = "seeds = [1, 2]\n"
FIXED_START = "hyperparameters = { pruning_start_fraction = [0.5] }"
FIVE = "seeds = [11, 12, 13, 14, 15]"


GIVEN = {"ranges": START, "search": "", "profile": "", "tables": ""}


def load(folder: Path, said: dict[str, str], text: str = STUDY) -> Plan:
    path = folder / "s.toml"
    path.write_text(text.format(**{key: said.get(key, value) for key, value in GIVEN.items()}))
    return expand(load_study(path))


@pytest.mark.parametrize(
    "said",
    [
        {"ranges": START},
        {"ranges": ALPHA + START},
        {"ranges": "pruning_start_env_steps = { low = 0, high = 1_000, step = 100 }"},
        {"ranges": START + "hidden_size = [32, 64]"},
        {"ranges": START + "hidden_size = { low = 16, high = 128, log = true }"},
        {"ranges": START + 'optimiser = ["adam", "rmsprop"]\nmasks_dead = [true, false]'},
        {"ranges": START + 'backbone = ["vdn", "qmix"]'},
        {"ranges": ALPHA, "profile": FIXED_START},
        {"ranges": START + RATE, "profile": TUNED},
        {"ranges": START, "search": 'objectives = ["core_hours"]\nsampler = "CmaEsSampler"'},
        {
            "ranges": START,
            "search": 'sampler = "NSGAIISampler"\nobjectives = ["final_win_rate", "mode_gap"]',
        },
        {
            "ranges": ALPHA,
            "search": 'pruner = "MedianPruner"',
            "profile": FIXED_START,
        },
    ],
)
def test_what_may_be_said(tmp_path: Path, said: dict[str, str]) -> None:
    assert load(tmp_path, said).searches


def test_wilcoxon_goes_with_five_seeds(tmp_path: Path) -> None:
    said = {"search": 'pruner = "WilcoxonPruner"'}
    with pytest.raises(InputError, match="with 2 seeds it tells nothing"):
        load(tmp_path, said)
    load(tmp_path, said, STUDY.replace("seeds = [11, 12]", FIVE))


# What is said → where the line says so, with which value, and a word of what or cure.
FAULTS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "misspelt table": (
        {"ranges": "alpha = { lo = 1, high = 2 }"},
        ("search.ranges.alpha: unknown key (got 'lo')", "did you mean 'low'?"),
    ),
    "a number in place of a range": (
        {"ranges": "alpha = 0.5"},
        ("search.ranges.alpha: of the wrong type (got 0.5)", "give {low = …"),
    ),
    "an end in quotes": (
        {"ranges": 'alpha = { low = "1", high = 2 }'},
        ("search.ranges.alpha.low: of the wrong type (got '1')",),
    ),
    "an end that nothing holds": (
        {"ranges": "alpha = { low = 0, high = 1e301 }"},
        ("search.ranges.alpha.high: out of range",),
    ),
    "a choice that is a list": (
        {"ranges": "hidden_size = [[1], [2]]"},
        ("search.ranges.hidden_size[0]: of the wrong type (got [1])",),
    ),
    "no ranges": ({"ranges": ""}, ("search.ranges: empty",)),
    "unknown sampler": (
        {"search": 'sampler = "TPE"'},
        ("search.sampler: unknown value (got 'TPE'); use 'TPESampler'",),
    ),
    "misspelt key": (
        {"ranges": START + "learning_rat = [1e-3, 1e-4]"},
        ("search.ranges: unknown key (got 'learning_rat'); did you mean 'learning_rate'?",),
    ),
    "misspelt hyperparameter": (
        {"ranges": START + "alpa = [1.0, 2.0]"},
        ("did you mean 'alpha'?",),
    ),
    "framework": (
        {"ranges": START + 'framework = ["ctde", "cadp"]'},
        ("no search chooses the framework", "make each framework an arm"),
    ),
    "of no use to an arm": (
        {"ranges": START + "clip = { low = 0.1, high = 0.3 }"},
        ("search.ranges.clip: no arm of this profile has a use for it; leave it out",),
    ),
    "both spellings": (
        {"ranges": START + "pruning_start_env_steps = { low = 1, high = 9 }"},
        ("T is given twice; give pruning_start_env_steps or pruning_start_fraction",),
    ),
    "enumerated as well": (
        {"profile": "hyperparameters = { pruning_start_fraction = [0.5] }"},
        ("profiles.p.hyperparameters.pruning_start_fraction: searched as well",),
    ),
    "enumerated in the other spelling": (
        {"profile": "hyperparameters = { pruning_start_env_steps = [5] }"},
        ("profiles.p.hyperparameters.pruning_start_env_steps: searched as well",),
    ),
    "enumerated on a scenario": (
        {
            "tables": '[profiles.p.scenario_settings."skirmish/3m".hyperparameters]\n'
            "pruning_start_fraction = [0.5]"
        },
        ('scenario_settings."skirmish/3m".hyperparameters.pruning_start_fraction: searched',),
    ),
    "several values beside a search": (
        {"profile": "hyperparameters = { alpha = [0.5, 1.0] }"},
        ("profiles.p.hyperparameters.alpha: several values (got [0.5, 1.0]); arm cadp",),
    ),
    "empty range": (
        {"ranges": "alpha = { low = 2, high = 2 }\n" + START},
        ("search.ranges.alpha.low: an empty range (got 2); let low be smaller than high = 2",),
    ),
    "logarithm of nothing": (
        {"ranges": "alpha = { low = 0, high = 2, log = true }\n" + START},
        ("search.ranges.alpha.low: no logarithm (got 0)", "leave out log"),
    ),
    "steps on a logarithmic scale": (
        {"ranges": "alpha = { low = 1, high = 2, log = true, step = 0.5 }\n" + START},
        ("search.ranges.alpha.step: steps on a logarithmic scale",),
    ),
    "step beyond the range": (
        {"ranges": "alpha = { low = 1, high = 2, step = 2 }\n" + START},
        ("search.ranges.alpha.step: no step of this range (got 2)", "up to high - low = 1"),
    ),
    "part of a step": (
        {"ranges": "hidden_size = { low = 1, high = 9, step = 0.5 }\n" + START},
        ("search.ranges.hidden_size.step: of the wrong type (got 0.5)",),
    ),
    "low end that the setting refuses": (
        {"ranges": "gamma = { low = -1, high = 1 }\n" + START},
        ("search.ranges.gamma.low: out of range (got -1); it must be greater than or equal to 0",),
    ),
    "high end that the setting refuses": (
        {"ranges": "gamma = { low = 0.9, high = 1.5 }\n" + START},
        ("search.ranges.gamma.high: out of range (got 1.5)",),
    ),
    "end that the hyperparameter refuses": (
        {"ranges": "alpha = { low = -1, high = 1 }\n" + START},
        ("search.ranges.alpha.low: out of range (got -1",),
    ),
    "more than all of training": (
        {"ranges": "pruning_start_fraction = { low = 0.5, high = 1.5 }"},
        ("search.ranges.pruning_start_fraction.high: out of range (got 1.5)",),
    ),
    "after the last step": (
        {"ranges": "pruning_start_env_steps = { low = 0, high = 1_001 }"},
        ("search.ranges.pruning_start_env_steps: after the last step (got 1001", "= 1000"),
    ),
    "part of a step of training": (
        {"ranges": "pruning_start_env_steps = { low = 0.5, high = 900 }"},
        ("search.ranges.pruning_start_env_steps.low: of the wrong type (got 0.5)",),
    ),
    "choice that the setting refuses": (
        {"ranges": START + "hidden_size = [64, 0]"},
        ("search.ranges.hidden_size[1]: out of range (got 0)",),
    ),
    "choice that it does not know": (
        {"ranges": START + 'optimiser = ["adam", "sgd"]'},
        ("search.ranges.optimiser[1]: unknown value (got 'sgd'); use 'adam' or 'rmsprop'",),
    ),
    "range of what has choices": (
        {"ranges": START + "optimiser = { low = 1, high = 2 }"},
        ("search.ranges.optimiser: takes choices, not a range", '"adam", "rmsprop"'),
    ),
    "range of yes and no": (
        {"ranges": START + "masks_dead = { low = 0, high = 1 }"},
        ("search.ranges.masks_dead: takes choices, not a range; list some of true, false",),
    ),
    "range of lists": (
        {"ranges": START + "adviser_counts = [1, 2]"},
        ("search.ranges.adviser_counts: a list, which no search chooses; set it in arms",),
    ),
    "choice listed twice": (
        {"ranges": START + "hidden_size = [64, 64]"},
        ("search.ranges.hidden_size: listed twice (got 64)",),
    ),
    "one choice alone": (
        {"ranges": START + "hidden_size = [64]"},
        ("search.ranges.hidden_size: one choice alone",),
    ),
    "backbone as a range": (
        {"ranges": START + "backbone = { low = 1, high = 2 }"},
        ("search.ranges.backbone: takes choices, not a range",),
    ),
    "backbone that the framework lacks": (
        {"ranges": START + 'backbone = ["qmix", "qtran"]'},
        ("search.ranges.backbone: framework cadp has no such backbone (got 'qtran')",),
    ),
    "seed listed twice": (
        {"seeds": "[11, 11]"},
        ("search.seeds: listed twice (got 11)",),
    ),
    "seeds that judge": (
        {"profile": "seeds = [12]", "ranges": START + RATE},
        ("search.seeds: also a seed of the profile (got 12)", "that the search has not seen"),
    ),
    "an objective twice": (
        {"search": 'objectives = ["core_hours", "core_hours"]'},
        ("search.objectives: listed twice (got 'core_hours')",),
    ),
    "a second objective for a sampler of one": (
        {"search": 'sampler = "CmaEsSampler"\nobjectives = ["final_win_rate", "core_hours"]'},
        ("search.sampler: this sampler takes one objective (got 'CmaEsSampler'); use TPESampler",),
    ),
    "choices for a sampler of ranges": (
        {"search": 'sampler = "CmaEsSampler"', "ranges": START + "hidden_size = [32, 64]"},
        ("search.ranges.hidden_size: CmaEsSampler takes ranges, no choices (got [32, 64])",),
    ),
    "two objectives where claims are judged": (
        {
            "profile": TUNED,
            "ranges": START + RATE,
            "search": 'objectives = ["final_win_rate", "core_hours"]',
        },
        ("search.objectives: two objectives have no best point",),
    ),
    "an arm without the mode": (
        {"ranges": START + RATE, "search": 'objectives = ["mode_gap"]'},
        ("search.objectives: arm qmix has no centralised mode (got 'mode_gap')",),
    ),
    "a pruner where claims are judged": (
        {"profile": TUNED, "ranges": START + RATE, "search": 'pruner = "MedianPruner"'},
        ("search.pruner: no trial is cut short where claims are judged",),
    ),
    "a pruner of two objectives": (
        {"search": 'pruner = "MedianPruner"\nobjectives = ["final_win_rate", "mode_gap"]'},
        ("search.pruner: pruners look at one objective",),
    ),
    "a pruner of what no test tells": (
        {"search": 'pruner = "MedianPruner"\nobjectives = ["core_hours"]'},
        ("search.pruner: no test tells core_hours before the end",),
    ),
    "a pruner that takes a late start for a bad one": (
        {"search": 'pruner = "HyperbandPruner"'},
        ("search.pruner: it compares tests at equal steps", "pruning_start_fraction"),
    ),
    "an arm that would not be tuned": (
        {"profile": TUNED},
        ("search.ranges: no range applies to arm qmix", "learning_rate"),
    ),
    "arms that differ in what is searched": (
        {"arms": '["qmix", "vdn"]', "ranges": 'backbone = ["qmix", "vdn"]\n' + RATE},
        ("profiles.p.arms: arms qmix and vdn differ in nothing but", "leave out one"),
    ),
    "a contradiction in the middle": (
        {
            "arms": '["gap"]',
            "ranges": "alpha = { low = 200, high = 300 }\n" + START,
        },
        ("search.ranges: arm gap on skirmish/3m", "outside alpha_lowest", "start within"),
    ),
    "no value for what has none published": (
        {"ranges": ALPHA},
        ("no pruning_start_env_steps", "add pruning_start_env_steps to ranges"),
    ),
    "no win rate": (
        {"scenarios": '["pettingzoo/parallel_examples:Race"]'},
        ("search.objectives: pettingzoo/parallel_examples:Race does not say",),
    ),
    "too many runs": (
        {"n_trials": "50_000"},
        ("profiles.p: 50,001 trials × 2 seeds are too many runs", "at most 100,000"),
    ),
    "neither seeds nor a search": (
        {"without": "search"},
        ("profiles.p.seeds: missing key; add it",),
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_may_not_be_said(case: str, tmp_path: Path) -> None:
    said, words = FAULTS[case]
    text = STUDY
    for key in ("arms", "scenarios", "n_trials"):
        if key in said:
            line = next(one for one in text.splitlines() if one.startswith(f"{key} = "))
            text = text.replace(line, f"{key} = {said[key]}", 1)
    if "seeds" in said:
        text = text.replace("seeds = [11, 12]", f"seeds = {said['seeds']}")
    if "without" in said:
        text = text.partition("[profiles.p.search]")[0]
    with pytest.raises(InputError) as caught:
        load(tmp_path, said, text)
    line = str(caught.value)
    assert "\n" not in line
    assert all(word in line for word in words), line


@pytest.mark.parametrize("end", [-1e301, 1e301])
def test_ends_are_numbers_that_can_be_held(end: float) -> None:
    with pytest.raises(ValidationError, match=r"should be (less|greater) than or equal"):
        Range.model_validate({"low": end, "high": 1.0})


def test_names_are_those_of_the_tables() -> None:
    assert get_args(SamplerName) == tuple(SAMPLERS)
    assert get_args(PrunerName) == tuple(PRUNERS)
    assert get_args(ObjectiveName) == tuple(OBJECTIVES)


def test_names_and_directions_are_optunas() -> None:
    assert all(hasattr(optuna.samplers, name) for name in SAMPLERS)
    assert all(hasattr(optuna.pruners, name) for name in PRUNERS)
    known = {one.name.lower() for one in optuna.study.StudyDirection}
    assert {one.direction for one in OBJECTIVES.values()} <= known


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "CmaEsSampler"])
def test_samplers_take_what_is_said_of_them(name: str) -> None:
    """Two objectives and choices; CMA-ES needs a package of its own."""
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    sampler = getattr(optuna.samplers, name)(seed=1)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for _ in range(14):
        trial = study.ask()
        x, choice = trial.suggest_float("x", 0, 1), trial.suggest_categorical("c", ["a", "b"])
        study.tell(trial, [x, float(choice == "a")])
    assert len(study.trials) == 14
