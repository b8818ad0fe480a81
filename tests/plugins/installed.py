"""Distributions as an installer leaves them, and commands that see them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUTSIDE = Path(__file__).parent / "outside"
ENTRY_POINTS = """
[cadp_suite.mixers]
weighted = toys:MIXER
[cadp_suite.methods]
counting = toys:methods
[cadp_suite.environments]
agreeing = toys:BACKEND
"""


def call(place: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return python(place, "-m", module, *arguments)


def python(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), str(place / "site")])
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def install(site: Path, name: str, points: str, **files: str) -> None:
    """A distribution of version 1 with these entry points and files in its `dist-info`."""
    about = site / f"{name}-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (about / "entry_points.txt").write_text(points)
    for file, text in files.items():
        (about / file).write_text(text)
