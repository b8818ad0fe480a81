"""How long a report of a large study takes: about 100 runs of 100 tests, under 10 s and 2 MB."""

import sys
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from reports.build import build_html

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "reports"))

import synthetic_study as made_up  # noqa: E402

from reports.reference import load_reference  # noqa: E402

MAX_SECONDS, MAX_BYTES = 10.0, 2_000_000


def test_a_report_of_a_hundred_runs(benchmark: BenchmarkFixture) -> None:
    scenarios = ("skirmish/3m", "skirmish/5m_vs_6m", "skirmish/corridor")
    data = made_up.study(scenarios, n_seeds=5, n_points=100)
    reference = load_reference(ROOT / "reference_results" / "paper")
    html = benchmark.pedantic(build_html, (data, reference), rounds=3, warmup_rounds=1)
    benchmark.extra_info["bytes"] = len(html.encode())
    benchmark.extra_info["runs"] = len(data.runs)
    assert len(html.encode()) < MAX_BYTES
    if benchmark.stats is not None:  # None under --benchmark-disable
        assert benchmark.stats.stats.min < MAX_SECONDS
