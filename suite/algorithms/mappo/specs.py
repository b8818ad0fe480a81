"""The layers of MAPPO's networks, for building them and for what they cost. No torch here."""

from __future__ import annotations

from suite.algorithms.mappo.settings import CadpMappoSettings, MappoSettings
from suite.algorithms.specs import Constant, Orthogonal, ParameterSpec, linear_specs
from suite.runs.sizes import Sizes

# nn.init.calculate_gain("relu"), which onpolicy's mlp.py asks for.
_RELU_GAIN = 2**0.5


def orthogonal_specs(
    name: str, n_inputs: int, n_outputs: int, gain: float, *, reads_data: bool = False
) -> tuple[ParameterSpec, ...]:
    """Specs of a linear layer with an orthogonal weight times `gain` and no bias at the start."""
    n_data, shape = n_inputs if reads_data else 0, (n_outputs, n_inputs)
    return (
        ParameterSpec(
            f"{name}.weight", shape, n_data_inputs=n_data, initialisation=Orthogonal(gain)
        ),
        ParameterSpec(f"{name}.bias", (n_outputs,), initialisation=Constant(0)),
    )


def norm_specs(name: str, size: int) -> tuple[ParameterSpec, ...]:
    """Specs of nn.LayerNorm: gains 1, shifts 0."""
    return (
        ParameterSpec(f"{name}.weight", (size,), initialisation=Constant(1)),
        ParameterSpec(f"{name}.bias", (size,), initialisation=Constant(0)),
    )


def _gru_specs(name: str, size: int) -> tuple[ParameterSpec, ...]:
    """onpolicy's rnn.py: each of nn.GRU's two weights (3H, H) orthogonal with gain 1, biases 0."""
    return (
        ParameterSpec(f"{name}.weight_ih", (3 * size, size), initialisation=Orthogonal(1)),
        ParameterSpec(f"{name}.weight_hh", (3 * size, size), initialisation=Orthogonal(1)),
        ParameterSpec(f"{name}.bias_ih", (3 * size,), initialisation=Constant(0)),
        ParameterSpec(f"{name}.bias_hh", (3 * size,), initialisation=Constant(0)),
    )


def trunk_specs(name: str, input_size: int, settings: MappoSettings) -> tuple[ParameterSpec, ...]:
    """Everything before the last layer; `name` is put before the names of its parameters."""
    size = settings.hidden_size
    specs = (
        *norm_specs(f"{name}input_norm", input_size),
        *orthogonal_specs(f"{name}encoder", input_size, size, _RELU_GAIN, reads_data=True),
        *norm_specs(f"{name}encoder_norm", size),
        *orthogonal_specs(f"{name}second", size, size, _RELU_GAIN),
        *norm_specs(f"{name}second_norm", size),
    )
    if settings.is_recurrent:
        specs += _gru_specs(f"{name}gru", size) + norm_specs(f"{name}gru_norm", size)
    return specs


def actor_specs(settings: MappoSettings, sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """Trunk and action layer."""
    return trunk_specs("", sizes.input_size, settings) + _action_specs(settings, sizes)


def cadp_actor_specs(settings: CadpMappoSettings, sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """The same with advice from attention on the raw inputs.

    Rows of `attention`: keys, queries, values, in the order of the release's layers. The three
    layers of the advice start as PyTorch starts them.
    """
    size = settings.hidden_size
    advice = settings.n_attention_heads * settings.attention_head_size
    return (
        *trunk_specs("", sizes.input_size, settings),
        *linear_specs("attention", sizes.input_size, 3 * advice, bias=False, reads_data=True),
        *linear_specs("advice", advice, size),
        *linear_specs("merge", 2 * size, size),
        *_action_specs(settings, sizes),
    )


def _action_specs(settings: MappoSettings, sizes: Sizes) -> tuple[ParameterSpec, ...]:
    return orthogonal_specs("head", settings.hidden_size, sizes.n_actions, settings.action_gain)


def critic_specs(settings: MappoSettings, sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """Trunk on state, own observation and number, and one value."""
    input_size = sizes.state_size + sizes.observation_size + sizes.n_agents
    trunk = trunk_specs("critic.", input_size, settings)
    return trunk + orthogonal_specs("critic.head", settings.hidden_size, 1, 1.0)


def critic_layers(
    settings: MappoSettings, sizes: Sizes
) -> tuple[tuple[ParameterSpec, ...], tuple[ParameterSpec, ...]]:
    """The critic's layers as they are computed (`critic`): once per row, and once per agent.

    The state meets its columns of the first weight once; its mean is one more column of the rest.
    """
    size, own = settings.hidden_size, sizes.observation_size + sizes.n_agents + 1
    others = [s for s in critic_specs(settings, sizes) if s.name != "critic.encoder.weight"]
    shared = ParameterSpec(
        "critic.encoder.weight_state", (size, sizes.state_size), n_data_inputs=sizes.state_size
    )
    of_agent = ParameterSpec("critic.encoder.weight_own", (size, own), n_data_inputs=own)
    return (shared,), (of_agent, *others)


def cadp_actor_layers(settings: CadpMappoSettings, sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """The advising actor's layers as they are computed: `merge` and `head` as one (`cadp`)."""
    others = [s for s in cadp_actor_specs(settings, sizes) if s.name.split(".")[0] not in _MERGED]
    merged = ParameterSpec("head.weight", (sizes.n_actions, 2 * settings.hidden_size))
    return (*others, merged)


_MERGED = ("merge", "head")
