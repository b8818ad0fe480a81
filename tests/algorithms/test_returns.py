"""λ-returns on packed rows against sums over n-step returns, episode by episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from suite.algorithms.losses.returns import q_lambda_target, td_lambda_target
from suite.algorithms.losses.td import td_target
from suite.algorithms.rows import Rows, pack_lengths

GAMMA = 0.9
N_STEPS, N_AGENTS = 6, 2
# Ends: longest and shorter ones, one-step episodes, members of different lengths.
RAGGED = [[3, 6, 1, 4], [2, 2, 5, 1]]
FULL = [[4, 4], [4, 4]]
LENGTHS = [RAGGED, FULL, [[1, 1]], [[6]]]


@dataclass
class Task:
    """Episodes (P, B, …): rewards, greedy values of observations and values of actions taken."""

    lengths: Sequence[Sequence[int]]
    rows: Rows
    reward: Tensor
    terminated: Tensor
    filled: Tensor
    q: Tensor
    q_taken: Tensor

    @property
    def at_rows(self) -> tuple[Rows, Tensor, Tensor, Tensor, Tensor]:
        rows = self.rows
        transitions = (self.reward, self.terminated, self.filled)
        packed = [rows.of_transitions(values) for values in transitions]
        return rows, packed[0], packed[1], packed[2], rows.at_end(rows.of_observations(self.q))

    @property
    def q_taken_rows(self) -> Tensor:
        return self.rows.of_transitions(self.q_taken)

    def compare(self, found: Tensor, member: int, episode: int, expected: list[Tensor]) -> None:
        """`found` (P, M, N) at the rows of one episode."""
        order = torch.argsort(torch.tensor(self.lengths), dim=1, descending=True, stable=True)
        rank = order[member].tolist().index(episode)
        for t, value in enumerate(expected):
            torch.testing.assert_close(found[member, self.rows.starts[t] + rank], value)


def task(lengths: Sequence[Sequence[int]], dtype: torch.dtype = torch.float64) -> Task:
    """Every other episode terminates, the rest are cut by the time limit."""
    g = torch.Generator().manual_seed(7)
    p, b = len(lengths), len(lengths[0])
    length = torch.tensor(lengths).unsqueeze(2)
    filled = torch.arange(N_STEPS) < length
    is_ended = (torch.arange(N_STEPS) == length - 1) & (torch.arange(b) % 2 == 0).unsqueeze(1)
    return Task(
        lengths=lengths,
        rows=pack_lengths(torch.tensor(lengths), N_STEPS, torch.device("cpu")),
        reward=torch.randn(p, b, N_STEPS, dtype=dtype, generator=g) * filled,
        terminated=is_ended,
        filled=filled,
        q=torch.randn(p, b, N_STEPS + 1, N_AGENTS, dtype=dtype, generator=g),
        q_taken=torch.randn(p, b, N_STEPS, N_AGENTS, dtype=dtype, generator=g),
    )


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("decay", [0.0, 0.6, 1.0])
def test_td_lambda_mixes_n_step_returns(lengths: list[list[int]], decay: float) -> None:
    """(1 - λ) Σ_n λ^{n-1} G^(n), the last one, to the episode's end, with all that remains of λ."""
    given = task(lengths)
    found = td_lambda_target(*given.at_rows, GAMMA, decay)
    for p, episodes in enumerate(lengths):
        for b, length in enumerate(episodes):
            expected = []
            for t in range(length):
                total = torch.zeros(N_AGENTS, dtype=torch.float64)
                for n in range(1, length - t + 1):
                    n_step = torch.zeros(N_AGENTS, dtype=torch.float64)
                    for k in range(n):
                        n_step = n_step + GAMMA**k * given.reward[p, b, t + k]
                    if not given.terminated[p, b, t + n - 1]:
                        n_step = n_step + GAMMA**n * given.q[p, b, t + n]
                    is_last = t + n == length
                    total += decay ** (n - 1) * (1.0 if is_last else 1 - decay) * n_step
                expected.append(total)
            given.compare(found, p, b, expected)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("decay", [0.0, 0.6, 1.0])
def test_q_lambda_sums_discounted_errors(lengths: list[list[int]], decay: float) -> None:
    """Q(s_t, u_t) + Σ_k (γλ)^k δ_{t+k}, δ = r + γ (1 - d) V(next) - Q(s, u)."""
    given = task(lengths)
    found = q_lambda_target(*given.at_rows, given.q_taken_rows, GAMMA, decay)
    for p, episodes in enumerate(lengths):
        for b, length in enumerate(episodes):
            expected = []
            for t in range(length):
                total = given.q_taken[p, b, t].clone()
                for k in range(t, length):
                    going_on = 0.0 if given.terminated[p, b, k] else GAMMA
                    one_step = given.reward[p, b, k] + going_on * given.q[p, b, k + 1]
                    total += (GAMMA * decay) ** (k - t) * (one_step - given.q_taken[p, b, k])
                expected.append(total)
            given.compare(found, p, b, expected)


def test_by_hand() -> None:
    """One episode, r = 1, 2, 4, cut after the third: λ = γ = ½, V = 8 everywhere, Q(u) = 6.

    One-step: 5, 6, 8. TD(λ): G₂ = 8, G₁ = 6 + ¼(8 - 8) = 6, G₀ = 5 + ¼(6 - 8) = 4.5.
    Q(λ): G₁ = 6 + ¼(8 - 6) = 6.5, G₀ = 5 + ¼(6.5 - 6) = 5.125.
    """
    rows = pack_lengths(torch.tensor([[3]]), 3, torch.device("cpu"))
    reward, q = torch.tensor([[1.0, 2.0, 4.0]]), torch.full((1, 3, 1), 8.0)
    never, always = torch.zeros(1, 3, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    td = td_lambda_target(rows, reward, never, always, q, 0.5, 0.5)
    assert td.flatten().tolist() == [4.5, 6.0, 8.0]
    corrected = q_lambda_target(rows, reward, never, always, q, q - 2, 0.5, 0.5)
    assert corrected.flatten().tolist() == [5.125, 6.5, 8.0]


@pytest.mark.parametrize("decay", [0.3, 1.0])
def test_recurrences_of_pymarl2(decay: float) -> None:
    """On padded episodes of full length; its Q(λ) also corrects the step itself."""
    given = task([[N_STEPS] * 4])
    r, d = given.reward[0].unsqueeze(2), given.terminated[0].unsqueeze(2).double()
    q, q_taken = given.q[0], given.q_taken[0]
    for is_corrected in (False, True):
        after = q[:, -1] * (1 - d.sum(dim=1))
        expected = torch.empty_like(q_taken)
        for t in reversed(range(N_STEPS)):
            own = q[:, t] - q_taken[:, t] if is_corrected else 0
            bootstrap = (1 - decay) * GAMMA * q[:, t + 1] * (1 - d[:, t])
            after = expected[:, t] = decay * GAMMA * after + r[:, t] + own + bootstrap
        if is_corrected:
            found = q_lambda_target(*given.at_rows, given.q_taken_rows, GAMMA, decay)
            found = found + given.rows.of_transitions(given.q[:, :, :-1] - given.q_taken)
        else:
            found = td_lambda_target(*given.at_rows, GAMMA, decay)
        torch.testing.assert_close(found, given.rows.of_transitions(expected.unsqueeze(0)))


@pytest.mark.parametrize("lengths", LENGTHS)
def test_no_trace_is_the_one_step_target_bit_by_bit(lengths: list[list[int]]) -> None:
    given = task(lengths, torch.float32)
    _, reward, terminated, _, q_next = given.at_rows
    expected = td_target(reward, terminated, q_next, GAMMA)
    assert torch.equal(td_lambda_target(*given.at_rows, GAMMA, 0.0), expected)
    corrected = q_lambda_target(*given.at_rows, given.q_taken_rows, GAMMA, 0.0)
    assert torch.equal(corrected, expected)


def test_targets_carry_no_gradient() -> None:
    given = task(RAGGED)
    given.q.requires_grad_()
    given.q_taken.requires_grad_()
    assert not td_lambda_target(*given.at_rows, GAMMA, 0.5).requires_grad
    target = q_lambda_target(*given.at_rows, given.q_taken_rows, GAMMA, 0.5)
    assert not target.requires_grad


def test_inputs_are_left_alone() -> None:
    given = task(FULL)
    before = [x.clone() for x in given.at_rows[1:]]
    at_rows, taken = given.at_rows, given.q_taken_rows
    td_lambda_target(*at_rows, GAMMA, 0.5)
    q_lambda_target(*at_rows, taken, GAMMA, 0.5)
    for x, kept in zip(at_rows[1:], before, strict=True):
        assert torch.equal(x, kept)
    assert torch.equal(taken, given.q_taken_rows)


def test_members_do_not_depend_on_each_other() -> None:
    together, alone = task(RAGGED, torch.float32), task(RAGGED, torch.float32)
    both = td_lambda_target(*together.at_rows, GAMMA, 0.6)
    for p in range(2):
        one = Task(
            [RAGGED[p]],
            pack_lengths(torch.tensor([RAGGED[p]]), N_STEPS, torch.device("cpu")),
            *(x[p : p + 1] for x in (alone.reward, alone.terminated, alone.filled)),
            alone.q[p : p + 1],
            alone.q_taken[p : p + 1],
        )
        found = td_lambda_target(*one.at_rows, GAMMA, 0.6)
        for t, (start, n) in enumerate(zip(one.rows.starts[:-1], one.rows.n_at, strict=False)):
            wide = together.rows.starts[t]
            real = one.at_rows[3][0, start : start + n]
            assert torch.equal(both[p, wide : wide + n][real], found[0, start : start + n][real])
