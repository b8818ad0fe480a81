"""CTDS's update: the teacher learns values, the student learns the teacher's utilities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents.recurrent import RecurrentAgent
from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.ctds.settings import CtdsSettings
from suite.algorithms.declaration import Members
from suite.algorithms.inputs import privileged_inputs
from suite.algorithms.losses.imitation import student_loss
from suite.algorithms.mixers.interface import Mixer
from suite.algorithms.rows import agent_inputs, pack
from suite.algorithms.value.base import ActingNetwork, QLearner
from suite.algorithms.value.mixed_td import mixed_td, transitions
from suite.algorithms.value.trained import Trained
from suite.runs.modes import DECENTRALISED, TEACHER
from suite.runs.seeding import Stream, generator
from suite.runs.sizes import Sizes

TEACHERS = "teacher"
"""The group of weights of teacher and mixer."""


class CtdsLearner(QLearner):
    """Two groups of weights, each with an optimiser and a clip of its own: the student's, which
    has no target network, and `TEACHERS`. The teacher acts in training."""

    settings: CtdsSettings

    def __init__(
        self,
        settings: CtdsSettings,
        sizes: Sizes,
        mixer: Mixer,
        members: Members,
        device: torch.device | str = "cpu",
    ) -> None:
        self.settings, self.sizes, self.device = settings, sizes, torch.device(device)
        self.n_members, self.mixer = len(members), mixer
        self.privileged = privileged_inputs(settings.privileged, sizes)
        self.teacher = RecurrentAgent(settings, sizes, self.privileged)
        self.student = RecurrentAgent(settings, sizes)
        taught = Trained(self.student.specs, settings, members, self.device, has_target=False)
        specs = [*self.teacher.specs, *mixer.specs]
        teaching = Trained(specs, settings, _reseeded(members), self.device)
        self.trained = {"": taught, TEACHERS: teaching}
        self.acting = {
            TEACHER.name: ActingNetwork(self.teacher, TEACHERS, inputs=self.privileged),
            DECENTRALISED.name: ActingNetwork(self.student),
        }

    def update(
        self,
        batch: EpisodeBatch,
        env_steps: Tensor | NDArray[np.int64],
        active: Tensor | NDArray[np.bool_] | None = None,
    ) -> dict[str, Tensor]:
        """One step of the teacher, then one of the student towards what the teacher's values were
        before it; see `QLearner.update`.

        Metrics: loss_td, gradient_norm and q_taken_mean of the teacher; loss_imitation and
        gradient_norm_student; norms before clipping.
        """
        teaching, taught = self.trained[TEACHERS], self.trained[""]
        rows = pack(batch)
        inputs, actions = agent_inputs(batch, rows, self.privileged)
        taken = transitions(batch, rows, actions)
        online = self.teacher.unroll(teaching.online, inputs, rows)
        with torch.no_grad():
            target = self.teacher.unroll(teaching.target, inputs, rows)
        td = mixed_td(self.settings, self.mixer, teaching, taken, online.q, target.q, online.q)
        gradient_norm = teaching.descend(td.loss, active)

        inputs, _ = agent_inputs(batch, rows)
        student = self.student.unroll(taught.online, inputs, rows)
        loss = student_loss(rows.at_start(student.q), rows.at_start(online.q), taken.mask)
        return {
            "loss_td": td.loss_td,
            "gradient_norm": gradient_norm,
            "q_taken_mean": td.q_taken_mean,
            "loss_imitation": loss.detach(),
            "gradient_norm_student": taught.descend(loss, active),
        }


def _reseeded(members: Members) -> Members:
    """Seeds for the teachers' weights: with the members' own, a teacher that sees as much as its
    student would start as the same network."""
    streams = [generator(seed, Stream.TEACHER_WEIGHTS) for seed in members.seeds]
    return replace(members, seeds=[int(stream.integers(2**63)) for stream in streams])
