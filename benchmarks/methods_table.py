"""Writes the figures of docs/methods.md: what methods declare, beside what was measured.

pytest benchmarks/test_learner_speed.py --benchmark-json=figures.json
python benchmarks/methods_table.py figures.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from suite.algorithms.buffers.fields import bytes_per_episode, fields_of
from suite.algorithms.declaration import Method
from suite.algorithms.registry import arm_settings, methods
from suite.environments.registry import describe
from suite.runs.protocol import TrainingProtocol

PAGE = Path(__file__).resolve().parents[1] / "docs" / "methods.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
SCENARIO, MEAN_LENGTH = "5m_vs_6m", 60
HEADER = (
    "| method | parameters | update of 5m_vs_6m | × products | update of 3m | × products "
    "| acting × products, 1 | 32 | replay | whole run |"
)


def declared(method: Method) -> tuple[str, str, str]:
    """Parameters on 5m_vs_6m; memory there of what is remembered, and of a run, in MB."""
    sizes = describe(f"skirmish/{SCENARIO}").sizes
    arm = arm_settings(method.framework, method.backbone)
    settings = method.on_scenario(arm, SCENARIO)
    protocol = TrainingProtocol(**dict(method.protocol_defaults()))  # type: ignore[arg-type]
    is_replay = "buffer_size_episodes" not in method.protocol_unused()
    fields = fields_of(sizes, method.extra_observations(settings, sizes))
    remembered = (
        protocol.buffer_size_episodes * bytes_per_episode(fields, MEAN_LENGTH) if is_replay else 0
    )
    work = method.work(settings, protocol, sizes, MEAN_LENGTH)
    return (
        f"{method.n_parameters(settings, sizes):,}",
        f"{remembered / 1e6:.0f} MB" if is_replay else "none",
        f"{work.memory_bytes / 1e6:.0f} MB",
    )


def measured(figures: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Group of a benchmark → seconds of ours, and their ratio to its floor; medians."""
    medians: dict[str, dict[str, float]] = {}
    for one in figures["benchmarks"]:
        if "what" in one["params"]:
            medians.setdefault(one["group"], {})[one["params"]["what"]] = one["stats"]["median"]
    return {group: (m["ours"], m["ours"] / m["floor"]) for group, m in medians.items()}


def table(figures: dict[str, Any]) -> str:
    found = measured(figures)
    lines = [HEADER, "|---" + "|---:" * (HEADER.count("|") - 2) + "|"]
    for key, method in methods().items():
        arm, (parameters, replay, run) = "-".join(key), declared(method)
        updates = [found[f"update {name} {arm}"] for name in (SCENARIO, "3m")]
        ratios = [found[f"acting {n} {arm}"][1] for n in (1, 32)]
        cells = [
            f"`{key[0]}` `{key[1]}`",
            parameters,
            *(cell for s, ratio in updates for cell in (f"{s * 1e3:.0f} ms", f"{ratio:.2f}")),
            *(f"{ratio:.1f}" for ratio in ratios),
            replay,
            run,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    processor = figures["machine_info"]["cpu"]["brand_raw"]
    return f"Measured on {figures['datetime'][:10]}, {processor}, one thread.\n\n" + "\n".join(
        lines
    )


def main() -> None:
    figures = json.loads(Path(sys.argv[1]).read_text())
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{table(figures)}\n{END}{after}")


if __name__ == "__main__":
    main()
