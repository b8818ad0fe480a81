"""Tests of records share `made_records`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from made_records import made_record

from suite.records import RunRecord
from suite.runs.spec import RunSpec
from suite.study.load import load_study
from suite.study.plan import expand


@pytest.fixture
def specs(make_study) -> tuple[RunSpec, ...]:
    return expand(load_study(make_study())).runs


@pytest.fixture
def make_record() -> Callable[..., RunRecord]:
    """A finished run, but for changes."""

    def make(spec: RunSpec, **changes: Any) -> RunRecord:
        return replace(made_record(spec), **changes)

    return make
