"""Weights of a population in one flat tensor, with named views.

Clipping, optimisers, target copies and freezing of members then are a few operations on (P, n)
tensors, whatever the networks look like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.specs import Constant, Orthogonal, ParameterSpec
from suite.errors import InputError

# Every parameter starts at a multiple of 64 bytes, as torch's own allocations do: matrix products
# choose their code path by alignment, and results must be bit-identical across processes.
_ALIGNMENT = 16  # float32 values

Weights = Mapping[str, Tensor]


class Parameters:
    """Weights of P members.

    flat: (P, n) float32, all parameters of a member in a row (gaps for alignment stay 0).
    weights: name -> (P, *shape) view of `flat`; leaves of autograd when trainable.
    gradient: (P, n), laid out as `flat`; filled by `differentiate`.
    Raises InputError if two parameters have one name.
    """

    def __init__(
        self,
        specs: Sequence[ParameterSpec],
        n_members: int,
        *,
        device: torch.device | str = "cpu",
        trainable: bool = True,
    ) -> None:
        self.specs = tuple(specs)
        names = [spec.name for spec in self.specs]
        for repeated in sorted(name for name in set(names) if names.count(name) > 1):
            cure = "give the layer a name that no other layer of the method has"
            what = "two layers of one name would share their weights"
            raise InputError(what, where="Parameters", value=repeated, cure=cure)
        self._offsets: list[int] = []
        size = 0
        for spec in self.specs:
            self._offsets.append(size)
            size += -(-prod(spec.shape) // _ALIGNMENT) * _ALIGNMENT
        self.flat = torch.zeros(n_members, size, device=device)
        self.gradient = torch.zeros_like(self.flat) if trainable else self.flat[:, :0]
        self.weights = self._views(self.flat)
        self._gradients = self._views(self.gradient) if trainable else {}
        for weight in self.weights.values():
            weight.requires_grad_(trainable)

    def _views(self, flat: Tensor) -> dict[str, Tensor]:
        pairs = zip(self.specs, self._offsets, strict=True)
        return {
            spec.name: flat[:, offset : offset + prod(spec.shape)].unflatten(1, spec.shape)
            for spec, offset in pairs
        }

    def differentiate(self, loss: Tensor) -> Tensor:
        """Gradient of a scalar by all weights, into `gradient` (P, n), which is returned."""
        leaves = list(self.weights.values())
        found = torch.autograd.grad(loss, leaves, allow_unused=True)
        for into, gradient in zip(self._gradients.values(), found, strict=True):
            if gradient is None:
                into.zero_()
            else:
                into.copy_(gradient)
        return self.gradient

    @property
    def n_members(self) -> int:
        return self.flat.shape[0]

    @property
    def n_parameters(self) -> int:
        """Parameters of one member."""
        return sum(prod(spec.shape) for spec in self.specs)

    @torch.no_grad()
    def initialise(self, seeds: Sequence[int]) -> None:
        """Draw each member's weights from its own generator: the cohort has no influence."""
        for member, seed in enumerate(seeds):
            generator = torch.Generator().manual_seed(seed)
            for spec in self.specs:
                self.weights[spec.name][member] = _drawn(spec, generator).to(self.flat.device)

    def arrays(self, names: Sequence[str]) -> list[tuple[NDArray[np.float32], ...]]:
        """For each member, arrays that share memory with these weights; none off the CPU."""
        if self.flat.device.type != "cpu":
            return []
        members = range(self.n_members)
        return [tuple(self.weights[n].detach()[p].numpy() for n in names) for p in members]

    def member(self, member: int) -> dict[str, Tensor]:
        """Copies of one member's weights by name, without the population axis."""
        return {name: weight[member].detach().clone() for name, weight in self.weights.items()}

    def member_gradients(self, member: int) -> dict[str, Tensor]:
        """Copies of one member's gradients by name; empty where nothing is trained."""
        return {name: gradient[member].clone() for name, gradient in self._gradients.items()}

    @torch.no_grad()
    def load_member(self, member: int, weights: Weights) -> None:
        """Set one member's weights.

        Raises InputError if a name is missing, unknown, or has another shape.
        """
        if weights.keys() != self.weights.keys():
            raise InputError(
                "names of the weights do not fit this network",
                where="load_member_weights",
                value=sorted(weights.keys() ^ self.weights.keys()),
                cure="pass exactly the names that member_weights() gives (docs/weights.md)",
            )
        for name, weight in weights.items():
            own = self.weights[name][member]
            if own.shape != weight.shape:
                raise InputError(
                    f"weight {name} should have shape {tuple(own.shape)}",
                    where="load_member_weights",
                    value=tuple(weight.shape),
                    cure="build the learner with the sizes the weights were trained for",
                )
            own.copy_(weight)


def _drawn(spec: ParameterSpec, generator: torch.Generator) -> Tensor:
    """A parameter's initial value, on the CPU."""
    values = torch.empty(spec.shape)
    match spec.initialisation:
        case None:
            return values.uniform_(-spec.bound, spec.bound, generator=generator)
        case Constant(value):
            return values.fill_(value)
        case Orthogonal(gain):
            return torch.nn.init.orthogonal_(values, gain, generator=generator)
