"""What CADP declares: α, T, execution modes, and what its attention costs. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from suite.algorithms.agents.specs import attention_multiply_adds, cadp_agent_specs
from suite.algorithms.cadp.modes import modes
from suite.algorithms.cadp.settings import PUBLISHED_ALPHA, CadpSettings
from suite.algorithms.declaration import Members, Refusal, TrainingMetric
from suite.algorithms.specs import ParameterSpec
from suite.algorithms.value.method import ValueMethod
from suite.runs.hyperparameters import Hyperparameter, Value
from suite.runs.modes import ExecutionMode
from suite.runs.protocol import LARGEST_ENV_STEPS
from suite.runs.sizes import Sizes
from suite.text import plural

if TYPE_CHECKING:
    import torch

    from suite.algorithms.value.base import QLearner

ALPHA, PRUNING_START, RAMP_END = "alpha", "pruning_start_env_steps", "pruning_ramp_end_env_steps"

# Schedules with a hyperparameter of their own: where the ramp ends.
RAMPS = ("linear", "cosine")
_OF_GAP = ("gap_target", "gap_rate", "alpha_lowest", "alpha_highest")


def pruning_hyperparameters(
    published_alpha: float | None,
) -> tuple[Hyperparameter, Hyperparameter]:
    """The paper's α and T."""
    alpha = Hyperparameter(
        ALPHA, "α", "weight of the pruning loss", 0.0, 1e9, published=published_alpha
    )
    start = Hyperparameter(
        PRUNING_START,
        "T",
        "training step from which on the pruning loss is added",
        0,
        LARGEST_ENV_STEPS,
        is_whole=True,
        fraction="pruning_start_fraction",
    )
    return alpha, start


def pruning_metrics() -> tuple[TrainingMetric, ...]:
    """What the advice and its pruning leave."""
    return (
        TrainingMetric("loss_pruning", "pruning loss", low=0.0),
        TrainingMetric("self_attention", "self-attention", 0.0, 1.0, is_watched=True),
    )


class CadpMethod(ValueMethod):
    """CADP on one mixing backbone."""

    framework = "cadp"
    own_settings = CadpSettings

    def hyperparameters(self, settings: Any | None = None) -> tuple[Hyperparameter, ...]:
        """The paper's α and T, and where a ramp ends; nothing where there is no advice to prune."""
        if settings is not None and settings.attends_to == "self":
            return ()
        alpha, start = pruning_hyperparameters(PUBLISHED_ALPHA.get(self.backbone))
        end = Hyperparameter(
            RAMP_END,
            "T₁",
            "training step at which the pruning loss has its full weight",
            0,
            LARGEST_ENV_STEPS,
            is_whole=True,
            fraction="pruning_ramp_end_fraction",
        )
        has_ramp = settings is None or settings.pruning_schedule in RAMPS
        return (alpha, start, end) if has_ramp else (alpha, start)

    def modes(self, settings: CadpSettings) -> tuple[ExecutionMode, ...]:
        """With advice, as in training; with that of a few; without."""
        return modes(settings)

    def refusal(self, settings: Any, sizes: Sizes) -> Refusal | None:
        """What speaks against the mixer, or settings that contradict each other."""
        most = sizes.n_agents - 1
        if settings.adviser_counts and max(settings.adviser_counts) > most:
            what = f"an agent has {plural(most, 'other')} to listen to"
            cure = "leave larger numbers out"
            return Refusal(what, "adviser_counts", settings.adviser_counts, cure)
        return _contradiction(settings) or super().refusal(settings, sizes)

    def published_as(self, settings: CadpSettings) -> str | None:
        """Its figures do not say on which backbone."""
        return "CADP"

    def metrics(self, settings: CadpSettings) -> tuple[TrainingMetric, ...]:
        found = list(super().metrics(settings))
        if settings.attends_to == "all":
            found += pruning_metrics()
        if settings.pruning_schedule != "constant":
            found.append(TrainingMetric("alpha", "α in force", low=0.0))
        if settings.pruning_schedule == "gap":
            differ = "share of agents that would act otherwise alone"
            found.append(TrainingMetric("greedy_disagreement", differ, 0.0, 1.0))
        return tuple(found)

    def point_refusal(self, settings: Any, values: Mapping[str, Value]) -> Refusal | None:
        """A ramp that ends before it starts; a first α that its bounds would change."""
        if RAMP_END in values and values[RAMP_END] < values[PRUNING_START]:
            what = f"the ramp ends at T₁ = {values[RAMP_END]:,}, before it starts"
            what += f" at T = {values[PRUNING_START]:,}"
            return Refusal(what, RAMP_END, values[RAMP_END], "let T₁ be T or later")
        low, high = settings.alpha_lowest, settings.alpha_highest
        if settings.pruning_schedule == "gap" and not low <= values[ALPHA] <= high:
            what = f"outside alpha_lowest = {low:.15g} to alpha_highest = {high:.15g}"
            return Refusal(what, ALPHA, values[ALPHA], "start within the bounds, or widen them")
        return None

    def agent_specs(self, settings: Any, sizes: Sizes) -> tuple[ParameterSpec, ...]:
        return cadp_agent_specs(settings, sizes.input_size, sizes.n_actions)

    def agent_products(self, settings: Any, sizes: Sizes) -> int:
        if settings.attends_to == "self":
            return 0
        heads, size = settings.n_attention_heads, settings.attention_head_size
        return attention_multiply_adds(sizes.n_agents, heads, size)

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


def _contradiction(settings: CadpSettings) -> Refusal | None:
    counts = settings.adviser_counts
    if len(set(counts)) < len(counts):
        return Refusal("a mode is there twice", "adviser_counts", counts, "give each number once")
    if settings.alpha_lowest > settings.alpha_highest:
        what, cure = "the bounds of α are the wrong way round", "make it at most alpha_highest"
        return Refusal(what, "alpha_lowest", settings.alpha_lowest, cure)
    if settings.pruning_schedule != "gap":
        for key in _OF_GAP:
            if getattr(settings, key) != CadpSettings.model_fields[key].default:
                what, cure = "of the pruning schedule that follows the gap", "leave it out"
                cure += ', or set pruning_schedule = "gap"'
                return Refusal(what, key, getattr(settings, key), cure)
    if settings.attends_to == "all":
        return None
    of_advice = {
        "adviser_counts": counts,
        "masks_dead": settings.masks_dead,
        "pruning_schedule": settings.pruning_schedule,
        "pruning_normalisation": settings.pruning_normalisation,
    }
    for key, value in of_advice.items():
        if value != CadpSettings.model_fields[key].default:
            what = "agents that attend to themselves alone have no advice"
            return Refusal(what, key, value, 'leave it out, or set attends_to = "all"')
    return None
