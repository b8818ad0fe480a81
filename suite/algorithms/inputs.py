"""What an agent's network sees: named parts of what is remembered, side by side. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    from torch import Tensor

OBSERVATIONS, STATE, AVAILABLE = "observations", "state", "available_actions"


@dataclass(frozen=True)
class Inputs:
    """parts: `observations`, `state` (the same for all agents), `available_actions` or names of
    extra observations; their concatenation takes the place of an agent's observation."""

    parts: tuple[str, ...] = (OBSERVATIONS,)

    @property
    def extra(self) -> tuple[str, ...]:
        """The parts that an environment has to be asked for."""
        return tuple(p for p in self.parts if p not in (OBSERVATIONS, STATE, AVAILABLE))

    def width(self, sizes: Sizes) -> int:
        """Width per agent."""
        own = {
            OBSERVATIONS: sizes.observation_size,
            STATE: sizes.state_size,
            AVAILABLE: sizes.n_actions,
        }
        return sum(own[p] if p in own else sizes.extra_observations[p] for p in self.parts)

    def of(self, arrays: Mapping[str, Tensor]) -> Tensor:
        """(…, N, width) float32 from arrays by name; a single part is returned as it is.

        Of agents: (…, N, …). state: (…, S).
        """
        if len(self.parts) == 1:
            return arrays[self.parts[0]]
        n_agents = arrays[OBSERVATIONS].shape[-2]
        taken = [
            arrays[p].unsqueeze(-2).expand(*arrays[p].shape[:-1], n_agents, -1)
            if p == STATE
            else arrays[p].to(arrays[OBSERVATIONS].dtype)
            for p in self.parts
        ]
        import torch

        return torch.cat(taken, dim=-1)


OWN_OBSERVATION = Inputs()

# What a teacher may see that the agents it trains do not.
# unlimited_sight: an agent's observation without a limit of sight, so of all living units.
# observation_and_state: its ordinary observation beside the state.
# sight_9: an observation of SMAC's ordinary sight range, for scenarios in which agents see less.
Privileged = Literal["unlimited_sight", "observation_and_state", "sight_9"]


def privileged_inputs(privileged: Privileged, sizes: Sizes) -> Inputs:
    """What a teacher sees on a scenario of these sizes, which may not offer it."""
    if privileged == "observation_and_state":
        return Inputs((OBSERVATIONS, STATE))
    if privileged in sizes.observation_names:
        return OWN_OBSERVATION
    return Inputs((privileged,))


def living_agents(available: Tensor) -> Tensor:
    """Who can do more than nothing: available actions (…, N, A) bool, the first of them the no-op
    of the dead, -> (…, N) bool."""
    return available[..., 1:].any(dim=-1)
