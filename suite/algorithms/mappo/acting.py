"""One time step of a population's policies: member by member in compiled loops while rows are few.

How is decided by a member's own number of rows, so that neither its cohort nor a resumed training
rounds otherwise.
"""

from __future__ import annotations

import torch
from torch import Tensor

from suite.algorithms.mappo.cadp import CadpActor
from suite.algorithms.mappo.networks import Actor
from suite.algorithms.parameters import Parameters
from suite.algorithms.rows import step_inputs
from suite.runs.sizes import Sizes

# Up to so many rows (environments × agents) of a member one compiled call beats a call per layer.
# Measured: without advice to some 250 rows, with advice to between 110 (192 inputs) and 200 (42).
FEW_ROWS = 160


class Acting:
    """What an actor says with the weights that `parameters` hold now."""

    def __init__(self, actor: Actor | CadpActor, parameters: Parameters, sizes: Sizes) -> None:
        self._actor, self._weights, self._sizes = actor, parameters.weights, sizes
        is_compiled = parameters.flat.dtype == torch.float32
        self._arrays = parameters.arrays([s.name for s in actor.specs]) if is_compiled else []

    def __call__(
        self, observations: Tensor, last_actions: Tensor, hidden: Tensor, mode: str
    ) -> tuple[Tensor, Tensor]:
        """Logits (P, E, N, A) and next hidden; arguments as `MappoLearner.act_log_probabilities`.

        No gradient.
        """
        if not self._arrays or last_actions[0].numel() > FEW_ROWS:
            inputs = self._actor.prepare(step_inputs(observations, last_actions, self._sizes))
            return self._actor.step(self._weights, inputs, hidden, mode)
        logits = observations.new_empty(*last_actions.shape, self._sizes.n_actions)
        next_hidden = torch.empty_like(hidden, memory_format=torch.contiguous_format)
        flat, flat_logits, flat_next = (t.flatten(1, 2) for t in (hidden, logits, next_hidden))
        for p, weights in enumerate(self._arrays):
            self._actor.step_few_rows(
                weights,
                observations[p].contiguous().numpy(),
                last_actions[p].contiguous().numpy(),
                flat[p].contiguous().numpy(),
                flat_logits[p].numpy(),
                flat_next[p].numpy(),
                mode,
            )
        return logits, next_hidden
