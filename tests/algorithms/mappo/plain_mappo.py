"""MAPPO once more in the plainest torch: one member, loops over episodes, chunks, time and agents.

Nothing here comes from `suite.algorithms.mappo`; weights are given under its names. Episodes have
no padding: observations (L+1, N, O), state (L+1, S), available (L+1, N, A), actions (L, N),
reward (L,), terminated (bool: the episode's end is one of the task), living (L+1, N).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Categorical
from torch.nn import functional as F

Weights = dict[str, Tensor]
Episode = dict[str, Tensor]


def norm(w: Weights, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


def dense(w: Weights, name: str, x: Tensor) -> Tensor:
    return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def trunk(w: Weights, name: str, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """x (N, D), h (N, H) -> features (N, H), next h; without recurrence h is left alone."""
    x = norm(w, f"{name}input_norm", x)
    x = norm(w, f"{name}encoder_norm", dense(w, f"{name}encoder", x).relu())
    x = norm(w, f"{name}second_norm", dense(w, f"{name}second", x).relu())
    if f"{name}gru.weight_hh" not in w:
        return x, h
    cell = nn.GRUCell(x.shape[1], x.shape[1], dtype=x.dtype)
    gru = {k: w[f"{name}gru.{k}"] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    h = torch.func.functional_call(cell, gru, (x, h))
    return norm(w, f"{name}gru_norm", h), h


def act(w: Weights, x: Tensor, h: Tensor, is_alone: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """x (N, D) -> logits (N, A), next h, attention (heads, N, N) (empty without advice)."""
    features, h = trunk(w, "", x, h)
    if "attention.weight" not in w:
        return dense(w, "head", features), h, x.new_empty(0)
    keys, queries, values = (x @ block.T for block in w["attention.weight"].chunk(3))
    attention, advice = [], []
    for k, q, v in zip(*(t.chunk(4, dim=1) for t in (keys, queries, values)), strict=True):
        attention.append(torch.softmax(q @ k.T / k.shape[1] ** 0.5, dim=1))
        advice.append(attention[-1] @ v)
    z = values if is_alone else torch.cat(advice, dim=1)
    merged = dense(w, "merge", torch.cat([features, dense(w, "advice", z).relu()], dim=1))
    return dense(w, "head", merged), h, torch.stack(attention)


def actor_input(e: Episode, t: int) -> Tensor:
    n_agents, n_actions = e["available"].shape[1:]
    last = e["observations"].new_zeros(n_agents, n_actions)
    if t > 0:
        last = F.one_hot(e["actions"][t - 1], n_actions).to(last)
    return torch.cat([e["observations"][t], last, torch.eye(n_agents).to(last)], dim=1)


def critic_input(e: Episode, t: int) -> Tensor:
    rows = []
    for n, o in enumerate(e["observations"][t]):
        number = torch.zeros(len(e["observations"][t])).to(o)
        number[n] = 1
        seen = torch.cat([e["state"][t], o])
        rows.append(torch.cat([seen if e["living"][t, n] else torch.zeros_like(seen), number]))
    return torch.stack(rows)


def evaluate(w: Weights, e: Episode, t: int, h: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """log π of the actions (N,), entropies (N,), next h, attention at step t."""
    logits, h, attention = act(w, actor_input(e, t), h)
    policy = Categorical(logits=logits.masked_fill(~e["available"][t], -1e10))
    return policy.log_prob(e["actions"][t]), policy.entropy(), h, attention


def criticise(w: Weights, e: Episode, t: int, h: Tensor) -> tuple[Tensor, Tensor]:
    features, h = trunk(w, "critic.", critic_input(e, t), h)
    return dense(w, "critic.head", features)[:, 0], h


def gae(reward: Tensor, terminated: bool, values: Tensor, gamma: float, lam: float) -> Tensor:
    """reward (L,), values (L+1, N) -> advantages (L, N)."""
    advantages = torch.zeros_like(values[:-1])
    for n in range(values.shape[1]):
        following = 0.0
        for t in reversed(range(len(reward))):
            is_end = t == len(reward) - 1 and terminated
            after = 0.0 if is_end else float(values[t + 1, n])
            delta = float(reward[t]) + gamma * after - float(values[t, n])
            following = delta + gamma * lam * following
            advantages[t, n] = following
    return advantages


class ValueNorm:
    def __init__(self, beta: float) -> None:
        self.beta, self.mean, self.square, self.weight = beta, 0.0, 0.0, 0.0

    def update(self, returns: Tensor) -> None:
        for name, new in (("mean", returns.mean()), ("square", (returns**2).mean()), ("weight", 1)):
            setattr(self, name, self.beta * getattr(self, name) + (1 - self.beta) * float(new))

    def moments(self) -> tuple[float, float]:
        mean = self.mean / max(self.weight, 1e-5)
        return mean, max(self.square / max(self.weight, 1e-5) - mean**2, 1e-2) ** 0.5


def huber(e: Tensor, delta: float) -> Tensor:
    return torch.where(e.abs() <= delta, e**2 / 2, delta * (e.abs() - delta / 2))


def update(
    w: Weights,
    optimisers: tuple[torch.optim.Optimizer, torch.optim.Optimizer],
    value_norm: ValueNorm,
    episodes: list[Episode],
    *,
    clip: float,
    n_epochs: int,
    chunk_length: int,
    alpha: float,
    masks_dead: bool = False,
) -> dict[str, float]:
    """One update in place, with MAPPO's constants; returns the means of its metrics."""
    dtype = episodes[0]["observations"].dtype
    with torch.no_grad():
        mean, deviation = value_norm.moments()
        old = []
        for e in episodes:
            size = w["second.weight"].shape[0]
            h = hc = torch.zeros(e["observations"].shape[1], size, dtype=dtype)
            log_p, values, starts = [], [], []
            for t in range(len(e["reward"]) + 1):
                starts.append((h, hc))
                value, hc = criticise(w, e, t, hc)
                values.append(value)
                if t < len(e["reward"]):
                    lp, _, h, _ = evaluate(w, e, t, h)
                    log_p.append(lp)
            values = torch.stack(values)
            advantages = gae(
                e["reward"], bool(e["terminated"]), values * deviation + mean, 0.99, 0.95
            )
            returns = advantages + (values * deviation + mean)[:-1]
            old.append([torch.stack(log_p), values, starts, advantages, returns])
        everything = torch.cat([o[3].flatten() for o in old]).numpy().copy()
        alive = torch.cat([e["living"][:-1].flatten() for e in episodes]).numpy()
        everything[~alive] = np.nan
        for o in old:
            o[3] = (o[3] - np.nanmean(everything)) / (np.nanstd(everything) + 1e-5)

    sums: dict[str, float] = {}
    for _ in range(n_epochs):
        rows: dict[str, list[Tensor]] = {}
        for e, (old_log_p, old_values, starts, advantages, returns) in zip(
            episodes, old, strict=True
        ):
            for t in range(len(e["reward"])):
                if t % chunk_length == 0:
                    h, hc = starts[t]
                log_p, entropy, h, attention = evaluate(w, e, t, h)
                value, hc = criticise(w, e, t, hc)
                here = {
                    "log_ratio": log_p - old_log_p[t],
                    "entropy": entropy,
                    "value": value,
                    "old_value": old_values[t],
                    "advantage": advantages[t],
                    "return": returns[t],
                    "living": e["living"][t].to(dtype),
                }
                if attention.numel():
                    entries = [torch.log(c[n, n] + 1e-8) for c in attention for n in range(len(c))]
                    here["pruning"] = -torch.stack(entries).sum().reshape(1) / attention.numel()
                    here["to_self"] = attention.diagonal(dim1=1, dim2=2).mean().reshape(1)
                for name, tensor in here.items():
                    rows.setdefault(name, []).append(tensor)
        r = {name: torch.cat(tensors) for name, tensors in rows.items()}
        living, ratio = r["living"], r["log_ratio"].exp()
        near = ratio.clamp(1 - clip, 1 + clip)
        smaller = torch.min(ratio * r["advantage"], near * r["advantage"])
        found = {
            "loss_policy": -(smaller * living).sum() / living.sum(),
            "entropy": (r["entropy"] * living).sum() / living.sum(),
            "clip_fraction": (((ratio - 1).abs() > clip) * living).sum() / living.sum(),
            "approx_kl": ((ratio - 1 - ratio.log()) * living).sum() / living.sum(),
        }
        loss = found["loss_policy"] - 0.01 * found["entropy"]
        if "pruning" in r:
            found |= {"loss_pruning": r["pruning"].mean(), "self_attention": r["to_self"].mean()}
            loss = loss + alpha * found["loss_pruning"]
        found["gradient_norm_actor"] = descend(w, optimisers[0], loss, False)

        counted = r["return"][living > 0] if masks_dead else r["return"]
        value_norm.update(counted)
        mean, deviation = value_norm.moments()
        target = (r["return"] - mean) / deviation
        near = r["old_value"] + (r["value"] - r["old_value"]).clamp(-clip, clip)
        worse = torch.max(huber(target - r["value"], 10.0), huber(target - near, 10.0))
        loss = (worse * living).sum() / living.sum() if masks_dead else worse.mean()
        found |= {"loss_value": loss}
        found["gradient_norm_critic"] = descend(w, optimisers[1], loss, True)
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach()) / n_epochs
    return sums


def descend(w: Weights, optimiser: torch.optim.Optimizer, loss: Tensor, is_critic: bool) -> Tensor:
    optimiser.zero_grad()
    loss.backward()
    own = [weight for name, weight in w.items() if name.startswith("critic.") == is_critic]
    length = nn.utils.clip_grad_norm_(own, 10.0)
    optimiser.step()
    return length
