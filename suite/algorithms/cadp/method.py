"""What CADP declares: α, T, two execution modes, and what its attention costs. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suite.algorithms.agents.specs import attention_multiply_adds, cadp_agent_specs
from suite.algorithms.cadp.settings import PUBLISHED_ALPHA, CadpSettings
from suite.algorithms.declaration import Members
from suite.algorithms.specs import ParameterSpec
from suite.algorithms.value.method import ValueMethod
from suite.runs.hyperparameters import Hyperparameter
from suite.runs.modes import CENTRALISED, DECENTRALISED, ExecutionMode
from suite.runs.protocol import LARGEST_ENV_STEPS
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    import torch

    from suite.algorithms.value.base import QLearner

ALPHA, PRUNING_START = "alpha", "pruning_start_env_steps"


class CadpMethod(ValueMethod):
    """CADP on one mixing backbone."""

    framework = "cadp"
    own_settings = CadpSettings

    def hyperparameters(self, settings: Any | None = None) -> tuple[Hyperparameter, ...]:
        """The paper's α and T."""
        return (
            Hyperparameter(
                ALPHA,
                "α",
                "weight of the pruning loss",
                0.0,
                1e9,
                published=PUBLISHED_ALPHA.get(self.backbone),
            ),
            Hyperparameter(
                PRUNING_START,
                "T",
                "training step from which on it is added",
                0,
                LARGEST_ENV_STEPS,
                is_whole=True,
                fraction="pruning_start_fraction",
            ),
        )

    def modes(self, settings: CadpSettings) -> tuple[ExecutionMode, ...]:
        """With advice, as in training, and without."""
        return (CENTRALISED, DECENTRALISED)

    def agent_specs(self, settings: Any, sizes: Sizes) -> tuple[ParameterSpec, ...]:
        return cadp_agent_specs(settings, sizes.input_size, sizes.n_actions)

    def agent_products(self, settings: Any, sizes: Sizes) -> int:
        return attention_multiply_adds(settings, sizes.n_agents)

    def learner(
        self, settings: Any, sizes: Sizes, members: Members, device: torch.device | str = "cpu"
    ) -> QLearner:
        from suite.algorithms.cadp.learner import CadpLearner

        return CadpLearner(
            settings,
            sizes,
            self.mixing.build(settings, sizes),
            members,
            device,
            self.modes(settings),
        )
