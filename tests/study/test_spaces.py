"""Search spaces, the trials of their points, and plans that search."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from reports.load import view
from suite.algorithms.registry import run_point
from suite.errors import InputError
from suite.overview import plan_document, print_header, print_trials, warning_lines
from suite.runs.cohorts import cohort_shape
from suite.runs.spec import RunSpec
from suite.study.cost import estimate, run_seconds, workers_that_fit
from suite.study.dimensions import Dimension
from suite.study.load import load_study
from suite.study.plan import Plan, expand
from suite.study.spaces import SearchSpace

STUDIES = Path(__file__).parents[2] / "studies"
STUDY = """
format = 1
name = "s"
question = "?"
default_profile = "p"
[arms.cadp]
framework = "cadp"
backbone = "qmix"
hypernet_layers = 2
[arms.gap]
framework = "cadp"
backbone = "qmix"
pruning_schedule = "gap"
[arms.traced]
framework = "ctde"
backbone = "qmix"
returns = "td_lambda"
[arms.qmix]
framework = "ctde"
backbone = "qmix"
[profiles.p]
description = ""
scenarios = ["skirmish/3m"]
arms = {arms}
{seeds}
[profiles.p.training]
total_env_steps = {n_steps}
test_interval_env_steps = 1_000
[profiles.p.search]
n_trials = 4
seeds = [11, 12]
[profiles.p.search.ranges]
{ranges}
"""
ALPHA = "alpha = { low = 0.01, high = 10, log = true }\n"
START = "pruning_start_fraction = { low = 0.2, high = 0.8 }\n"
RATE = "learning_rate = { low = 1e-5, high = 1e-2, log = true }\n"


def plan_of(
    folder: Path, ranges: str, arms: str = '["cadp"]', seeds: str = "", n_steps: int = 10_000
) -> Plan:
    path = folder / "s.toml"
    path.write_text(STUDY.format(ranges=ranges, arms=arms, seeds=seeds, n_steps=n_steps))
    return expand(load_study(path))


def space_of(folder: Path, ranges: str, arm: str = "cadp") -> SearchSpace:
    (space,) = plan_of(folder, ranges, f'["{arm}"]').searches
    return space


def test_a_point_becomes_runs_of_the_seeds(tmp_path: Path) -> None:
    """By hand: 0.25 of 10,000 steps are 2,500."""
    space = space_of(tmp_path, ALPHA + START)
    trial = space.trial({"alpha": 2.0, "pruning_start_fraction": 0.25}, (5, 7))
    assert [run.seed for run in trial.runs] == [5, 7]
    assert trial.runs[0].hyperparameters == {"alpha": 2.0, "pruning_start_env_steps": 2_500}
    assert trial.searched == {"alpha": 2.0, "pruning_start_fraction": 0.25}
    assert trial.runs[0].algorithm.hypernet_layers == 2  # type: ignore[attr-defined]
    assert trial.label == "skirmish/3m cadp α=2 T=2,500"


def test_it_trains_what_a_file_that_says_so_trains(tmp_path: Path) -> None:
    """So the point that a report names can be written into a study."""
    trial = space_of(tmp_path, ALPHA + START + RATE).trial(
        {"alpha": 0.123456789, "pruning_start_fraction": 0.333333, "learning_rate": 7.654321e-4},
        (11, 12),
    )
    said = "alpha = [0.1235]\npruning_start_fraction = [0.3333]\n"
    text = STUDY.partition("[profiles.p.search]")[0]
    text = text.format(arms='["cadp"]', seeds="seeds = [11, 12]", n_steps=10_000)
    text = text.replace("hypernet_layers = 2", "hypernet_layers = 2\nlearning_rate = 0.0007654")
    path = tmp_path / "written.toml"
    path.write_text(f"{text}[profiles.p.hyperparameters]\n{said}")
    (written,) = expand(load_study(path)).trials
    assert [run.run_id for run in written.runs] == [run.run_id for run in trial.runs]
    assert written.key == trial.key


def test_settings_take_the_place_of_the_arms_own(tmp_path: Path) -> None:
    ranges = START + RATE + 'hidden_size = [32, 1_024]\noptimiser = ["adam", "rmsprop"]'
    values = {"learning_rate": 1e-3, "hidden_size": 1_024, "optimiser": "rmsprop"}
    trial = space_of(tmp_path, ranges).trial({"pruning_start_fraction": 0.5, **values}, (1,))
    algorithm = trial.runs[0].algorithm.model_dump()
    assert {key: algorithm[key] for key in values} == values
    assert trial.settings == values
    point = "α=0.5 T=5,000 optimiser=rmsprop learning_rate=0.001 hidden_size=1,024"
    assert trial.label == f"skirmish/3m cadp {point}"


def test_trials_that_differ_in_a_setting_alone_are_told_apart(tmp_path: Path) -> None:
    """In labels, of runs too, and in reports; a cohort may hold them both."""
    plan = plan_of(tmp_path, START + RATE)
    (space,) = plan.searches
    both = [
        space.trial({"pruning_start_fraction": 0.5, "learning_rate": rate}, space.seeds)
        for rate in (1e-3, 2e-3)
    ]
    assert both[0].key != both[1].key
    assert both[0].label != both[1].label
    points = [run_point(trial.runs[0]) for trial in both]
    assert points == [f"α=0.5 T=5,000 learning_rate={rate}" for rate in (0.001, 0.002)]
    data = view(plan.with_trials(both), {})
    assert {run.point for run in data.runs} == {f"learning_rate={rate}" for rate in (0.001, 0.002)}
    assert len({cohort_shape(trial.runs[0]) for trial in both}) == 1


def test_a_searched_start_is_found_again_as_a_part_of_training(tmp_path: Path) -> None:
    """In reports, whose scenarios may be trained for different times."""
    plan = plan_of(tmp_path, START)
    (space,) = plan.searches
    both = [space.trial({"pruning_start_fraction": part}, space.seeds) for part in (0.25, 0.5)]
    runs = view(plan.with_trials(both), {}).runs
    assert {run.point for run in runs} == {"T=2,500", "T=5,000"}
    assert {run.counterpart for run in runs} == {"T=0.25 of training", "T=0.5 of training"}


def test_a_stored_run_keeps_what_it_is_told_apart_by(tmp_path: Path) -> None:
    (run,) = (
        space_of(tmp_path, START + RATE)
        .trial({"pruning_start_fraction": 0.5, "learning_rate": 1e-3}, (1,))
        .runs
    )
    for stored in (
        RunSpec.model_validate_json(run.model_dump_json()),
        RunSpec.model_validate(run.model_dump(mode="json")),
    ):
        assert stored == run
        assert run_point(stored) == "α=0.5 T=5,000 learning_rate=0.001"


def test_a_label_is_no_content(tmp_path: Path) -> None:
    """Runs of searches have the ids they would have without; others are stored as ever."""
    (run,) = (
        space_of(tmp_path, START + RATE)
        .trial({"pruning_start_fraction": 0.5, "learning_rate": 1e-3}, (1,))
        .runs
    )
    assert run.searched == ("learning_rate",)
    plain = run.model_copy(update={"searched": ()})
    assert plain.run_id == run.run_id
    assert "searched" not in plain.model_dump_json()


def test_the_backbone_is_exchanged_and_keeps_the_rest(tmp_path: Path) -> None:
    """VDN has no hypernetworks: what is said of them stays behind, and α is VDN's published one."""
    space = space_of(tmp_path, START + RATE + 'backbone = ["vdn", "qmix"]')
    point = {"pruning_start_fraction": 0.5, "learning_rate": 1e-3}
    vdn, qmix = (space.trial({**point, "backbone": b}, (1,)) for b in ("vdn", "qmix"))
    assert [t.runs[0].algorithm.backbone for t in (vdn, qmix)] == ["vdn", "qmix"]
    assert vdn.hyperparameters["alpha"] == 1.0
    assert qmix.hyperparameters["alpha"] == 0.5
    assert qmix.runs[0].algorithm.model_dump()["hypernet_layers"] == 2
    assert "hypernet_layers" not in vdn.runs[0].algorithm.model_dump()
    assert vdn.label.endswith("backbone=vdn learning_rate=0.001")


def test_points_that_train_the_same_runs_are_the_same_trial(tmp_path: Path) -> None:
    """VDN has no use for a width of hypernetworks."""
    plan = plan_of(tmp_path, START + 'backbone = ["vdn", "qmix"]\nhypernet_embedding = [32, 64]')
    (space,) = plan.searches
    point = {"pruning_start_fraction": 0.5}
    narrow, wide, other = (
        space.trial({**point, "backbone": b, "hypernet_embedding": n}, space.seeds)
        for b, n in (("vdn", 32), ("vdn", 64), ("qmix", 64))
    )
    assert narrow == wide
    assert narrow.key == wide.key != other.key
    assert plan.with_trials([narrow, other]).with_trials([wide]).trials == (narrow, other)
    points = {run.point for run in view(plan.with_trials([narrow, other]), {}).runs}
    assert points == {"α=1, backbone=vdn", "α=0.5, backbone=qmix, hypernet_embedding=64"}


def test_a_point_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    space = space_of(tmp_path, START + "alpha = { low = 1e-3, high = 10, log = true }", "gap")
    with pytest.raises(InputError) as caught:
        space.trial({"pruning_start_fraction": 0.5, "alpha": 2e-3}, (1,))
    line = str(caught.value)
    assert line.startswith(
        "search of skirmish/3m gap at pruning_start_fraction = 0.5, alpha = 0.00"
    )
    assert "outside alpha_lowest = 0.01" in line
    assert "start within the bounds" in line


def test_a_point_at_which_the_arm_cannot_run_is_refused(tmp_path: Path) -> None:
    """λ goes with traces; the method itself says so."""
    space = space_of(
        tmp_path,
        'trace_decay = { low = 0.1, high = 0.9 }\nreturns = ["one_step", "td_lambda"]',
        "traced",
    )
    assert space.trial({"trace_decay": 0.5, "returns": "td_lambda"}, (1,)).settings
    with pytest.raises(InputError, match="one-step returns have no traces"):
        space.trial({"trace_decay": 0.5, "returns": "one_step"}, (1,))


def test_a_setting_may_make_another_hyperparameter_needed(tmp_path: Path) -> None:
    space = space_of(tmp_path, START + 'pruning_schedule = ["constant", "linear"]')
    with pytest.raises(InputError, match="no pruning_ramp_end_env_steps"):
        space.trial({"pruning_start_fraction": 0.5, "pruning_schedule": "linear"}, (1,))


@pytest.mark.parametrize(
    ("dimension", "given", "written"),
    [
        (Dimension("x", "x", "float", 0.0, 10.0), 1.23456, 1.235),
        (Dimension("x", "x", "float", 1e-5, 1.0, log=True), 1.23456e-4, 1.235e-4),
        (Dimension("x", "x", "float", 0.999, 0.9999), 0.99954321, 0.9995432),
        (Dimension("x", "x", "float", 0.0, 0.77777), 0.777769, 0.77777),
        (Dimension("x", "x", "float", 0.12344, 1.0), 0.12344, 0.12344),
        (Dimension("x", "x", "float", 0.1, 1.0, step=0.1), 0.1 + 0.1 * 2, 0.3),
        (Dimension("x", "x", "float", -1.0, 1.0), 0.0, 0.0),
        (Dimension("x", "x", "int", 1, 9), 5, 5),
        (Dimension("x", "x", "categorical", choices=("a", 0.123456)), 0.123456, 0.123456),
    ],
)
def test_values_are_written_as_a_person_would(
    dimension: Dimension, given: float, written: float
) -> None:
    assert dimension.written(given) == pytest.approx(written, rel=1e-12, abs=0)
    assert type(dimension.written(given)) is type(written)


@pytest.mark.parametrize(
    ("dimension", "middle", "n_points"),
    [
        (Dimension("x", "x", "float", 0.01, 1.0, log=True), 0.1, float("inf")),
        (Dimension("x", "x", "float", 0.0, 3.0), 1.5, float("inf")),
        (Dimension("x", "x", "float", 0.1, 0.7, step=0.1), 0.4, 7),
        (Dimension("x", "x", "int", 1, 9), 5, 9),
        (Dimension("x", "x", "int", 16, 64, step=16), 32, 4),
        (Dimension("x", "x", "categorical", choices=(1, 2, 3)), 2, 3),
    ],
)
def test_the_middle_of_a_range(dimension: Dimension, middle: float, n_points: float) -> None:
    assert dimension.middle == middle
    assert dimension.n_points == n_points
    assert dimension.middle in dimension


def test_what_is_published_need_not_be_a_step_of_the_range() -> None:
    dimension = Dimension("x", "x", "float", 0.1, 0.9, step=0.2)
    assert 0.5 in dimension
    assert 0.6 not in dimension
    assert 1.1 not in dimension


def test_a_typical_point_is_what_the_arm_has_where_that_is_searched(tmp_path: Path) -> None:
    """α = 0.5 and a learning rate of 5e-4 are published; no T is; two layers are said."""
    ranges = ALPHA + START + RATE + "hidden_size = [128, 256]\nhypernet_layers = [1, 2]"
    assert space_of(tmp_path, ranges).typical == {
        "alpha": 0.5,
        "pruning_start_fraction": 0.5,
        "learning_rate": 5e-4,
        "hidden_size": 256,
        "hypernet_layers": 2,
    }


def test_arms_without_a_range_are_references_on_the_seeds_of_the_search(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ALPHA + START, '["cadp", "qmix"]')
    assert [space.arm for space in plan.searches] == ["cadp"]
    assert [(trial.arm, trial.seeds, trial.searched) for trial in plan.trials] == [
        ("qmix", (11, 12), {})
    ]


def test_a_tuned_profile_has_no_trial_beforehand(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, START + RATE, '["cadp", "qmix"]', "seeds = [1, 2, 3]")
    assert [space.arm for space in plan.searches] == ["cadp", "qmix"]
    assert {space.n_trials for space in plan.searches} == {4}
    assert not plan.trials
    assert not plan.profile.is_exploratory


def test_what_is_still_to_come(tmp_path: Path) -> None:
    """By hand: 4 trials × 2 seeds, then 3 seeds, for each of two arms."""
    plan = plan_of(tmp_path, START + RATE, '["cadp", "qmix"]', "seeds = [1, 2, 3]")
    assert [n for _, n in plan.to_come] == [11, 11]
    assert plan.total_env_steps == 220_000
    cadp, qmix = plan.searches
    point = {"learning_rate": 1e-3}
    searched = qmix.trial(point, qmix.seeds)
    plan = plan.with_trials([searched])
    assert plan.proposed(qmix) == (searched,)
    assert plan.tuned(qmix) is None
    assert [n for _, n in plan.to_come] == [11, 9]
    final = qmix.trial(point, plan.profile.seeds)
    plan = plan.with_trials([final])
    assert plan.proposed(qmix) == (searched,)
    assert plan.tuned(qmix) == final
    assert plan.tuned(cadp) is None
    assert [n for _, n in plan.to_come] == [11, 6]
    assert plan.total_env_steps == 220_000
    assert [run.seed for run in plan.runs] == [11, 1, 12, 2, 3]


def test_the_estimate_is_of_everything_that_may_come(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ALPHA + START, '["cadp", "qmix"]')
    speed = 1e10
    info = plan.environments["skirmish/3m"]
    (trial,), ((typical, n),) = plan.trials, plan.to_come
    assert n == 8
    seconds = 2 * run_seconds(trial.runs[0], info, speed) + 8 * run_seconds(typical, info, speed)
    # Two workers start, five seconds each.
    hours = estimate(plan, 2, flops_per_second=speed).cpu_hours
    assert hours == pytest.approx((seconds + 10) / 3600)
    everything = [run.run_id for run in plan.runs] + [typical.run_id]
    left = estimate(plan, 2, without=everything, flops_per_second=speed)
    assert left.cpu_hours < hours
    assert left.n_finished == 2


def test_memory_is_that_of_runs_to_come(tmp_path: Path) -> None:
    """A plan of which no run is known yet still says how many fit."""
    plan = plan_of(tmp_path, START + RATE, '["cadp", "qmix"]', "seeds = [1, 2, 3]")
    assert not plan.runs
    assert workers_that_fit(plan, 2e9) > 1


def shown(plan: Plan) -> str:
    console = Console(width=200, file=io.StringIO(), record=True)
    print_header(console, plan, estimate(plan, 2, flops_per_second=1e10))
    print_trials(console, plan)
    return console.export_text()


def test_a_plan_says_what_it_searches(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ALPHA + START, '["cadp", "qmix"]')
    (space,) = plan.searches
    text = shown(plan)
    assert "TPESampler: 4 trials × 2 seeds for every arm" in text
    assert "cadp: α from 0.01 to 10, logarithmic; T/steps from 0.2 to 0.8" in text
    assert "Explores only: no claim is judged" in text
    assert "10 runs at most, 2 of them known already, 100,000 training steps" in text
    tuned = plan_of(tmp_path, START + RATE, '["cadp"]', "seeds = [1, 2, 3]")
    assert "then judged on 3 other seeds" in shown(tuned)
    proposed = plan.with_trials([space.trial(space.typical, space.seeds)])
    document = plan_document(proposed, estimate(proposed, 2, flops_per_second=1e10))
    search = document["search"]
    assert (search["sampler"], search["n_trials"], search["seeds"]) == ("TPESampler", 4, [11, 12])
    assert [one["name"] for one in search["objectives"]] == ["final_win_rate"]
    assert search["n_runs_to_come"] == 6
    (one,) = search["searches"]
    assert one["n_proposed"] == 1
    assert [dimension["name"] for dimension in one["dimensions"]] == [
        "alpha",
        "pruning_start_fraction",
    ]
    assert [trial["searched"] for trial in document["trials"]] == [{}, space.typical]


def test_searched_settings_have_columns(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, START + RATE)
    (space,) = plan.searches
    values = {"pruning_start_fraction": 0.5, "learning_rate": 3e-3}
    text = shown(plan.with_trials([space.trial(values, space.seeds)]))
    assert [line.split() for line in text.splitlines()[-2:]] == [
        ["scenario", "arm", "α", "T", "learning_rate", "steps", "seeds"],
        ["skirmish/3m", "cadp", "0.5", "5,000", "0.003", "10,000", "11", "12"],
    ]


def test_fewer_points_than_trials_are_warned_of(tmp_path: Path) -> None:
    ranges = "pruning_start_fraction = { low = 0.2, high = 0.6, step = 0.2 }"
    plan = plan_of(tmp_path, ranges)
    warnings = plan_document(plan, estimate(plan, 2, flops_per_second=1e10))["warnings"]
    assert "skirmish/3m cadp has 3 points in its ranges, fewer than 4 trials" in warnings


def test_runs_to_come_that_never_update_are_warned_of(tmp_path: Path) -> None:
    """700 steps on 3m are some 29 episodes, a first update takes 32."""
    plan = plan_of(tmp_path, START, n_steps=700)
    (line, *_) = plan_document(plan, estimate(plan, 2, flops_per_second=1e10))["warnings"]
    assert line.startswith("skirmish/3m cadp will probably never be updated")


def test_without_a_search_nothing_is_said_of_it() -> None:
    plan = expand(load_study(STUDIES / "reproduce_smac.toml"), "smoke")
    document = plan_document(plan, estimate(plan, 2, flops_per_second=1e10))
    assert document["search"] is None
    assert not plan.searches
    assert not plan.to_come
    assert "earch" not in shown(plan)


def test_a_budget_that_a_sampler_never_learns_from_is_told(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ALPHA + START)
    search = plan.profile.search
    assert search is not None
    for sampler, n_trials, n_warnings in (
        *(("TPESampler", 10, 1), ("TPESampler", 11, 0), ("RandomSampler", 3, 0)),
        *(("GPSampler", 5, 1), ("NSGAIISampler", 10, 1), ("CmaEsSampler", 3, 0)),
    ):
        changed = search.model_copy(update={"sampler": sampler, "n_trials": n_trials})
        profile = plan.profile.model_copy(update={"search": changed})
        study = plan.study.model_copy(update={"profiles": {plan.profile_name: profile}})
        told = [line for line in warning_lines(expand(study)) if sampler in line]
        assert len(told) == n_warnings, (sampler, n_trials)
        if told:
            assert told[0].endswith(f"random: so are all {n_trials} of these")


def test_a_search_moves_with_its_study(twin: None) -> None:
    plan = expand(load_study(STUDIES / "sensitivity_alpha_T.toml", "twin", "quick"), "quick")
    (space,) = plan.searches
    assert space.scenario == "twin/3m"
    assert space.trial(space.typical, (1,)).runs[0].scenario == "twin/3m"


@pytest.mark.parametrize("name", ["sensitivity_alpha_T", "tuned_comparison"])
def test_shipped_studies_search(name: str) -> None:
    study = load_study(STUDIES / f"{name}.toml")
    for profile in study.profiles:
        plan = expand(study, profile)
        assert plan.searches
        assert plan.profile.is_exploratory == (name == "sensitivity_alpha_T")
