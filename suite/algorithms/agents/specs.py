"""The layers of the agent networks, for building them and for what they cost. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.algorithms.specs import ParameterSpec, gru_specs, linear_specs

if TYPE_CHECKING:
    from suite.algorithms.cadp.settings import CadpSettings
    from suite.algorithms.value.settings import ValueSettings


def trunk_specs(input_size: int, hidden_size: int) -> tuple[ParameterSpec, ...]:
    """Encoder and GRU, common to all recurrent agents here."""
    encoder = linear_specs("encoder", input_size, hidden_size, reads_data=True)
    return encoder + gru_specs("gru", hidden_size, hidden_size)


def recurrent_agent_specs(
    settings: ValueSettings, input_size: int, n_actions: int
) -> tuple[ParameterSpec, ...]:
    """Trunk and linear head."""
    trunk = trunk_specs(input_size, settings.hidden_size)
    return trunk + linear_specs("head", settings.hidden_size, n_actions)


def cadp_agent_specs(
    settings: CadpSettings, input_size: int, n_actions: int
) -> tuple[ParameterSpec, ...]:
    """Trunk, attention on the raw inputs, and the head that joins them."""
    hidden = settings.hidden_size
    advice = settings.n_attention_heads * settings.attention_head_size
    return (
        *trunk_specs(input_size, hidden),
        # Rows: keys, queries, values, in the order of the release's layers; no bias.
        *linear_specs("attention", input_size, 3 * advice, bias=False, reads_data=True),
        *linear_specs("advice", advice, hidden),
        *linear_specs("merge", 2 * hidden, hidden),
        *linear_specs("head_hidden", hidden, hidden),
        *linear_specs("head", hidden, n_actions),
    )


def attention_multiply_adds(n_agents: int, n_heads: int, head_size: int) -> int:
    """Of one agent in one step: its query on all keys, its shares of all values; no weights."""
    return 2 * n_agents * n_heads * head_size
