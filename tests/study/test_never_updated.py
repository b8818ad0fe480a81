"""Runs that end before their first update: refused where certain, warned of where likely."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from suite.errors import InputError
from suite.overview import plan_document, print_header, warning_lines
from suite.study.cost import estimate, n_episodes, run_seconds
from suite.study.load import load_study
from suite.study.plan import Plan, expand
from suite.training.events import Event, Measured
from suite.training.train import train_cohort

STUDY = """
format = 1
name = "s"
question = "?"
default_profile = "p"
[arms.vdn]
framework = "ctde"
backbone = "vdn"
hidden_size = 4
[arms.mappo]
framework = "ctde"
backbone = "mappo"
[profiles.p]
description = ""
scenarios = ["{scenario}"]
arms = ["vdn"]
seeds = [1]
[profiles.p.training]
total_env_steps = {steps}
batch_size_episodes = {batch}
episodes_per_collection = {each}
n_test_episodes = 1
"""


def planned(folder: Path, *, steps: int, batch: int, each: int = 1, scenario: str) -> Plan:
    path = folder / "s.toml"
    path.write_text(STUDY.format(steps=steps, batch=batch, each=each, scenario=scenario))
    return expand(load_study(path))


# Every episode of `climbing` is the shortest there can be.
@pytest.mark.parametrize(
    ("steps", "each", "batch"), [(1, 1, 2), (24, 1, 25), (24, 4, 28), (27, 4, 28), (25, 8, 32)]
)
def test_the_bound_is_exact(tmp_path: Path, steps: int, each: int, batch: int) -> None:
    """At it the run is updated once, after its last collection; a larger batch is refused."""
    (run,) = planned(tmp_path, steps=steps, batch=batch, each=each, scenario="matrix/climbing").runs
    events: list[Event] = []
    train_cohort([run], tmp_path, events.append)
    points = [point for event in events if isinstance(event, Measured) for point in event.points]
    last = {key: value for key, _, value, _ in points}
    assert last["train/n_updates"] == 1
    assert last["train/n_episodes"] == batch == n_episodes(run.training, 1.0)
    with pytest.raises(InputError, match=f"takes {batch + 1} episodes, .* at most {batch} "):
        planned(tmp_path, steps=steps, batch=batch + 1, each=each, scenario="matrix/climbing")


@pytest.mark.parametrize(("steps", "each", "batch"), [(23, 1, 25), (23, 4, 28)])
def test_one_step_less_is_refused(tmp_path: Path, steps: int, each: int, batch: int) -> None:
    for scenario in ("matrix/climbing", "skirmish/3m"):
        with pytest.raises(InputError, match="would never be updated") as caught:
            planned(tmp_path, steps=steps, batch=batch, each=each, scenario=scenario)
        assert caught.value.where.endswith("profiles.p.training.total_env_steps")
        planned(tmp_path, steps=steps + 1, batch=batch, each=each, scenario=scenario)


def test_methods_without_a_replay_are_updated_after_every_collection(tmp_path: Path) -> None:
    text = STUDY.replace('arms = ["vdn"]', 'arms = ["mappo"]').replace(
        "batch_size_episodes = {batch}\n", ""
    )
    path = tmp_path / "s.toml"
    path.write_text(text.format(steps=1, each=40, scenario="matrix/climbing"))
    assert not warning_lines(expand(load_study(path)))


def test_likely_is_a_warning(tmp_path: Path) -> None:
    """1,000 steps of 3m are 41 episodes of 24 steps and a last one."""
    fits = planned(tmp_path, steps=1_000, batch=42, scenario="skirmish/3m")
    assert not warning_lines(fits)
    assert "Warning" not in header(fits)
    plan = planned(tmp_path, steps=1_000, batch=43, scenario="skirmish/3m")
    (line,) = warning_lines(plan)
    assert line.startswith("skirmish/3m vdn will probably never be updated")
    assert "takes 43 episodes, 1,000 steps are some 42 of 24 steps each" in line
    assert plan_document(plan, estimate(plan, 1, flops_per_second=1e11))["warnings"] == [line]
    assert f"Warning: {line}" in header(plan)


def header(plan: Plan) -> str:
    """What `plan` and `run` begin with."""
    text = io.StringIO()
    print_header(Console(file=text, width=1_000), plan, estimate(plan, 1, flops_per_second=1e11))
    return text.getvalue()


def test_only_updates_that_happen_are_counted(tmp_path: Path) -> None:
    """With 42 of 42 episodes in a batch there is one update, with 43 none; both play as much."""

    def seconds(batch: int, flops_per_second: float) -> float:
        plan = planned(tmp_path, steps=1_000, batch=batch, scenario="skirmish/3m")
        return run_seconds(plan.runs[0], plan.environments["skirmish/3m"], flops_per_second)

    assert seconds(43, 1e6) == seconds(43, 1e12) < seconds(42, 1e12) < seconds(42, 1e6)
