"""Seeds that are added look by look: what counts, what is decided, and that the page says so."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import synthetic_study as made_up
from test_cli import STUDY
from test_report import Page

from reports.analysis import analyse
from reports.build import build_html
from reports.data import History, ReportData, RunView
from reports.evidence import complete_looks, weigh
from reports.export import results_document
from reports.load import view
from reports.looks import Judgement, judgement
from suite.records import RunRecord
from suite.records.sources import FoundRun
from suite.study.load import load_study
from suite.study.plan import Plan, expand

LOOKS = tuple(tuple(range(1, n + 1)) for n in (4, 6, 9))
D, C = "test/win_rate/decentralised", "test/win_rate/centralised"


def missing(run: RunView) -> RunView:
    return replace(run, status="missing", histories={}, sittings=(), elapsed_seconds=None)


def with_rate(run: RunView, key: str, rate: float) -> RunView:
    steps = run.histories[key].steps
    level = History(steps, np.full(len(steps), np.round(rate * 32) / 32))
    return replace(run, histories={**run.histories, key: level})


def study(n_seeds: int, gain: float = 0.6) -> ReportData:
    """`n_seeds` finished of every arm; acting alone, CADP wins so much more often than QMIX.

    The first claim is primary, the two others are descriptive.
    """
    made = made_up.study(arms=("qmix", "cadp_qmix", "vdn"), n_seeds=10, n_points=20)
    runs = []
    for run in made.runs:
        rate = 0.1 + 0.05 * (run.seed % 3) + (gain * (1 + 0.1 * (run.seed % 2)))
        own = with_rate(run, D, rate) if run.arm == "cadp_qmix" else run
        own = with_rate(run, D, 0.1 + 0.05 * (run.seed % 4)) if run.arm == "qmix" else own
        if run.seed:
            runs.append(own if run.seed <= n_seeds else missing(own))
    first, *others = made.claims
    claims = (first, *(replace(claim, primary=False) for claim in others))
    return replace(made, runs=tuple(runs), claims=claims, looks=LOOKS)


def changed(data: ReportData, change: Callable[[RunView], RunView], *seeds: int) -> ReportData:
    """The same study, but those seeds of qmix changed."""
    return made_up.with_runs(
        data, [change(r) if r.arm == "qmix" and r.seed in seeds else r for r in data.runs]
    )


def failed(run: RunView) -> RunView:
    return replace(run, status="failed", histories={}, failure="ValueError: no")


@pytest.mark.parametrize(("n_seeds", "complete"), [(3, 0), (4, 1), (5, 1), (6, 2), (9, 3)])
def test_a_look_counts_once_it_is_complete(n_seeds: int, complete: int) -> None:
    assert complete_looks(study(n_seeds)) == LOOKS[:complete]


def test_failed_and_left_out_runs_have_ended() -> None:
    data = changed(study(4), failed, 2)
    broken = weigh(changed(data, lambda run: replace(run, histories={}), 3))
    statuses = [run.status for run in broken.runs if run.arm == "qmix"]
    assert statuses == ["finished", "failed", "left out", "finished"]
    assert complete_looks(broken) == LOOKS[:1]


@pytest.mark.parametrize("status", ["unfinished", "missing"])
def test_a_run_that_has_not_ended_keeps_its_look_open(status: str) -> None:
    data = changed(study(6), lambda run: replace(run, status=status), 5)
    assert complete_looks(data) == LOOKS[:1]


def test_arms_that_no_primary_claim_compares_are_not_waited_for() -> None:
    data = study(6)
    runs = [missing(r) if r.arm == "vdn" and r.seed > 2 else r for r in data.runs]
    about_vdn = replace(data.claims[0], left=("vdn", "decentralised"), primary=False)
    data = replace(data, runs=tuple(runs), claims=(data.claims[0], about_vdn))
    assert complete_looks(data) == LOOKS[:2]
    assert complete_looks(replace(data, claims=(replace(about_vdn, primary=True),))) == ()


@pytest.mark.parametrize(("n_seeds", "asked_for"), [(0, 4), (3, 4), (4, 4), (5, 6), (6, 6), (9, 9)])
def test_runs_that_nobody_asked_for_are_no_part_of_the_report(n_seeds: int, asked_for: int) -> None:
    """The first look always is, a further one from its first record on."""
    weighed = weigh(study(n_seeds))
    assert max(run.seed for run in weighed.runs) == asked_for
    assert weigh(weighed) == weighed
    assert len(results_document(study(n_seeds))["runs"]) == 3 * asked_for
    n_missing = analyse(study(n_seeds)).counts["missing"]
    assert n_missing == 3 * (asked_for - n_seeds)


def test_with_a_list_of_seeds_everything_is_asked_for() -> None:
    assert len(weigh(replace(study(2), looks=(LOOKS[-1],))).runs) == 27
    assert len(weigh(replace(study(2), looks=())).runs) == 27


def test_verdicts_rest_on_complete_looks_alone() -> None:
    one, more = (analyse(study(n)).claims for n in (4, 5))
    assert [c.pairs.seeds for c in more[0].contrasts] == [(1, 2, 3, 4)]
    assert [r.p_for for r in one] == [r.p_for for r in more]
    assert analyse(study(3)).claims[0].contrasts[0].estimate is None


def test_the_p_value_of_a_look_is_larger_than_the_plain_one() -> None:
    plain = analyse(replace(study(4), looks=())).claims[0].p_for
    assert analyse(study(4)).claims[0].p_for > 2 * plain


def test_a_verdict_says_at_which_look_it_fell() -> None:
    result = analyse(study(9)).claims[0]
    assert (result.verdict, result.n_seeds) == ("reproduced", 9)
    found = [analyse(study(n)).claims[0].verdict for n in (4, 6)]
    assert result.decided_at == (4, 6, 9)[[*found, "reproduced"].index("reproduced")]
    assert analyse(study(9, gain=0.05)).claims[0].decided_at is None


def test_holm_runs_over_primary_claims_alone() -> None:
    data = replace(study(9), looks=())
    marked = analyse(data)
    assert (marked.n_tested, marked.n_primary) == (1, 1)
    assert [r.verdict for r in marked.claims[1:]] == ["descriptive"] * 2
    assert marked.claims[0].adjusted_for == marked.claims[0].p_for
    assert sum(marked.verdict_counts.values()) == 1
    all_primary = replace(data, claims=tuple(replace(c, primary=True) for c in data.claims))
    assert analyse(all_primary).claims[0].adjusted_for > marked.claims[0].adjusted_for


@pytest.mark.parametrize(
    ("n_seeds", "gain", "told"),
    [
        (3, 0.6, "The first is not complete, so nothing can be decided yet."),
        (3, 0.6, "The first look is not complete: nothing can be decided yet."),
        (9, 0.6, "looks at 4, 6 and 9 seeds. 3 of 3 looks are complete, at 9 seeds, and 5 % of"),
        (9, 0.6, "It stopped there: every primary claim that can be tested is decided."),
        (4, 0.0, "1 of 3 looks is complete, at 4 seeds, and 0.99 % of the 5 % error level spent."),
        (4, 0.0, "It goes on: beats-qmix undecided."),
        (9, 0.05, "The limit is reached; what is undecided stays so."),
        (9, 0.05, "not enough, at this look, to tell whether it is above 5 points"),
        (9, 0.6, "mean and interval are the ordinary ones and do not"),
        (9, 0.6, "1 reproduced, 0 not reproduced, 0 undecided of 1 primary claim. 2 further"),
        (9, 0.6, "Holm's correction over 1 tested primary claim: reproduced"),
        (9, 0.6, "Descriptive: effect and interval, not corrected for the number of claims"),
    ],
)
def test_the_page_says_how_far_it_has_got(n_seeds: int, gain: float, told: str) -> None:
    assert told in Page(build_html(study(n_seeds, gain), None)).text


def test_nothing_of_this_stands_on_other_pages() -> None:
    data = replace(study(9), looks=())
    text = Page(build_html(replace(data, claims=data.claims[:1]), None)).text
    for words in ("look by look", "sequential", "primary claim.", "ordinary ones"):
        assert words not in text


TINY = (
    STUDY.replace("seeds = [1, 2]", "seeds = {first = 4, then = 2, up_to = 9}")
    .replace('kind = "equivalent"', 'kind = "greater"')
    .replace('right = "cadp_qmix/centralised"', 'right = "qmix/decentralised"')
)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(TINY)
    return expand(load_study(path))


def records(plan: Plan, n_seeds: int, gain: float) -> dict[str, FoundRun]:
    """As the store gives them, of the first seeds."""
    found = {}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for spec in plan.runs:
        if spec.seed > n_seeds:
            continue
        run = made_up.run(spec.scenario, spec.arm, spec.seed, n_points=10, total=10_000)
        rate = 0.1 + 0.05 * (spec.seed % 3)
        if spec.arm == "cadp_qmix":
            rate += gain * (1 + 0.1 * (spec.seed % 2))
            run = with_rate(run, C, rate)
        run = with_rate(run, D, rate)
        histories = {k: (h.steps.astype(np.int64), h.values) for k, h in run.histories.items()}
        record = RunRecord(
            spec.run_id, "finished", spec, ({"processor": "x"},), histories, None, 1.0, at, at
        )
        found[spec.run_id] = FoundRun(record, ("runs",))
    return found


def test_judgements_of_a_plan(plan: Plan) -> None:
    assert plan.looks == (4, 6, 8, 9)
    assert judgement(plan, {}) == Judgement(0, 4, 0, ("as-good",))
    assert not judgement(plan, {}).is_over
    alike = judgement(plan, records(plan, 6, gain=0.05))
    assert (alike.look, alike.n_seeds, alike.is_over) == (2, 6, False)
    at_the_limit = judgement(plan, records(plan, 9, gain=0.05))
    assert (at_the_limit.look, at_the_limit.is_over) == (4, True)
    assert at_the_limit.undecided


def test_a_clear_effect_ends_the_study_early(plan: Plan) -> None:
    ends = [judgement(plan, records(plan, n, gain=0.8)) for n in (4, 6, 8)]
    assert ends[-1].is_over
    assert ends[-1].look < ends[-1].n_looks
    assert ends[-1].undecided == ()


@pytest.mark.parametrize("n_seeds", [0, 3, 4, 5, 6, 8, 9])
@pytest.mark.parametrize("gain", [0.0, 0.3, 0.8])
def test_scheduler_and_report_agree(plan: Plan, n_seeds: int, gain: float) -> None:
    recorded = records(plan, n_seeds, gain)
    shown = analyse(view(plan, recorded))
    assert judgement(plan, recorded) == shown.judgement
    undecided = [r.claim.name for r in shown.claims if r.verdict == "undecided"]
    assert list(shown.judgement.undecided) == undecided


def test_a_doubtful_run_is_no_evidence_for_the_scheduler_either(plan: Plan) -> None:
    recorded = records(plan, 6, gain=0.8)
    first = next(spec for spec in plan.runs if spec.arm == "cadp_qmix")
    sound = judgement(plan, recorded)
    for seed in range(1, 6):
        spec = next(s for s in plan.runs if s.arm == first.arm and s.seed == seed)
        record = recorded[spec.run_id].record
        histories = dict(record.histories)
        steps, losses = histories["train/loss_td"]
        histories["train/loss_td"] = steps, np.full(len(losses), np.nan)
        altered = replace(record, histories=histories)
        recorded[spec.run_id] = FoundRun(altered, ("runs",))
    assert sound.undecided == () != judgement(plan, recorded).undecided


def test_a_list_of_seeds_is_one_look(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(STUDY)
    plan = expand(load_study(path))
    assert judgement(plan, records(plan, 1, 0.8)).is_over is False
    state = judgement(plan, records(plan, 2, 0.8))
    assert (state.look, state.n_looks, state.n_seeds, state.is_over) == (1, 1, 2, True)
