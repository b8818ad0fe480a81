"""A run as it is stored: its bounds, its id, and that it comes back as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.algorithms import arm_settings
from suite.runs.protocol import TrainingProtocol
from suite.runs.spec import RunSpec


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", True),
        ("seed", 2**32),
        ("seed", "1"),
        ("alpha", float("nan")),
        ("alpha", float("inf")),
        ("pruning_start_env_steps", 10**20),
        ("arm", "\x1b[2J"),
        ("environment_version", "1" * 1000),
    ],
)
def test_a_stored_run_is_held_to_the_same_bounds(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=key):
        RunSpec.model_validate({**STORED, key: value})


STORED: dict[str, Any] = {
    "scenario": "skirmish/3m",
    "arm": "cadp_qmix",
    "algorithm": {"framework": "cadp", "backbone": "qmix"},
    "training": {"total_env_steps": 2_500},
    "alpha": 0.5,
    "pruning_start_env_steps": 1_750,
    "seed": 1,
    "environment_version": "1",
}


def test_the_id_of_a_stored_run_stays() -> None:
    """Finished runs are found again by it, across versions of this suite."""
    assert RunSpec.model_validate(STORED).run_id == "2a5feb5be6f1bd86"


@settings(max_examples=50, deadline=None)
@given(
    rate=st.floats(1e-30, 1e30),
    alpha=st.floats(0, 1e9) | st.none(),
    gamma=st.floats(0, 1),
    start=st.integers(0, 10**12) | st.none(),
    steps=st.integers(1, 10**12),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_run_survives_its_storage(
    rate: float, alpha: float | None, gamma: float, start: int | None, steps: int, seed: int
) -> None:
    run = RunSpec(
        scenario="skirmish/3m",
        arm="a",
        algorithm=arm_settings(framework="cadp", backbone="vdn", learning_rate=rate, gamma=gamma),
        training=TrainingProtocol(total_env_steps=steps),
        alpha=alpha,
        pruning_start_env_steps=start,
        seed=seed,
        environment_version="1",
    )
    again = RunSpec.model_validate_json(run.model_dump_json())
    assert (again, again.run_id) == (run, run.run_id)
