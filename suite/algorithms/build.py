"""Networks of an arm without its memory and exploration: for weights that come from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from suite.algorithms.declaration import Members
from suite.algorithms.registry import method_of
from suite.algorithms.settings import ArmSettings
from suite.algorithms.value.method import QMethod
from suite.errors import InputError
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    from suite.algorithms.value.base import QLearner


def build_learner(
    settings: ArmSettings,
    sizes: Sizes,
    *,
    seeds: Sequence[int],
    learning_rate: Sequence[float] | None = None,
    device: torch.device | str = "cpu",
    **hyperparameters: Sequence[Any] | None,
) -> QLearner:
    """The learner of an arm that learns values.

    hyperparameters: by name, one value per member, of what the method declares.
    Raises InputError for other arms, for arms that cannot have these sizes, and for lists that do
    not fit `seeds`.
    """
    method = method_of(settings)
    if not isinstance(method, QMethod):
        cure = "use suite.algorithms.registry.method_of(settings).build"
        raise InputError("no value learner", where="framework", value=settings.framework, cure=cure)
    refusal = method.refusal(settings, sizes)
    if refusal is not None:
        raise InputError(refusal.what, where=refusal.key, value=refusal.value, cure=refusal.cure)
    given = {name: values for name, values in hyperparameters.items() if values is not None}
    return method.learner(settings, sizes, Members(seeds, learning_rate, given), device)
