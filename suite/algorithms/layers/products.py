"""Matrix products of a population written into given tensors: member p meets only member p."""

from __future__ import annotations

import torch
from torch import Tensor


def product(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """out = left @ right: (P, R, I), (P, I, O), (P, R, O). Returns `out`."""
    if left.shape[0] == 1:  # one member: plain matrices are cheaper than a batch of one
        torch.mm(left[0], right[0], out=out[0])
    else:
        torch.bmm(left, right, out=out)
    return out


def add_product(out: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """out += left @ right: (P, R, O), (P, R, I), (P, I, O). Returns `out`."""
    if left.shape[0] == 1:
        out[0].addmm_(left[0], right[0])
    else:
        out.baddbmm_(left, right)
    return out
