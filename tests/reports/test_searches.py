"""The reports' view of searches, from what a search has stored."""

from pathlib import Path

import pytest

from reports.data import SearchView
from reports.searches import search_views
from suite.records.schedule import ProposalState, SearchPoint, StoredSearch
from suite.study.load import load_study
from suite.study.plan import Plan, expand

STUDY = """
format = 1
name = "example"
question = "?"
default_profile = "tiny"
[arms.plain]
framework = "ctde"
backbone = "qmix"
[profiles.tiny]
description = "for a test"
scenarios = ["skirmish/3m"]
arms = ["plain"]
training = { total_env_steps = 10_000, test_interval_env_steps = 1_000 }
[profiles.tiny.search]
n_trials = 4
seeds = [11]
seed = 5
sampler = "RandomSampler"
[profiles.tiny.search.ranges]
backbone = ["vdn", "qmix"]
learning_rate = { low = 1e-4, high = 2e-3, log = true }
hypernet_embedding = [32, 64]
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    path = tmp_path / "example.toml"
    path.write_text(STUDY)
    return expand(load_study(path))


def point(
    number: int,
    state: ProposalState,
    run_ids: tuple[str, ...] = ("a",),
    *,
    backbone: str = "qmix",
    reason: str | None = None,
) -> SearchPoint:
    values = {"backbone": backbone, "learning_rate": 0.00123456, "hypernet_embedding": 64}
    return SearchPoint(number + 1, number, state, (), values, run_ids, {}, reason, None, None)


def view(plan: Plan, *points: SearchPoint, **attributes: object) -> SearchView:
    (space,) = plan.searches
    stored = StoredSearch("name", space.key, space.scenario, space.arm, attributes, points)
    (found,) = search_views(plan, {space.key: stored})
    return found


def test_a_search_that_was_not_begun_has_its_budget(plan: Plan) -> None:
    (found,) = search_views(plan, {})
    assert (found.scenario, found.arm, found.points) == ("skirmish/3m", "plain", ())
    assert (found.n_trials, found.seeds, found.sampler_seed) == (4, (11,), 5)
    assert found.sampler == "RandomSampler"
    assert [one.name for one in found.objectives] == ["final_win_rate"]
    assert found.chosen is None


def test_values_are_those_that_are_trained(plan: Plan) -> None:
    """Rounded, and without what the chosen backbone has no use for."""
    qmix, vdn = view(plan, point(0, "complete"), point(1, "complete", backbone="vdn")).points
    assert qmix.parameters == {
        "backbone": "qmix",
        "learning_rate": 0.001235,
        "hypernet_embedding": 64,
    }
    assert vdn.parameters == {"backbone": "vdn", "learning_rate": 0.001235}


def test_a_failed_point_without_runs_was_refused(plan: Plan) -> None:
    found = view(
        plan,
        point(0, "failed", reason="diverged"),
        point(1, "failed", (), reason="no such thing"),
        point(2, "waiting"),
        point(3, "pruned"),
    )
    assert [one.state for one in found.points] == ["failed", "refused", "running", "pruned"]
    assert [one.reason for one in found.points] == ["diverged", "no such thing", "", ""]
    assert found.points[1].parameters["hypernet_embedding"] == 64


def test_the_chosen_point_is_known_by_its_number(plan: Plan) -> None:
    assert view(plan, point(0, "complete"), **{"cadp.chosen": 0}).chosen == 0
