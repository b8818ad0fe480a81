"""Algorithms: a room for every method, and what they share.

Names are loaded on first use (PEP 562), so that reading what a method declares (study files,
reports, schedulers) never imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suite.algorithms.batch import EpisodeBatch
    from suite.algorithms.build import build_learner
    from suite.algorithms.parameters import Parameters
    from suite.algorithms.registry import arm_settings
    from suite.runs.sizes import Sizes

_HOMES = {
    "EpisodeBatch": "suite.algorithms.batch",
    "Parameters": "suite.algorithms.parameters",
    "Sizes": "suite.runs.sizes",
    "arm_settings": "suite.algorithms.registry",
    "build_learner": "suite.algorithms.build",
}

__all__ = ["EpisodeBatch", "Parameters", "Sizes", "arm_settings", "build_learner"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
