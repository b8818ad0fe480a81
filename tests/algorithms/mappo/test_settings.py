"""What the settings say without torch, and what the release's scripts differ in."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from suite.algorithms.mappo.settings import PUBLISHED, MappoSettings

CODE = "import sys, suite.algorithms.mappo.settings; assert 'torch' not in sys.modules"


def test_settings_come_without_torch() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)


@pytest.mark.parametrize("scenario", PUBLISHED)
def test_published_values_are_settings_that_differ(scenario: str) -> None:
    values = PUBLISHED[scenario]
    settings = MappoSettings.model_validate(dict(values))
    default = MappoSettings()
    assert all(getattr(settings, name) != getattr(default, name) for name in values)


def test_published_values_of_the_papers_scenarios() -> None:
    assert dict(PUBLISHED["5m_vs_6m"]) == {"n_epochs": 10, "clip": 0.05}
    assert dict(PUBLISHED["corridor"]) == {"is_recurrent": False}
    assert dict(PUBLISHED["3s5z_vs_3s6z"]) == {}
    assert dict(PUBLISHED["MMM2"]) == {"n_minibatches": 2, "action_gain": 1.0}


@pytest.mark.parametrize("wrong", [{"clip": 0}, {"n_epochs": 0}, {"chunk_length": 1}, {"eta": 1}])
def test_impossible_values_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        MappoSettings.model_validate(wrong)
