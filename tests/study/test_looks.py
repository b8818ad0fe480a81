"""Seeds that are added look by look, in study files, plans and what is shown of them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from suite.errors import InputError
from suite.overview import plan_document, print_header, print_trials
from suite.study.cost import estimate, run_seconds
from suite.study.load import load_study
from suite.study.plan import Plan, expand

SEEDS = "seeds = [1, 2]"


def planned(make_study, seeds: str) -> Plan:
    return expand(load_study(make_study((SEEDS, f"seeds = {seeds}"))))


@pytest.mark.parametrize(
    ("seeds", "looks"),
    [
        ("{first = 5, then = 5, up_to = 30}", (5, 10, 15, 20, 25, 30)),
        ("{first = 2, then = 3, up_to = 10}", (2, 5, 8, 10)),  # the last is shorter
        ("{first = 2, then = 9, up_to = 3}", (2, 3)),
        ("[4, 2, 9]", (3,)),
    ],
)
def test_looks(make_study, seeds: str, looks: tuple[int, ...]) -> None:
    plan = planned(make_study, seeds)
    assert plan.looks == looks
    assert [len(one) for one in plan.profile.looks] == list(looks)
    assert plan.profile.all_seeds == plan.profile.looks[-1]
    assert all(len(trial.runs) == looks[-1] for trial in plan.trials)


def test_seeds_are_numbered_from_one(make_study) -> None:
    plan = planned(make_study, "{first = 2, then = 2, up_to = 5}")
    assert plan.profile.looks == ((1, 2), (1, 2, 3, 4), (1, 2, 3, 4, 5))
    assert {run.seed for run in plan.runs} == {1, 2, 3, 4, 5}


def test_runs_come_look_by_look_the_first_seed_of_every_trial_first(make_study) -> None:
    plan = planned(make_study, "{first = 2, then = 2, up_to = 5}")
    by_look = [
        [(run.seed, run.arm) for run in plan.runs_of_look(look)]
        for look in range(1, len(plan.looks) + 1)
    ]
    arms = ("qmix", "cadp_qmix")
    assert by_look == [[(s, a) for s in seeds for a in arms] for seeds in ((1, 2), (3, 4), (5,))]
    assert sum(map(plan.runs_of_look, (1, 2, 3)), ()) == plan.runs


def test_a_list_is_one_look_in_its_order(make_study) -> None:
    plan = planned(make_study, "[4, 2]")
    assert plan.runs_of_look(1) == plan.runs
    assert [run.seed for run in plan.runs] == [4, 4, 2, 2]


def test_runs_are_those_of_a_list(make_study) -> None:
    """So nothing is trained again where a list becomes a limit."""
    listed = {run.run_id for run in planned(make_study, "[1, 2, 3]").runs}
    assert listed == {
        run.run_id for run in planned(make_study, "{first = 2, then = 1, up_to = 3}").runs
    }


CLAIM_OF_NOTHING = """primary = true

[[claims]]
name = "equal"
text = "CADP alone is as good as with advice."
kind = "equivalent"
left = "cadp_qmix/decentralised"
right = "cadp_qmix/centralised"
margin = 0.05
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('kind = "greater"', 'kind = "greater"\nscenarios = ["skirmish/8m"]'),
        ('right = "qmix/decentralised"\n', f'right = "vdn/decentralised"\n{CLAIM_OF_NOTHING}'),
    ],
    ids=["claimed elsewhere", "the primary one is about another arm"],
)
def test_something_must_be_there_to_decide(make_study, old: str, new: str) -> None:
    vdn = ("[profiles.tiny]", '[arms.vdn]\nframework = "ctde"\nbackbone = "vdn"\n\n[profiles.tiny]')
    path = make_study(vdn, (SEEDS, "seeds = {first = 2, then = 1, up_to = 4}"), (old, new))
    with pytest.raises(InputError, match="no primary claim that this profile could decide"):
        load_study(path)


def shown(plan: Plan) -> str:
    text = io.StringIO()
    console = Console(file=text, width=1_000)
    print_header(console, plan, estimate(plan, 1, flops_per_second=1e11))
    print_trials(console, plan)
    return text.getvalue()


def test_plans_say_the_range_and_the_cost_of_the_first_look(make_study) -> None:
    text = shown(planned(make_study, "{first = 5, then = 5, up_to = 30}"))
    assert "2 trials × 5 to 30 seeds = 10 to 60 runs, 10,000 to 60,000 training steps" in text
    assert "Looks at 5, 10, 15, 20, 25, 30 seeds" in text
    assert "Estimated, first look: " in text
    assert "At most: " in text
    assert text.count("5 to 30") == 3  # and once per trial
    plain = shown(planned(make_study, "[1, 2]"))
    assert "2 trials × 2 seeds = 4 runs, 4,000 training steps" in plain
    assert "look" not in plain


def test_the_first_look_costs_its_own_runs(make_study) -> None:
    plan = planned(make_study, "{first = 2, then = 2, up_to = 6}")
    cost = estimate(plan, 1, flops_per_second=1e11)
    first = cost.first_look
    assert first is not None
    each = [run_seconds(r, plan.environments[r.scenario], 1e11) for r in plan.runs_of_look(1)]
    rest = [run_seconds(r, plan.environments[r.scenario], 1e11) for r in plan.runs]
    more = 3600 * (cost.cpu_hours - first.cpu_hours)
    assert more == pytest.approx(sum(rest) - sum(each))
    done = {run.run_id for run in plan.runs_of_look(1)}
    later = estimate(plan, 1, without=done, flops_per_second=1e11)
    assert later.first_look is not None
    assert later.first_look.cpu_hours == 0
    document = plan_document(plan, cost)
    assert document["looks"] == [2, 4, 6]
    assert document["estimate"]["first_look"]["cpu_hours"] < document["estimate"]["cpu_hours"]
    plain = planned(make_study, "[1, 2]")
    found = plan_document(plain, estimate(plain, 1, flops_per_second=1e11))
    assert (found["looks"], found["estimate"]["first_look"]) == ([2], None)


def test_primary_claims(make_study, tmp_path: Path) -> None:
    path = make_study()
    text = path.read_text()
    claim = text[text.index("[[claims]]") :]
    other = claim.replace('"better"', '"best"')
    path.write_text(text + other)
    study = load_study(path)
    assert study.primary_claims == study.claims
    path.write_text(f"{text}{other}primary = true\n")
    assert [one.name for one in load_study(path).primary_claims] == ["best"]
