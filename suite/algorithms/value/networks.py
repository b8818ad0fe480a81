"""The networks of a learner and how its update uses them: what training costs. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from suite.algorithms.specs import ParameterSpec, backward_multiply_adds, forward_multiply_adds


@dataclass(frozen=True)
class Network:
    """Layers that an update passes the same rows through.

    n_rows: rows of one step of an episode: the number of agents, or 1. n_forward, n_backward:
    passes of an update, online and target together. products: multiply-adds of one row in one pass
    besides those with weights.
    """

    specs: tuple[ParameterSpec, ...]
    n_rows: int
    n_forward: int = 2
    n_backward: int = 1
    products: int = 0

    @property
    def multiply_adds(self) -> int:
        """Of one step of an episode, in one update."""
        forward = forward_multiply_adds(self.specs) + self.products
        backward = backward_multiply_adds(self.specs) + 2 * self.products
        return self.n_rows * (self.n_forward * forward + self.n_backward * backward)

    @property
    def n_outputs(self) -> int:
        """Values that all layers give for one step of an episode."""
        return self.n_rows * sum(spec.shape[-2] for spec in self.specs if spec.is_weight)
