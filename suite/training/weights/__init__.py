"""Weights files: the final networks of a run by name, with what they are beside them.

torch is imported by the functions: processes without it know the names.
"""

from suite.training.weights.files import (
    TRAIN_AGAIN,
    WEIGHTS_FORMAT,
    read_weights,
    unpack_weights,
    write_weights,
)
from suite.training.weights.tensors import checksum, load_torch

__all__ = [
    "TRAIN_AGAIN",
    "WEIGHTS_FORMAT",
    "checksum",
    "load_torch",
    "read_weights",
    "unpack_weights",
    "write_weights",
]
