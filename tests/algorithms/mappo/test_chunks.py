"""Episodes cut into chunks; the teams the release makes of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from episodes import SMALL
from played import played

from suite.algorithms.mappo.cadp import CadpActor
from suite.algorithms.mappo.chunks import Chunks, Cutter
from suite.algorithms.mappo.released_teams import released_teams
from suite.algorithms.mappo.settings import CadpMappoSettings
from suite.algorithms.parameters import Parameters
from suite.algorithms.rows import Rows

LENGTHS = [[7, 2, 6], [3, 3, 1]]


def labelled() -> tuple[Rows, Cutter, torch.Tensor]:
    """A cutter, and for each observation row 100 · episode + time."""
    rows, batch, _ = played(LENGTHS, 8)
    p, b, t = batch.filled.shape
    label = 100 * torch.arange(b).view(1, b, 1) + torch.arange(t + 1)
    return rows, Cutter(rows, batch.filled, 3), rows.of_observations(label.expand(p, b, t + 1))


def sequences(chunks: Chunks, label: torch.Tensor, member: int) -> list[list[int]]:
    """Labels of each chunk's rows, in order of time."""
    found: dict[int, list[int]] = {}
    own = chunks.of_transitions(label)[member]
    for start, n in zip(chunks.rows.starts, chunks.rows.n_at, strict=True):
        for rank in range(n):
            if chunks.is_real[member, start + rank]:
                found.setdefault(rank, []).append(int(own[start + rank]))
    return list(found.values())


CUT = [
    [[0, 1, 2], [3, 4, 5], [6], [100, 101], [200, 201, 202], [203, 204, 205]],
    [[0, 1, 2], [100, 101, 102], [200]],
]


@pytest.mark.parametrize("member", [0, 1])
def test_every_transition_is_in_one_chunk(member: int) -> None:
    _, cutter, label = labelled()
    assert sorted(sequences(cutter.pack(), label, member)) == CUT[member]
    assert cutter.count() == [6, 3]


def test_chunks_start_from_the_state_before_them() -> None:
    _, cutter, label = labelled()
    chunks = cutter.pack()
    hidden = (label + 1.0).unsqueeze(2)
    found = chunks.initial(hidden)[0, :, 0].tolist()
    first = [own[0] for own in sequences(chunks, label, 0)]
    expected = {0: 0, 3: 3, 6: 6, 100: 0, 200: 0, 203: 203}  # label of the row before, plus 1
    assert found == [expected[label] for label in first]


def test_minibatches_share_the_chunks_out() -> None:
    _, cutter, label = labelled()
    orders = [torch.tensor([5, 0, 3, 1, 2, 4]), torch.tensor([2, 0, 1])]
    parts = [cutter.pack(part) for part in cutter.split(2, orders)]
    numbered = [[sorted(sequences(part, label, m)) for part in parts] for m in range(2)]
    assert numbered[0] == [sorted(CUT[0][k] for k in own) for own in ([5, 0, 3], [1, 2, 4])]
    # Three chunks in two parts of equal size: one is left over.
    assert numbered[1] == [[CUT[1][2]], [CUT[1][0]]]


def teams_of(
    is_recurrent: bool, seeds: tuple[int, int] = (0, 1)
) -> tuple[Chunks, torch.Tensor, torch.Tensor]:
    _, cutter, label = labelled()
    chunks = cutter.pack()
    generators = [np.random.default_rng(seed) for seed in seeds]
    return chunks, chunks.of_transitions(label), released_teams(chunks, 3, is_recurrent, generators)


@pytest.mark.parametrize("is_recurrent", [True, False])
def test_released_teams_mix_episodes_and_times(is_recurrent: bool) -> None:
    chunks, label, order = teams_of(is_recurrent)
    for member in range(2):
        assert sorted(order[member].tolist()) == list(range(order.shape[1]))
        row, agent = order[member].view(-1, 3) // 3, order[member].view(-1, 3) % 3
        is_real = chunks.is_real[member]
        assert torch.equal(is_real[row], is_real.unsqueeze(1).expand(-1, 3))
        true_team = (row == row[:, :1]).all(dim=1) & (agent.sort(dim=1)[0] == torch.arange(3)).all(
            1
        )
        assert true_team[~is_real].all()
        assert true_team[is_real].float().mean() < 0.2
        step = label[member] % 100 % 3
        is_same_step = (step[row] == step[row[:, :1]]).all(dim=1)[is_real]
        assert bool(is_same_step.all()) is is_recurrent


def test_released_chunks_stay_whole() -> None:
    """The team-mates of a chunk are the same at each of its steps."""
    rows, batch, _ = played([[6, 6, 6]], 6)
    chunks = Cutter(rows, batch.filled, 3).pack()
    order = released_teams(chunks, 3, True, [np.random.default_rng(0)])[0]
    steps = order.view(3, -1) - torch.tensor(chunks.rows.starts).unsqueeze(1) * 3
    assert torch.equal(steps[0], steps[1])
    assert torch.equal(steps[0], steps[2])


@pytest.mark.parametrize("is_recurrent", [True, False])
def test_released_teams_are_each_members_own(is_recurrent: bool) -> None:
    left, right = teams_of(is_recurrent)[2], teams_of(is_recurrent, (7, 1))[2]
    assert not torch.equal(left[0], right[0])
    assert torch.equal(left[1], right[1])


def test_advice_comes_from_the_team_given() -> None:
    settings = CadpMappoSettings(is_recurrent=False, action_gain=1.0)
    actor = CadpActor(settings, SMALL)
    parameters = Parameters(actor.specs, 2)
    parameters.initialise([0, 1])
    chunks, _, order = teams_of(False)
    k = chunks.is_real.shape[1]
    x = torch.rand(2, k, 3, SMALL.input_size, generator=torch.Generator().manual_seed(0))
    found = actor.unroll(parameters.weights, actor.prepare(x), chunks.rows, None, order)
    regrouped = x.flatten(1, 2).gather(1, order.unsqueeze(2).expand(-1, -1, x.shape[3]))
    expected = actor.unroll(
        parameters.weights, actor.prepare(regrouped.unflatten(1, (k, 3))), chunks.rows
    )
    back = order.argsort(dim=1).unsqueeze(2).expand(-1, -1, SMALL.n_actions)
    torch.testing.assert_close(
        found.logits.flatten(1, 2), expected.logits.flatten(1, 2).gather(1, back)
    )
    torch.testing.assert_close(found.self_attention, expected.self_attention)
