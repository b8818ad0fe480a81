"""The same algorithms once more, in the plainest torch: one member, loops over episodes and time.

Nothing here comes from `suite.algorithms`; weights are given under its names (docs/weights.md).
Episodes are unrolled one by one up to their own ends, so padding cannot matter.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Weights = dict[str, Tensor]


def agent_step(w: Weights, x: Tensor, h: Tensor, n_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """x (N, D), h (N, H) -> q (N, A), next h, attention (heads, N, N) (empty without advice)."""
    cell = nn.GRUCell(h.shape[1], h.shape[1])
    gru = {k: w[f"gru.{k}"] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    encoded = F.relu(F.linear(x, w["encoder.weight"], w["encoder.bias"]))
    h = torch.func.functional_call(cell, gru, (encoded, h))
    if "attention.weight" not in w:
        return F.linear(h, w["head.weight"], w["head.bias"]), h, x.new_empty(0)
    keys, queries, values = (x @ block.T for block in w["attention.weight"].chunk(3))
    attention, advice = [], []
    for k, q, v in zip(*(t.chunk(n_heads, dim=1) for t in (keys, queries, values)), strict=True):
        attention.append(torch.softmax((q / q.shape[1] ** 0.25) @ (k / k.shape[1] ** 0.25).T, 1))
        advice.append(attention[-1] @ v)
    return head(w, h, torch.cat(advice, dim=1)), h, torch.stack(attention)


def head(w: Weights, h: Tensor, advice: Tensor) -> Tensor:
    g = F.relu(F.linear(advice, w["advice.weight"], w["advice.bias"]))
    merged = F.relu(F.linear(torch.cat([h, g], dim=1), w["merge.weight"], w["merge.bias"]))
    last = F.relu(F.linear(merged, w["head_hidden.weight"], w["head_hidden.bias"]))
    return F.linear(last, w["head.weight"], w["head.bias"])


def unroll(
    w: Weights, observations: Tensor, actions: Tensor, n_actions: int, n_heads: int
) -> tuple[Tensor, list[Tensor]]:
    """One episode: observations (L+1, N, O), actions (L, N) -> q (L+1, N, A), attentions."""
    n_agents = observations.shape[1]
    h = torch.zeros(n_agents, w["gru.weight_hh"].shape[1])
    qs, attentions = [], []
    for t, o in enumerate(observations):
        last = torch.zeros(n_agents, n_actions)
        if t > 0:
            last = F.one_hot(actions[t - 1], n_actions).float()
        x = torch.cat([o, last, torch.eye(n_agents)], dim=1)
        q, h, attention = agent_step(w, x, h, n_heads)
        qs.append(q)
        attentions.append(attention)
    return torch.stack(qs), attentions


def mix(
    name: str, w: Weights, q: Tensor, greedy: Tensor, state: Tensor, actions: Tensor, n_actions: int
) -> tuple[Tensor, Tensor]:
    """Joint value (K,) of a step and the regulariser's term: q, greedy, actions (N,), state."""
    zero = torch.zeros(())
    if name == "iql":
        return q, zero
    if name == "vdn":
        return q.sum().reshape(1), zero
    one_hot = F.one_hot(actions, n_actions).float().flatten()
    return {"qmix": qmix, "qatten": qatten, "dmaq": dmaq}[name](w, q, greedy, state, one_hot)


def qmix(
    w: Weights, q: Tensor, _greedy: Tensor, state: Tensor, _one_hot: Tensor
) -> tuple[Tensor, Tensor]:
    n = len(q)
    embedding = w["value.weight"].shape[1]
    read = w["state.weight"] @ state + w["state.bias"]
    if "hyper_first.weight" in w:
        deep = w["hyper_first.weight"].shape[1]
        first, last, bias, value = read.split([deep, deep, embedding, embedding])
        first = w["hyper_first.weight"] @ F.relu(first) + w["hyper_first.bias"]
        last = w["hyper_last.weight"] @ F.relu(last) + w["hyper_last.bias"]
    else:
        first, last, bias, value = read.split([n * embedding, embedding, embedding, embedding])
    hidden = F.elu(q @ first.abs().reshape(n, embedding) + bias)
    v = w["value.weight"] @ F.relu(value) + w["value.bias"]
    return (hidden @ last.abs()).reshape(1) + v, torch.zeros(())


def qatten(
    w: Weights, q: Tensor, greedy: Tensor, state: Tensor, one_hot: Tensor
) -> tuple[Tensor, Tensor]:
    n, embedding, block = len(q), w["value.weight"].shape[1], w["key.weight"].shape[2]
    deep = w["selector.weight"].shape[2]
    read = w["state.weight"] @ state + w["state.bias"]
    selectors, value, keys, agents = read.split([4 * deep, embedding, 4, 4 * n])
    units = state[: n * block].reshape(n, block)
    weight, penalty = torch.full((n,), 1e-10), torch.zeros(())
    for h, selector in enumerate(selectors.split(deep)):
        logits = (units @ w["key.weight"][h].T) @ (w["selector.weight"][h] @ F.relu(selector))
        weight = weight + torch.softmax(logits / embedding**0.5, dim=0)
        penalty = penalty + 0.001 * (logits**2).mean()
    v = (w["value.weight"] @ F.relu(value) + w["value.bias"]) / n
    action = w["joint.weight"] @ torch.cat([state, one_hot]) + w["joint.bias"]
    lam = torch.zeros(n)
    for k in range(4):
        two = torch.sigmoid(agents.split(n)[k]) * torch.sigmoid(action.split(n)[k])
        lam = lam + (keys[k].abs() + 1e-10) * two
    return dueling(weight, v, lam, q, greedy), penalty


def dmaq(
    w: Weights, q: Tensor, greedy: Tensor, state: Tensor, one_hot: Tensor
) -> tuple[Tensor, Tensor]:
    n, deep = len(q), w["scale.weight"].shape[1]
    read = F.relu(w["state.weight"] @ state + w["state.bias"])
    scale, shift, keys, agents = read.split([deep, deep, 640, 640])
    actions = F.relu(w["joint.weight"] @ torch.cat([state, one_hot]) + w["joint.bias"])
    weight = (w["scale.weight"] @ scale + w["scale.bias"]).abs() + 1e-10
    v = w["shift.weight"] @ shift + w["shift.bias"]
    lam = torch.zeros(n)
    for k in range(10):
        outputs = []
        for name, first in (("key", keys), ("agents", agents), ("action", actions)):
            x = first[64 * k : 64 * (k + 1)]
            x = F.relu(w[f"{name}_hidden.weight"][k] @ x + w[f"{name}_hidden.bias"][k])
            outputs.append(w[f"{name}.weight"][k] @ x + w[f"{name}.bias"][k])
        key, agent, action = outputs
        lam = lam + (key.abs() + 1e-10) * torch.sigmoid(agent) * torch.sigmoid(action)
    return dueling(weight, v, lam, q, greedy), torch.zeros(())


def dueling(weight: Tensor, v: Tensor, lam: Tensor, q: Tensor, greedy: Tensor) -> Tensor:
    transformed, best = weight * q + v, weight * greedy + v
    advantage = (transformed - best).detach()
    return (transformed.sum() + ((lam - 1) * advantage).sum()).reshape(1)


def targets(
    episode: dict[str, Tensor],
    q_next: list[Tensor],
    q_taken: list[Tensor],
    gamma: float,
    returns: str,
    decay: float,
) -> list[Tensor]:
    """What one episode's steps learn towards, from its last step back.

    q_next: the target's values of greedy actions after each step; q_taken: of the actions taken.
    """
    found: list[Tensor] = []
    for t in reversed(range(len(q_next))):
        after = q_next[t]
        if found and returns == "td_lambda":
            after = (1 - decay) * after + decay * found[0]
        if found and returns == "q_lambda":
            after = after + decay * (found[0] - q_taken[t + 1])
        going_on = gamma * (1 - episode["terminated"][t].float())
        found.insert(0, (episode["reward"][t] + going_on * after).detach())
    return found


def losses(
    name: str,
    online: Weights,
    target: Weights,
    episodes: list[dict[str, Tensor]],
    gamma: float,
    returns: str = "one_step",
    decay: float = 0.6,
) -> tuple[Tensor, Tensor, Tensor]:
    """TD loss, pruning loss (mean over N² entries) and regulariser of whole episodes, no padding.

    Each episode: observations (L+1, N, O), state, available, actions (L, N), reward, terminated.
    """
    n_heads, n_actions = 4, episodes[0]["available"].shape[2]
    td, pruning, penalty, count = [], [], torch.zeros(()), 0
    longest = max(len(e["reward"]) for e in episodes)
    for e in episodes:
        arguments = (e["observations"], e["actions"], n_actions, n_heads)
        q, attention = unroll(online, *arguments)
        q_target = unroll(target, *arguments)[0].detach()
        allowed = q.detach().masked_fill(~e["available"], -9999999)
        allowed_target = q_target.masked_fill(~e["available"], -9999999)
        joints, nexts, takens = [], [], []
        for t in range(len(e["reward"])):
            u = e["actions"][t]
            taken = q[t].gather(1, u[:, None])[:, 0]
            greedy = allowed[t].max(dim=1)[0]
            joint, extra = mix(name, online, taken, greedy, e["state"][t], u, n_actions)
            best = allowed[t + 1].max(dim=1)[1]
            next_q = q_target[t + 1].gather(1, best[:, None])[:, 0]
            next_greedy = allowed_target[t + 1].max(dim=1)[0]
            next_joint, _ = mix(
                name, target, next_q, next_greedy, e["state"][t + 1], best, n_actions
            )
            target_q = q_target[t].gather(1, u[:, None])[:, 0]
            target_greedy = allowed_target[t].max(dim=1)[0]
            taken_joint, _ = mix(name, target, target_q, target_greedy, e["state"][t], u, n_actions)
            joints.append(joint)
            nexts.append(next_joint)
            takens.append(taken_joint)
            penalty = penalty + extra
            if attention[t].numel():
                kl = [torch.log(c[n, n] + 1e-8) for c in attention[t] for n in range(c.shape[0])]
                pruning.append(-torch.stack(kl).sum() / attention[t].numel())
            count += 1
        ys = targets(e, nexts, takens, gamma, returns, decay)
        td += [((joint - y) ** 2).mean() for joint, y in zip(joints, ys, strict=True)]
        if len(e["reward"]) < longest:  # the release's mean also sees the last state
            t, u = len(e["reward"]), torch.zeros_like(e["actions"][0])
            penalty = (
                penalty + mix(name, online, q[t, :, 0], q[t, :, 0], e["state"][t], u, n_actions)[1]
            )
    mean_pruning = torch.stack(pruning).mean() if pruning else torch.zeros(())
    return torch.stack(td).sum() / count, mean_pruning, penalty / (len(episodes) * longest)
