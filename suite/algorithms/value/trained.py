"""Weights that share one gradient step: online and target, with their optimiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.declaration import Members
from suite.algorithms.members import per_member
from suite.algorithms.optimisers import build_optimiser, clip_gradient_norm
from suite.algorithms.parameters import Parameters, Weights
from suite.algorithms.specs import ParameterSpec
from suite.algorithms.value.settings import ValueSettings


class Trained:
    """online, target: weights by name, each (P, …). The target starts as a copy; it is the online
    weights themselves where there is none (`has_target` False)."""

    def __init__(
        self,
        specs: Sequence[ParameterSpec],
        settings: ValueSettings,
        members: Members,
        device: torch.device,
        *,
        has_target: bool = True,
    ) -> None:
        n_members = len(members)
        self._device, self._clip = device, settings.gradient_clip
        self._online = Parameters(specs, n_members, device=device)
        self._online.initialise(members.seeds)
        self._target = self._online
        if has_target:
            self._target = Parameters(specs, n_members, device=device, trainable=False)
            self._target.flat.copy_(self._online.flat)
        rates = per_member(
            "learning_rate", members.learning_rate, n_members, settings.learning_rate
        )
        self._optimiser = build_optimiser(settings.optimiser, self._online.flat, rates)

    @property
    def online(self) -> Weights:
        return self._online.weights

    @property
    def target(self) -> Weights:
        return self._target.weights

    def descend(self, loss: Tensor, active: Tensor | NDArray[np.bool_] | None) -> Tensor:
        """One step down a loss (P,); returns the gradient's norm (P,) before clipping.

        Members that are not active are put back as they were.
        """
        gradient = self._online.differentiate(loss.sum())
        norm = clip_gradient_norm(gradient, self._clip)
        trained = [self._online.flat, *self._optimiser.state.values()]
        frozen = None if active is None else ~torch.as_tensor(active).to(self._device)
        kept = [] if frozen is None else [tensor[frozen] for tensor in trained]
        self._optimiser.step(self._online.flat, gradient)
        for tensor, old in zip(trained, kept, strict=False):
            tensor[frozen] = old
        return norm

    def copy_target(self, members: Tensor | NDArray[np.bool_]) -> None:
        """Copy online weights to the target of `members` (P,) bool."""
        chosen = torch.as_tensor(members).to(self._device)
        self._target.flat[chosen] = self._online.flat[chosen]

    def arrays(self, names: Sequence[str]) -> list[tuple[NDArray[np.float32], ...]]:
        """See `Parameters.arrays`."""
        return self._online.arrays(names)

    def state(self) -> dict[str, Tensor]:
        """What decides how training goes on, by name; the tensors themselves."""
        optimiser = {f"optimiser.{k}": v for k, v in self._optimiser.state.items()}
        target = {} if self._target is self._online else {"target": self._target.flat}
        return {"online": self._online.flat, **target, **optimiser}

    def is_finite(self) -> NDArray[np.bool_]:
        """(P,) whether all of a member's online weights are finite."""
        return torch.isfinite(self._online.flat.detach()).all(dim=1).cpu().numpy()

    def member(self, member: int) -> dict[str, Tensor]:
        """Copies of one member's online weights by name."""
        return self._online.member(member)

    def member_gradients(self, member: int) -> dict[str, Tensor]:
        """Copies of one member's last gradient by name."""
        return self._online.member_gradients(member)

    def load_member(self, member: int, weights: Weights) -> None:
        """Set one member's online and target weights; InputError if they do not fit."""
        self._online.load_member(member, weights)
        self._target.load_member(member, weights)


def under(weights: Weights, prefix: str) -> dict[str, Tensor]:
    """The weights whose names start with `prefix`, under the rest of their names."""
    return {k.removeprefix(prefix): w for k, w in weights.items() if k.startswith(prefix)}


def prefixed(specs: Sequence[ParameterSpec], prefix: str) -> tuple[ParameterSpec, ...]:
    """The same layers with longer names, for a second network beside a first."""
    from dataclasses import replace

    return tuple(replace(spec, name=prefix + spec.name) for spec in specs)


def joined(tables: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """One table of several: names of each start with its own, but those of the table ""."""
    return {
        f"{group}.{name}" if group else name: tensor
        for group, table in tables.items()
        for name, tensor in table.items()
    }
