"""What everybody who plays has in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.environments.interface import BatchedEnvironment

if TYPE_CHECKING:
    from suite.algorithms.interface import Actor


@dataclass(frozen=True)
class Policy:
    """name: a plain name that tells it from others. description: for people.

    actor: called with a batch of environments, who plays one episode in each slot from its start.
    extra: observations that the batch has to be asked for.
    """

    name: str
    description: str
    actor: Callable[[BatchedEnvironment], Actor]
    extra: tuple[str, ...] = ()
