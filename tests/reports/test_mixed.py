"""Runs of mixed origin: what counts as a change, and that the mark stands beside every number."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import synthetic_study as made_up

from reports.analysis import analyse
from reports.build import build_html
from reports.checks import changes, provenance, told_changes
from reports.compare import comparison, notes, table
from reports.data import ReportData, RunView
from reports.export import results_document
from reports.reasons import reason

FIRST = {
    "git_commit": "aaaa",
    "git_dirty": "false",
    "training_code": "1111",
    "torch": "2.1",
    "llvmlite": "0.40",
    "processor": "One",
    "platform": "Linux",
    "device": "cpu",
    "torch_threads": "1",
    "seed": "0",
}


def run_with(*sittings: dict[str, str]) -> RunView:
    return replace(made_up.run("skirmish/3m", "cadp_qmix", 0), sittings=sittings)


def study(scenarios: Sequence[str] = ("skirmish/3m", "skirmish/8m")) -> ReportData:
    """Complete and sound; the first CADP run of the first scenario is of mixed origin."""
    data = made_up.study(tuple(scenarios), arms=("qmix", "cadp_qmix"), n_seeds=5, n_points=20)
    runs = [replace(run, sittings=(FIRST,)) for run in data.runs]
    index = next(i for i, run in enumerate(runs) if run.arm == "cadp_qmix")
    other = FIRST | {"git_commit": "bbbb", "training_code": "2222"}
    runs[index] = replace(runs[index], sittings=(FIRST, other))
    return made_up.with_runs(data, runs)


@pytest.fixture(scope="module")
def data() -> ReportData:
    return study()


@pytest.fixture(scope="module")
def suspect(data: ReportData) -> RunView:
    return next(run for run in data.runs if len(run.sittings) == 2)


@pytest.mark.parametrize(
    "key",
    [
        "git_commit",
        "git_dirty",
        "training_code",
        "torch",
        "llvmlite",
        "processor",
        "platform",
        "device",
    ],
)
def test_other_code_versions_and_machines_make_a_mixture(key: str) -> None:
    assert changes(run_with(FIRST, FIRST | {key: "new"})) == {key: (FIRST[key], "new")}


def test_one_sitting_or_equal_ones_are_no_mixture() -> None:
    for sittings in [(), ({},), (FIRST,), (FIRST, FIRST), (FIRST, FIRST | {"seed": "7"})]:
        assert changes(run_with(*sittings)) == {}


def test_what_a_sitting_did_not_record_may_have_changed() -> None:
    before = {key: value for key, value in FIRST.items() if key != "training_code"}
    assert changes(run_with(before, FIRST)) == {"training_code": ("not recorded", "1111")}
    assert set(changes(run_with({}, FIRST))) == set(FIRST) - {"torch_threads", "seed"}


def test_back_and_forth_is_told_in_order() -> None:
    there = FIRST | {"torch": "2.2"}
    assert told_changes(run_with(FIRST, there, there, FIRST)) == "torch 2.1 → 2.2 → 2.1"


def test_a_commit_that_left_the_training_code_alone_is_told_apart() -> None:
    same = "the code that can change a result stayed the same"
    assert told_changes(run_with(FIRST, FIRST | {"git_commit": "bbbb"})).endswith(same)
    other = FIRST | {"git_commit": "bbbb", "training_code": "2222"}
    assert same not in told_changes(run_with(FIRST, other))


def test_every_sitting_is_in_the_provenance() -> None:
    entries = {entry.key: entry for entry in provenance([run_with(FIRST, FIRST | {"torch": "3"})])}
    assert list(entries["torch"].runs_by_value) == ["2.1", "3"]


def test_mixed_runs_count_and_are_marked(data: ReportData, suspect: RunView) -> None:
    analysis = analyse(data)
    assert analysis.left_out == ()
    for result in analysis.results:
        is_its_own = (result.key.scenario, result.key.arm) == ("skirmish/3m", "cadp_qmix")
        assert result.mixed == ([suspect] if is_its_own else [])
    for claim in analysis.claims:
        assert [len(contrast.mixed) for contrast in claim.contrasts] == [1, 0]
        assert f"Rests on 1 run of mixed origin: {suspect.run_id}" in reason(claim)
    assert [len({r.run_id for r in one.mixed}) for one in analysis.aggregates] == [0, 1, 1]


def test_the_page_marks_every_number_they_enter(data: ReportData, suspect: RunView) -> None:
    page = build_html(data, None)
    mark = f'<abbr title="rests on 1 of mixed origin: {suspect.run_id}">†</abbr>'
    # Final C and D, C − D, three claims, two aggregates, its values per seed in C and D.
    assert page.count(mark) == 2 + 1 + 3 + 2 + 2
    told = f"Run cadp_qmix seed 0 ({suspect.run_id}) is of mixed origin: between its sittings "
    assert told + "changed git_commit aaaa → bbbb; training_code 1111 → 2222." in page
    assert "Runs of mixed origin" in page
    assert "cadp_qmix (C), n=5†" in page  # legend
    assert "skirmish/3m (n=5†)" in page  # forest
    assert (
        page.count("†: with runs of mixed origin.") == 4
    )  # its panel, around T in sight and in words, forest


def test_a_study_of_one_piece_bears_no_mark() -> None:
    data = made_up.study(arms=("qmix", "cadp_qmix"), n_seeds=2, n_points=5)
    assert "</abbr>" not in build_html(data, None)


def test_compare_marks_them_too(data: ReportData, suspect: RunView) -> None:
    sound = made_up.with_runs(data, [replace(run, sittings=(FIRST,)) for run in data.runs])
    rows = comparison(data, sound)
    lines = table(rows, "ours", "theirs").splitlines()
    assert [("5*" in line) for line in lines[3:]] == [False, True, True, False, False, False]
    told = f"* A with a run of mixed origin: cadp_qmix seed 0 ({suspect.run_id}): git_commit aaaa"
    (note,) = notes(data, sound, rows)
    assert note.startswith(told)


def test_what_was_recorded_commands_no_terminal(data: ReportData) -> None:
    odd = FIRST | {"processor": "\x1b[2J\n\u202eevil"}
    runs = [replace(run, sittings=(FIRST, odd)) for run in data.runs]
    told = notes(made_up.with_runs(data, runs), data, [])
    assert all(note.isprintable() for note in told)
    assert "processor One → \\x1b[2J \\u202eevil" in told[0]


def test_the_export_carries_every_sitting(data: ReportData, suspect: RunView) -> None:
    exported = {run["run_id"]: run for run in results_document(data)["runs"]}
    assert exported[suspect.run_id]["sittings"] == [dict(s) for s in suspect.sittings]
    assert exported[suspect.run_id]["provenance"] == dict(suspect.sittings[-1])
