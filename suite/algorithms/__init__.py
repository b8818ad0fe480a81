"""Networks, mixers, losses, optimisers and the learner that joins them.

Names are loaded on first use (PEP 562), so that reading `suite.algorithms.settings` (study files,
reports, schedulers) never imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suite.algorithms.batch import EpisodeBatch, Sizes
    from suite.algorithms.build import build_agent, build_mixer
    from suite.algorithms.learner import Learner
    from suite.algorithms.parameters import Parameters
    from suite.algorithms.settings import AlgorithmSettings

_HOMES = {
    "AlgorithmSettings": "settings",
    "EpisodeBatch": "batch",
    "Learner": "learner",
    "Parameters": "parameters",
    "Sizes": "batch",
    "build_agent": "build",
    "build_mixer": "build",
}

__all__ = [
    "AlgorithmSettings",
    "EpisodeBatch",
    "Learner",
    "Parameters",
    "Sizes",
    "build_agent",
    "build_mixer",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
