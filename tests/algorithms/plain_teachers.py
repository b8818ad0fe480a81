"""CTDS and IGM-DA in the plainest torch, on top of `plain_reference`: loops over episodes and time.

Weights are given per network. What must get no gradient is computed from copies of the weights, so
that no gradient can reach them. Each episode has, beside what `plain_reference` names, `student`
(L+1, N, ·) and `teacher` (L+1, N, ·): what the two networks see.
"""

from __future__ import annotations

from dataclasses import dataclass

import plain_reference as plain
import torch
from plain_reference import Weights
from torch import Tensor

Episode = dict[str, Tensor]


@dataclass
class Losses:
    """td: of the joint values, penalty: of the mixer, imitation."""

    td: Tensor
    penalty: Tensor
    imitation: Tensor


def ctds(
    name: str,
    student: Weights,
    teacher: Weights,
    target: Weights,
    episodes: list[Episode],
    gamma: float,
) -> Losses:
    """teacher, target: networks with the mixer's weights among them."""
    return _losses(name, student, teacher, target, episodes, gamma, is_ctds=True)


def igm_da(
    name: str,
    learner: Weights,
    expert: Weights,
    target: Weights,
    episodes: list[Episode],
    gamma: float,
) -> Losses:
    """expert, target: networks with the mixer's weights among them."""
    return _losses(name, learner, expert, target, episodes, gamma, is_ctds=False)


def _losses(
    name: str,
    student: Weights,
    teacher: Weights,
    target: Weights,
    episodes: list[Episode],
    gamma: float,
    *,
    is_ctds: bool,
) -> Losses:
    frozen = {k: w.detach().clone() for k, w in teacher.items()}
    td, imitation, penalty = [], [], torch.zeros(())
    n_actions = episodes[0]["available"].shape[2]
    longest = max(len(e["reward"]) for e in episodes)
    for e in episodes:
        u, available = e["actions"], e["available"]
        q = _utilities(teacher, e["teacher"], u, n_actions)
        q_target = _utilities(target, e["teacher"], u, n_actions).detach()
        q_student = _utilities(student, e["student"], u, n_actions)
        q_frozen = _utilities(frozen, e["teacher"], u, n_actions)
        chooser = q_frozen if is_ctds else q_student.detach()
        for t in range(len(e["reward"])):
            best = [_best(chooser[t + 1, n], available[t + 1, n]) for n in range(u.shape[1])]
            taken = torch.stack([q[t, n, u[t, n]] for n in range(u.shape[1])])
            following = torch.stack([q_target[t + 1, n, a] for n, a in enumerate(best)])
            joint, extra = plain.mix(
                name, teacher, taken, _highest(q_frozen[t], available[t]), e["state"][t], u[t],
                n_actions,
            )  # fmt: skip
            next_joint, _ = plain.mix(
                name, target, following, _highest(q_target[t + 1], available[t + 1]),
                e["state"][t + 1], torch.tensor(best), n_actions,
            )  # fmt: skip
            y = e["reward"][t] + gamma * (1 - e["terminated"][t].float()) * next_joint.detach()
            td.append((joint - y).square().mean())
            penalty = penalty + extra
            imitation.append(torch.zeros(()))
            for n in range(u.shape[1]):
                choice = _best(q_frozen[t, n], available[t, n])
                for a in range(n_actions):
                    wanted = q_frozen[t, n, a] if is_ctds else float(a == choice)
                    n_averaged = 1 if is_ctds else u.shape[1] * n_actions
                    error = (q_student[t, n, a] - wanted) ** 2 / n_averaged
                    imitation[-1] = imitation[-1] + error
        if len(e["reward"]) < longest:  # as in `plain_reference.losses`
            t, nothing = len(e["reward"]), torch.zeros_like(u[0])
            zero = q[t, :, 0]
            penalty = penalty + plain.mix(
                name, teacher, zero, zero, e["state"][t], nothing, n_actions
            )[1]  # fmt: skip
    count = len(td)
    return Losses(
        torch.stack(td).sum() / count,
        penalty / (len(episodes) * longest),
        torch.stack(imitation).sum() / count,
    )


def _utilities(w: Weights, seen: Tensor, actions: Tensor, n_actions: int) -> Tensor:
    return plain.unroll(w, seen, actions, n_actions, 4)[0]


def _best(q: Tensor, available: Tensor) -> int:
    return max((a for a in range(len(q)) if available[a]), key=lambda a: float(q[a]))


def _highest(q: Tensor, available: Tensor) -> Tensor:
    return torch.stack([row[_best(row, ok)] for row, ok in zip(q, available, strict=True)])
