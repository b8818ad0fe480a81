"""Memory of whole episodes: what a learner learns from, and its part of the checkpoint.

Names are loaded on first use (PEP 562): `Field` and `bytes_per_episode` never import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suite.algorithms.buffers.buffer import EpisodeBuffer
    from suite.algorithms.buffers.fields import Field, bytes_per_episode, fields_of
    from suite.algorithms.buffers.writer import EpisodeWriter

_HOMES = {
    "EpisodeBuffer": "buffer",
    "EpisodeWriter": "writer",
    "Field": "fields",
    "bytes_per_episode": "fields",
    "fields_of": "fields",
}

__all__ = ["EpisodeBuffer", "EpisodeWriter", "Field", "bytes_per_episode", "fields_of"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
