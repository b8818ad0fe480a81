"""Replays in a report: which are shown, and that the report stays one file."""

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest
import synthetic_study as made_up

from reports.build import build_html
from reports.data import ReportData
from reports.replays import choose, load_replays
from suite.replays.files import META_NAME, Replay, ReplayLabel, seal

LABEL = ReplayLabel(
    scenario="skirmish/3m",
    version="1",
    policy="nearest",
    description="SMAC's heuristic AI",
    seed=4,
    outcome="won",
    n_steps=23,
)


def replay(**changes: object) -> Replay:
    label = replace(LABEL, **changes)
    content = html.escape(label.to_json())
    head = f'<head><meta charset="utf-8"><meta name="{META_NAME}" content="{content}"></head>'
    return Replay(label, seal(f'<html>{head}<body><p title="<b>">"A & B"</p></body></html>'))


@pytest.fixture(scope="module")
def data() -> ReportData:
    made = made_up.study(("skirmish/3m", "skirmish/8m"), arms=("qmix", "iql"), n_points=5)
    runs = tuple(
        replace(run, run_id=f"run{index}", parameters={"environment_version": "1"})
        for index, run in enumerate(made.runs)
    )
    return replace(made, runs=runs)


def test_runs_of_the_study_come_first_then_stand_ins(data: ReportData) -> None:
    first, second, nearest, chance = (
        replay(policy=policy) for policy in ("run1", "run2", "nearest", "random")
    )
    found = [chance, nearest, second, first]
    assert choose("skirmish/3m", data, found) is first
    assert choose("skirmish/3m", data, found[:2]) is nearest
    assert choose("skirmish/3m", data, found[:1]) is chance


@pytest.mark.parametrize(
    "changes",
    [{"policy": "a run of another study"}, {"version": "2"}, {"scenario": "skirmish/8m"}],
)
def test_what_does_not_fit_is_left_out(data: ReportData, changes: dict[str, str]) -> None:
    assert choose("skirmish/3m", data, [replay(**changes)]) is None


def test_one_per_scenario_is_read_from_the_runs_directory(data: ReportData, tmp_path: Path) -> None:
    directory = tmp_path / "replays"
    directory.mkdir()
    eight = replay(scenario="skirmish/8m", policy="random")
    three = [replay(seed=seed) for seed in (1, 2)]
    for name, one in (("b", three[1]), ("a", three[0]), ("c", eight)):
        (directory / f"{name}.html").write_text(one.page)
    (directory / "d.html").write_bytes(b"\xff not a replay")
    assert load_replays(data, tmp_path) == (three[0], eight)
    assert load_replays(data, tmp_path / "nowhere") == ()


def test_a_replay_is_embedded_whole_and_sandboxed(data: ReportData) -> None:
    shown = replay()
    text = build_html(data, None, (shown, replay(scenario="skirmish/8m", policy="run9")))
    frames = re.findall(r"<iframe ([^>]*)></iframe>", text)
    assert len(frames) == 2
    attributes = dict(re.findall(r'(\w+)="([^"]*)"', frames[0]))
    assert html.unescape(attributes["srcdoc"]) == shown.page
    assert attributes["sandbox"] == "allow-scripts"
    assert "src" not in attributes
    assert attributes["title"] == "Replay of skirmish/3m, policy nearest, episode seed 4"
    words = " ".join(re.sub(r"<[^>]*>", "", text).split())
    assert "skirmish, embedded simulator, not StarCraft II. Policy nearest" in words
    told = "Policy nearest (SMAC&#39;s heuristic AI), not trained in this study; episode seed 4"
    assert f"{told}, rules version 1: won after 23 steps." in words
    assert "Policy run9 (SMAC&#39;s heuristic AI); episode" in words
    assert 'href="#replays"' in text


def test_without_replays_nothing_is_said(data: ReportData) -> None:
    text = build_html(data, None)
    assert "iframe {" in text  # in the style
    assert "<iframe" not in text
    assert "#replays" not in text
