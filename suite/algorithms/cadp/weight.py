"""The weight of the pruning loss that is in force, member by member."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.cadp.method import ALPHA, PRUNING_START, RAMP_END, RAMPS
from suite.algorithms.cadp.settings import PUBLISHED_ALPHA, CadpSettings
from suite.algorithms.declaration import Members
from suite.algorithms.losses.schedules import GapControl, share_of_alpha
from suite.algorithms.members import per_member
from suite.errors import InputError

# A pruning start that no run reaches.
NEVER = np.iinfo(np.int64).max


class PruningWeight:
    """α under the schedule of an arm.

    Members' hyperparameters: `alpha`, by default the release's, `pruning_start_env_steps`, without
    which a member never prunes, and for ramps `pruning_ramp_end_env_steps`.

    Raises InputError for lists that do not fit the members, and for a ramp without an end.
    """

    def __init__(self, settings: CadpSettings, members: Members, device: torch.device) -> None:
        given, n = members.hyperparameters, len(members)
        self._schedule, self._device = settings.pruning_schedule, device
        published = PUBLISHED_ALPHA.get(settings.backbone, 0.0)
        alpha = per_member(ALPHA, given.get(ALPHA), n, published)
        self._alpha = torch.tensor(alpha, dtype=torch.float32, device=device)
        starts = per_member(PRUNING_START, given.get(PRUNING_START), n, None)
        self._start = np.array([NEVER if t is None else t for t in starts], np.int64)
        if never_prunes(settings):
            self._start[:] = NEVER
        self._end = self._start
        if settings.pruning_schedule in RAMPS:
            if RAMP_END not in given:
                cure = "give the step at which it is at its full weight"
                raise InputError("a ramp without an end", where=RAMP_END, cure=cure)
            self._end = np.array(per_member(RAMP_END, given[RAMP_END], n, 0), np.int64)
        self.control: GapControl | None = None
        if settings.pruning_schedule == "gap":
            self.control = GapControl(
                settings.gap_target,
                settings.gap_rate,
                settings.alpha_lowest,
                settings.alpha_highest,
            )
            self._log_alpha = self.control.initial(self._alpha)

    def is_pruning(self, env_steps: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(P,): strictly above T."""
        found: NDArray[np.bool_] = env_steps > self._start
        return found

    def in_force(self, env_steps: NDArray[np.int64]) -> Tensor:
        """(P,), 0 up to T."""
        if self._schedule in RAMPS:
            steps, start, end = map(torch.as_tensor, (env_steps, self._start, self._end))
            share = share_of_alpha(self._schedule, steps, start, end)  # type: ignore[arg-type]
            return self._alpha * share.float().to(self._device)
        alpha = self._alpha if self.control is None else self._log_alpha.exp()
        return alpha * torch.from_numpy(self.is_pruning(env_steps)).to(self._device)

    def follow(self, gap: Tensor, members: NDArray[np.bool_]) -> None:
        """Adjust α of some `members` (P,) to the `gap` (P,) that was measured."""
        if self.control is not None:
            chosen = torch.from_numpy(members).to(self._device)
            self._log_alpha.copy_(self.control.update(self._log_alpha, gap, chosen))

    def state(self) -> dict[str, Tensor]:
        """What decides how α goes on; the tensors themselves."""
        return {} if self.control is None else {"log_alpha": self._log_alpha}


def never_prunes(settings: CadpSettings) -> bool:
    """As released, CADP on QPLEX never prunes: its learner compares with another learner's name
    (release, learners/qplex_learner_teacher.py:190). Repaired, it prunes like the others (D1)."""
    return settings.protocol == "as_released" and settings.backbone == "qplex"
