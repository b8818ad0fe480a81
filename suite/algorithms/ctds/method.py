"""What CTDS declares: two execution modes, a teacher beside the student. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.algorithms.ctds.settings import CtdsSettings
from suite.algorithms.declaration import Members, TrainingMetric
from suite.algorithms.value.privileged import PrivilegedMethod
from suite.runs.modes import DECENTRALISED, TEACHER, ExecutionMode
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    import torch

    from suite.algorithms.value.base import QLearner


class CtdsMethod(PrivilegedMethod):
    """CTDS on one mixing backbone."""

    framework = "ctds"
    own_settings = CtdsSettings

    def published_as(self, settings: Any) -> str | None:
        """Its figures do not say on which backbone."""
        return "CTDS"

    def modes(self, settings: CtdsSettings) -> tuple[ExecutionMode, ...]:
        """The teacher, who acts in training, and the student."""
        return (TEACHER, DECENTRALISED)

    def metrics(self, settings: CtdsSettings) -> tuple[TrainingMetric, ...]:
        norm = TrainingMetric("gradient_norm_student", "norm of the student's gradient", low=0.0)
        return (*super().metrics(settings), norm)

    def learner(
        self, settings: Any, sizes: Sizes, members: Members, device: torch.device | str = "cpu"
    ) -> QLearner:
        from suite.algorithms.ctds.learner import CtdsLearner

        mixer = self.mixing.build(settings, sizes)
        return CtdsLearner(settings, sizes, mixer, members, device)
