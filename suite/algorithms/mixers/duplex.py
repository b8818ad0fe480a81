"""The duplex dueling equations of QPLEX (arXiv 2008.01062, section 3), common to its two forms.

Transformation:  Q'_n = w_n(s) Q_n + v_n(s), w_n > 0
Dueling mixing:  Q_tot = Σ_n Q'_n(u_n) + Σ_n (λ_n(s,u) - 1) [Q'_n(u_n) - max_a Q'_n(a)]
The bracket carries no gradient: the advantages train λ alone.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Keeps weights positive: the QPLEX repository's dmaq_general.py and dmaq_si_weight.py.
POSITIVE = 1e-10


def duplex(q_taken: Tensor, q_greedy: Tensor, scale: Tensor, shift: Tensor, lam: Tensor) -> Tensor:
    """Q_tot (P, M, 1) from utilities, transformation (w, v) and importance λ, each (P, M, N).

    Equations 8 to 11 of the paper; `shift` cancels in the advantage.
    """
    value = (scale * q_taken + shift).sum(dim=2, keepdim=True)
    advantage = (scale * (q_taken - q_greedy)).detach()
    return value + ((lam - 1) * advantage).sum(dim=2, keepdim=True)


def importance(key: Tensor, agents: Tensor, action: Tensor) -> Tensor:
    """λ_n = Σ_k (|key_k| + 1e-10) σ(agents_kn) σ(action_kn), equation 11.

    key (P, M, K), agents and action (P, M, K, N) -> (P, M, N).
    """
    terms = torch.sigmoid(agents) * torch.sigmoid(action)
    return (terms * (key.abs() + POSITIVE).unsqueeze(3)).sum(dim=2)


def state_and_actions(state: Tensor, actions: Tensor, n_actions: int) -> Tensor:
    """[s; one-hot u_1; …; one-hot u_N], (P, M, S + N·A)."""
    one_hot = functional.one_hot(actions, n_actions).to(state.dtype).flatten(2)
    return torch.cat([state, one_hot], dim=2)
