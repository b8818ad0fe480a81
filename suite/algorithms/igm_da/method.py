"""What IGM-DA declares: two execution modes, an expert beside the learner. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.algorithms.declaration import Members
from suite.algorithms.igm_da.settings import IgmDaSettings
from suite.algorithms.inputs import AVAILABLE, OBSERVATIONS, Inputs
from suite.algorithms.value.privileged import PrivilegedMethod
from suite.runs.modes import DECENTRALISED, TEACHER, ExecutionMode
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    import torch

    from suite.algorithms.value.base import QLearner


class IgmDaMethod(PrivilegedMethod):
    """IGM-DA on one mixing backbone. The learner also sees which actions it has."""

    framework = "igm_da"
    own_settings = IgmDaSettings
    alone = Inputs((OBSERVATIONS, AVAILABLE))

    def published_as(self, settings: Any) -> str | None:
        """Its figures do not say on which backbone."""
        return "IGM-DA"

    def modes(self, settings: IgmDaSettings) -> tuple[ExecutionMode, ...]:
        """The learner, who acts in training, and the expert."""
        return (DECENTRALISED, TEACHER)

    def learner(
        self, settings: Any, sizes: Sizes, members: Members, device: torch.device | str = "cpu"
    ) -> QLearner:
        from suite.algorithms.igm_da.learner import IgmDaLearner

        mixer = self.mixing.build(settings, sizes)
        return IgmDaLearner(settings, sizes, mixer, members, self.alone, device)
