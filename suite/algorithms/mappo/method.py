"""What MAPPO declares, alone and with CADP's advice. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from suite.algorithms.agents.specs import attention_multiply_adds
from suite.algorithms.buffers.fields import WORD_BYTES, bytes_per_episode, fields_of
from suite.algorithms.cadp.method import pruning_hyperparameters, pruning_metrics
from suite.algorithms.declaration import Members, Method, Refusal, TrainingMetric, Work
from suite.algorithms.mappo.settings import (
    EPISODES_PER_COLLECTION,
    PUBLISHED,
    PUBLISHED_ALPHA,
    CadpMappoSettings,
    MappoSettings,
)
from suite.algorithms.mappo.specs import (
    actor_specs,
    cadp_actor_layers,
    cadp_actor_specs,
    critic_layers,
    critic_specs,
)
from suite.algorithms.specs import ParameterSpec, n_parameters
from suite.algorithms.value.networks import Network
from suite.runs.hyperparameters import Hyperparameter
from suite.runs.modes import CENTRALISED, DECENTRALISED, ExecutionMode
from suite.runs.protocol import TrainingProtocol
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    import torch

    from suite.algorithms.interface import Algorithm

# It has no replay, no target networks and no ε, and one update, of several epochs, per collection.
_UNUSED = frozenset(
    {
        "batch_size_episodes",
        "buffer_size_episodes",
        "target_update_interval_episodes",
        "epsilon_start",
        "epsilon_finish",
        "epsilon_anneal_env_steps",
        "updates_per_collection",
    }
)
# Weights, gradient, two of Adam's, and what a step needs in between; a layer's output, its gradient
# and what was normalised.
_COPIES_OF_WEIGHTS, _KEPT_PER_OUTPUT = 6, 3


class MappoMethod(Method):
    """Each agent alone, in training too."""

    framework = "ctde"
    backbone = "mappo"
    settings: type[MappoSettings] = MappoSettings

    @property
    def title(self) -> str:
        return "MAPPO"

    def on_scenario(self, settings: MappoSettings, scenario: str) -> MappoSettings:
        """What its scripts set for a map of SMAC, but for what the study sets."""
        published = PUBLISHED.get(scenario, {})
        left = {k: v for k, v in published.items() if k not in settings.model_fields_set}
        return settings.model_copy(update=left)

    def protocol_refusal(self, settings: Any, protocol: TrainingProtocol) -> Refusal | None:
        """A minibatch without a chunk would train nothing; every episode has one at least."""
        n, held = settings.n_minibatches, protocol.episodes_per_collection
        if n <= held:
            return None
        what, cure = f"a collection has {held} episodes to split", "give at most as many"
        return Refusal(what, "n_minibatches", n, cure)

    def protocol_defaults(self) -> Mapping[str, object]:
        return {"episodes_per_collection": EPISODES_PER_COLLECTION}

    def protocol_unused(self) -> frozenset[str]:
        return _UNUSED

    def metrics(self, settings: Any) -> tuple[TrainingMetric, ...]:
        return (
            TrainingMetric("loss_policy", "policy loss", kind="loss"),
            TrainingMetric("loss_value", "value loss", low=0.0, kind="loss"),
            TrainingMetric("entropy", "entropy", low=0.0),
            TrainingMetric("gradient_norm_actor", "norm of the actor's gradient", low=0.0),
            TrainingMetric("gradient_norm_critic", "norm of the critic's gradient", low=0.0),
            TrainingMetric("clip_fraction", "share of clipped ratios", 0.0, 1.0),
            TrainingMetric("approx_kl", "approximate KL divergence"),
        )

    def actor_specs(self, settings: Any, sizes: Sizes) -> tuple[ParameterSpec, ...]:
        """Layers of the policy."""
        return actor_specs(settings, sizes)

    def actor_layers(self, settings: Any, sizes: Sizes) -> tuple[ParameterSpec, ...]:
        """The same as they are computed."""
        return actor_specs(settings, sizes)

    def actor_products(self, settings: Any, sizes: Sizes) -> int:
        """Multiply-adds per agent and step besides those with weights."""
        return 0

    def networks(self, settings: Any, sizes: Sizes) -> tuple[Network, ...]:
        """Actor and critic as they are computed, the critic's part that reads the state apart: one
        look before the first epoch, then every epoch there and back."""
        n = settings.n_epochs
        products = self.actor_products(settings, sizes)
        actor = self.actor_layers(settings, sizes)
        shared, critic = critic_layers(settings, sizes)
        return (
            Network(actor, sizes.n_agents, n_forward=n + 1, n_backward=n, products=products),
            Network(critic, sizes.n_agents, n_forward=n + 1, n_backward=n),
            Network(shared, 1, n_forward=n + 1, n_backward=n),
        )

    def n_parameters(self, settings: Any, sizes: Sizes) -> int:
        actor, critic = self.actor_specs(settings, sizes), critic_specs(settings, sizes)
        return n_parameters(actor) + n_parameters(critic)

    def work(
        self, settings: Any, protocol: TrainingProtocol, sizes: Sizes, mean_length: float
    ) -> Work:
        """All epochs on the episodes of a collection."""
        networks, n_episodes = self.networks(settings, sizes), protocol.episodes_per_collection
        n_rows = n_episodes * (1 + mean_length)
        kept = _KEPT_PER_OUTPUT * n_rows * sum(network.n_outputs for network in networks)
        weights = _COPIES_OF_WEIGHTS * self.n_parameters(settings, sizes)
        remembered = n_episodes * bytes_per_episode(fields_of(sizes), mean_length, changing=1.0)
        return Work(
            n_updates=1 / n_episodes,
            update_flops=2.0 * n_rows * sum(network.multiply_adds for network in networks),
            first_episodes=n_episodes,
            memory_bytes=remembered + WORD_BYTES * (kept + weights),
        )

    def build(
        self,
        settings: Any,
        sizes: Sizes,
        protocol: TrainingProtocol,
        members: Members,
        device: torch.device | str = "cpu",
    ) -> Algorithm:
        """The learner with the episodes of its last collection."""
        from suite.algorithms.mappo.on_policy import OnPolicy

        return OnPolicy(settings, self.modes(settings), sizes, protocol, members, device)


class CadpMappoMethod(MappoMethod):
    """CADP on MAPPO."""

    framework = "cadp"
    settings = CadpMappoSettings

    @property
    def title(self) -> str:
        return "CADP on MAPPO"

    def hyperparameters(self, settings: Any | None = None) -> tuple[Hyperparameter, ...]:
        """The paper's α and T."""
        return pruning_hyperparameters(PUBLISHED_ALPHA)

    def modes(self, settings: Any) -> tuple[ExecutionMode, ...]:
        return (CENTRALISED, DECENTRALISED)

    def metrics(self, settings: Any) -> tuple[TrainingMetric, ...]:
        return (*super().metrics(settings), *pruning_metrics())

    def actor_specs(self, settings: Any, sizes: Sizes) -> tuple[ParameterSpec, ...]:
        return cadp_actor_specs(settings, sizes)

    def actor_layers(self, settings: Any, sizes: Sizes) -> tuple[ParameterSpec, ...]:
        return cadp_actor_layers(settings, sizes)

    def actor_products(self, settings: Any, sizes: Sizes) -> int:
        heads, size = settings.n_attention_heads, settings.attention_head_size
        return attention_multiply_adds(sizes.n_agents, heads, size)
