"""What an episode's end by the step limit is to a learner: an end, or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from suite.algorithms.buffers import EpisodeBuffer, fields_of
from suite.environments import describe, make
from suite.environments.skirmish import fields as f
from suite.study.load import load_study
from suite.study.plan import expand
from suite.training.rollout import play

STUDY = Path(__file__).parents[2] / "studies" / "reproduce_smac.toml"


@pytest.mark.parametrize("ends_at_limit", [True, False])
def test_the_last_step_of_an_episode_cut_by_the_limit(ends_at_limit: bool) -> None:
    """Nobody moves, nobody dies: in 2s_vs_1sc the enemy does not come."""
    info = describe("skirmish/2s_vs_1sc")
    environment = make(info.name, 1, seed=0)
    buffer = EpisodeBuffer(fields_of(info.sizes), 1, 1, info.episode_limit)
    slots = np.array([0])
    writer = buffer.writer(slots, slots, np.array([5]))

    def stand(t: int, _: np.ndarray) -> np.ndarray:
        can_flee = environment.available_actions[0, :, f.WEST]
        return np.where(can_flee, f.WEST, f.STOP)[None]

    outcomes = play(environment, slots, np.array([5]), lambda: stand, writer, ends_at_limit)
    assert outcomes.length[0] == info.episode_limit
    batch = buffer.newest(1, np.array([True]), "cpu")
    assert not batch.terminated[0, 0, :-1].any()
    assert bool(batch.terminated[0, 0, -1]) == ends_at_limit


def test_where_a_study_says_nothing_the_backend_decides() -> None:
    study = load_study(STUDY)
    run = expand(study, "smoke").runs[0]
    assert run.training.time_limit == "terminal"  # as SMAC's
    profile = study.profiles["smoke"]
    training = profile.training.model_copy(update={"time_limit": "bootstrap"})
    said = profile.model_copy(update={"training": training})
    other = expand(study.model_copy(update={"profiles": {"smoke": said}}), "smoke").runs[0]
    assert other.training.time_limit == "bootstrap"
    assert other.run_id != run.run_id
