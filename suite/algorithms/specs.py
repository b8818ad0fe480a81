"""The layers that networks declare: shapes, initial weights, and so their cost. No torch here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class Orthogonal:
    """A random orthogonal matrix times `gain` (Saxe et al. 2014, as `nn.init.orthogonal_`)."""

    gain: float


@dataclass(frozen=True)
class Constant:
    """Every entry is `value`."""

    value: float


@dataclass(frozen=True)
class ParameterSpec:
    """A parameter of one member and how it starts.

    bound: drawn uniformly from ±bound (PyTorch's default for its layers), unless `initialisation`
    says otherwise. n_data_inputs: so many of a weight's inputs are data, which needs no gradient.
    """

    name: str
    shape: tuple[int, ...]
    bound: float = 0.0
    n_data_inputs: int = 0
    initialisation: Orthogonal | Constant | None = None

    @property
    def is_weight(self) -> bool:
        """Whether rows are multiplied with it: no bias, and no gain of a normalisation."""
        return len(self.shape) > 1 and self.name.rpartition(".")[2].startswith("weight")

    @property
    def multiply_adds(self) -> int:
        """Of one row passed through it."""
        return prod(self.shape) if self.is_weight else 0


def linear_specs(
    name: str,
    n_inputs: int,
    n_outputs: int,
    *,
    bias: bool = True,
    blocks: int | None = None,
    reads_data: bool = False,
    n_data_inputs: int = 0,
) -> tuple[ParameterSpec, ...]:
    """Specs `name.weight` ([blocks,] outputs, inputs) and `name.bias`, nn.Linear's default bound.

    (`kaiming_uniform_(a=√5)` of a weight is U(±1/√inputs), as is the bias.)
    reads_data: all inputs are data; else the first `n_data_inputs` are.
    """
    bound = n_inputs**-0.5
    lead = () if blocks is None else (blocks,)
    n_data = n_inputs if reads_data else n_data_inputs
    weight = ParameterSpec(f"{name}.weight", (*lead, n_outputs, n_inputs), bound, n_data)
    if not bias:
        return (weight,)
    return (weight, ParameterSpec(f"{name}.bias", (*lead, n_outputs), bound))


def gru_specs(name: str, n_inputs: int, hidden_size: int) -> tuple[ParameterSpec, ...]:
    """Specs of nn.GRUCell with its default bound 1/√hidden_size; gates ordered r, z, n."""
    bound = hidden_size**-0.5
    return (
        ParameterSpec(f"{name}.weight_ih", (3 * hidden_size, n_inputs), bound),
        ParameterSpec(f"{name}.weight_hh", (3 * hidden_size, hidden_size), bound),
        ParameterSpec(f"{name}.bias_ih", (3 * hidden_size,), bound),
        ParameterSpec(f"{name}.bias_hh", (3 * hidden_size,), bound),
    )


def n_parameters(specs: Iterable[ParameterSpec]) -> int:
    """Parameters of one member."""
    return sum(prod(spec.shape) for spec in specs)


def forward_multiply_adds(specs: Iterable[ParameterSpec]) -> int:
    """Of one row through all layers."""
    return sum(spec.multiply_adds for spec in specs)


def backward_multiply_adds(specs: Iterable[ParameterSpec]) -> int:
    """Of one row: the gradient of every weight, and of its input unless that is data."""
    return sum(
        2 * spec.multiply_adds - prod(spec.shape[:-1]) * spec.n_data_inputs for spec in specs
    )
