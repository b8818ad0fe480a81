"""QTRAN and Weighted QMIX in the plainest torch: one member, loops over episodes, time and agents.

As `plain_reference`; episodes are unrolled one by one up to their own ends.
"""

from __future__ import annotations

import plain_reference as plain
import torch
from plain_reference import Weights
from torch import Tensor
from torch.nn import functional as F

Episode = dict[str, Tensor]


def unroll(w: Weights, e: Episode) -> tuple[Tensor, Tensor]:
    """Utilities (L+1, N, A) and hidden states (L+1, N, H) of one episode."""
    n_agents, n_actions = e["available"].shape[1:]
    h = torch.zeros(n_agents, w["gru.weight_hh"].shape[1])
    qs, hs = [], []
    for t, o in enumerate(e["observations"]):
        last = torch.zeros(n_agents, n_actions)
        if t > 0:
            last = F.one_hot(e["actions"][t - 1], n_actions).float()
        q, h, _ = plain.agent_step(w, torch.cat([o, last, torch.eye(n_agents)], dim=1), h, 0)
        qs.append(q)
        hs.append(h)
    return torch.stack(qs), torch.stack(hs)


def layer(w: Weights, name: str, x: Tensor) -> Tensor:
    return w[f"{name}.weight"] @ x + w[f"{name}.bias"]


def three_layers(w: Weights, name: str, x: Tensor) -> Tensor:
    x = F.relu(layer(w, f"{name}_first", x))
    x = F.relu(layer(w, f"{name}_second", x))
    return layer(w, f"{name}_last", x)


def q_joint(w: Weights, state: Tensor, hidden: Tensor, actions: Tensor) -> Tensor:
    """QTRAN's joint value (1,) of one step."""
    n_actions = len(w["encoder_first.actions"])
    first = torch.cat([w["encoder_first.weight"], w["encoder_first.actions"].T], dim=1)
    code = torch.zeros(())
    for h, u in zip(hidden, actions, strict=True):
        x = torch.cat([h, F.one_hot(u, n_actions).float()])
        code = code + layer(w, "encoder_last", F.relu(first @ x + w["encoder_first.bias"]))
    return three_layers(w, "joint", torch.cat([state, code]))


def qtran_losses(
    online: Weights,
    target: Weights,
    episodes: list[Episode],
    gamma: float,
    returns: str,
    decay: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """L_td, L_opt, L_nopt."""
    td, optimal, non_optimal = [], [], []
    for e in episodes:
        q, hidden = unroll(online, e)
        hidden_target = unroll(target, e)[1]
        greedy = q.detach().masked_fill(~e["available"], -9999999).max(dim=2)[1]
        steps = range(len(e["reward"]))
        nexts = [
            q_joint(target, e["state"][t + 1], hidden_target[t + 1], greedy[t + 1]) for t in steps
        ]
        takens = [q_joint(target, e["state"][t], hidden_target[t], e["actions"][t]) for t in steps]
        ys = plain.targets(e, nexts, takens, gamma, returns, decay)
        for t in steps:
            u, best, state = e["actions"][t], greedy[t], e["state"][t]
            joint = q_joint(online, state, hidden[t], u)
            joint_greedy = q_joint(online, state, hidden[t], best).detach()
            v = three_layers(online, "value", state)
            td.append((joint - ys[t]) ** 2)
            optimal.append((q[t].gather(1, best[:, None]).sum() - joint_greedy + v) ** 2)
            below = q[t].gather(1, u[:, None]).sum() - joint.detach() + v
            non_optimal.append(torch.minimum(below, torch.zeros(1)) ** 2)
    return torch.cat(td).mean(), torch.cat(optimal).mean(), torch.cat(non_optimal).mean()


def part(w: Weights, prefix: str) -> Weights:
    return {k.removeprefix(prefix): x for k, x in w.items() if k.startswith(prefix)}


def q_central(w: Weights, state: Tensor, q: Tensor) -> Tensor:
    """Q̂* (1,) of one step."""
    x = torch.cat([state, q])
    for name in ("first", "second", "third"):
        x = F.relu(layer(w, name, x))
    return layer(w, "last", x) + layer(w, "value_last", F.relu(layer(w, "value_first", state)))


def wqmix_losses(
    weighting: str,
    alpha: float,
    online: Weights,
    target: Weights,
    episodes: list[Episode],
    gamma: float,
    returns: str,
    decay: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The weighted loss of Q_tot, the loss of Q̂*, and the mean weight."""
    local_loss, central_loss, weights = [], [], []
    agent, mixer = "central_agent.", "central_mixer."
    for e in episodes:
        q_local = unroll(online, e)[0]
        q_own = unroll(part(online, agent), e)[0]
        q_target = unroll(part(target, agent), e)[0]
        greedy = q_local.detach().masked_fill(~e["available"], -9999999).max(dim=2)[1]
        steps = range(len(e["reward"]))

        def of_target(t: int, u: Tensor, e: Episode = e, q_target: Tensor = q_target) -> Tensor:
            q = q_target[t].gather(1, u[:, None])[:, 0]
            return q_central(part(target, mixer), e["state"][t], q).detach()

        nexts = [of_target(t + 1, greedy[t + 1]) for t in steps]
        takens = [of_target(t, e["actions"][t]) for t in steps]
        ys = plain.targets(e, nexts, takens, gamma, returns, decay)
        for t in steps:
            u, state, y = e["actions"][t], e["state"][t], ys[t]
            chosen = q_local[t].gather(1, u[:, None])[:, 0]
            total, _ = plain.qmix(online, chosen, chosen, state, chosen)
            own = q_own[t].gather(1, u[:, None])[:, 0]
            central = q_central(part(online, mixer), state, own)
            if weighting == "ow_qmix":
                counts_fully = bool(total < y)
            else:
                counts_fully = bool((u == greedy[t]).all() or y > of_target(t, greedy[t]))
            weight = 1.0 if counts_fully else alpha
            local_loss.append(weight * (total - y) ** 2)
            central_loss.append((central - y) ** 2)
            weights.append(torch.tensor(weight))
    return torch.cat(local_loss).mean(), torch.cat(central_loss).mean(), torch.stack(weights).mean()
