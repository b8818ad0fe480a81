"""Both forms of a buffer's part of a checkpoint: they come back, and nothing else is taken."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import (
    EXTRA,
    FIELDS,
    LIMIT,
    N_ACTIONS,
    assert_equal,
    episode,
    fill,
    length_of,
    play_again,
)

from suite.algorithms.buffers import EpisodeBuffer

HAVING = FIELDS | EXTRA
BOTH = np.array([True, True])


def filled(rounds: int = 70, capacity: int = 66) -> EpisodeBuffer:
    """Member 0 plays in every round and has overwritten some; member 1 plays in every other."""
    buffer = EpisodeBuffer(HAVING, 2, capacity, LIMIT)
    for k in range(rounds):
        members = [0, 1] if k % 2 else [0]
        fill(buffer, members, [k, 1000 + k][: len(members)])
    return buffer


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def never(*_: object) -> None:
    raise AssertionError("played again")


def check_same(a: EpisodeBuffer, b: EpisodeBuffer) -> None:
    """Now, and after as many more episodes as overwrite the middle of the ring."""
    for k in range(3):
        assert a.n_added.tolist() == b.n_added.tolist()
        batches = [
            x.sample(20, [np.random.default_rng([k, m]) for m in range(2)], BOTH, "cpu")
            for x in (a, b)
        ]
        assert_equal(*batches)
        assert_equal(a.newest(20, BOTH, "cpu"), b.newest(20, BOTH, "cpu"))
        for x in (a, b):
            fill(x, [0, 1, 1], [7000 + k, 8000 + k, 9000 + k])


@pytest.mark.parametrize("replays_exactly", [True, False])
def test_a_state_comes_back(replays_exactly):
    buffer = filled()
    state = through_a_file(buffer.state_dict(replays_exactly=replays_exactly))
    back = EpisodeBuffer(HAVING, 2, 66, LIMIT)
    fill(back, [0, 1], [1, 2])  # these are forgotten
    back.load_state_dict(state, play_again if replays_exactly else never)
    assert back.n_bytes() <= buffer.n_bytes()  # no rows of episodes that were played again
    check_same(buffer, back)


@pytest.mark.parametrize("replays_exactly", [True, False])
def test_an_empty_state_comes_back(replays_exactly):
    empty = EpisodeBuffer(HAVING, 2, 66, LIMIT).state_dict(replays_exactly=replays_exactly)
    buffer = filled()
    buffer.load_state_dict(through_a_file(empty), never)
    assert buffer.n_added.tolist() == [0, 0]
    assert through_a_file(empty)["n_added"].tolist() == [0, 0]


def test_a_state_by_seeds_holds_seeds_and_actions_of_real_steps_only():
    buffer = filled()
    state = buffer.state_dict(replays_exactly=True)
    seeds = [*range(4, 70), *range(1001, 1070, 2)]
    assert state["episode_seed"].tolist() == seeds
    assert state["length"].tolist() == [length_of(seed) for seed in seeds]
    assert state["actions"].shape == (sum(map(length_of, seeds)), 3)
    assert state["actions"].dtype == torch.uint8


@pytest.mark.parametrize("replays_exactly", [True, False])
def test_a_state_is_not_changed_by_what_comes_after(replays_exactly):
    buffer, same = filled(), filled()
    state = buffer.state_dict(replays_exactly=replays_exactly)
    for k in range(100):
        fill(buffer, [0, 1], [k + 300, k + 500])
    buffer.load_state_dict(state, play_again)
    check_same(buffer, same)


def test_episodes_that_play_out_in_another_way_are_refused():
    def other_rewards(member, seeds, actions, writer):
        play_again(member, seeds, actions + (actions == 2), writer)

    def other_lengths(member, seeds, actions, writer):
        play_again(member, seeds + (seeds == 10), actions, writer)

    state = filled().state_dict(replays_exactly=True)
    for play in (other_rewards, other_lengths):
        with pytest.raises(ValueError, match="do not play out as they did"):
            EpisodeBuffer(HAVING, 2, 66, LIMIT).load_state_dict(state, play)


def _without(name):
    return lambda state: state.pop(name)


def _with(name, change):
    return lambda state: state.update({name: change(state[name])})


def _first(change):
    """Change the first value of a tensor."""

    def changed(tensor):
        tensor = tensor.clone()
        tensor.view(-1)[0] = change
        return tensor

    return changed


BAD_EITHER = [
    (_without("n_added"), "entries"),
    (_with("n_added", lambda t: t[:1]), "entry of"),
    (_with("n_added", _first(-1)), "negative"),
    (_with("n_added", _first(65)), "entry of"),
    (_with("n_added", lambda t: t.to(torch.int32)), "entry of"),
    (_with("length", _first(0)), "1 to 7 steps"),
    (_with("length", _first(LIMIT + 1)), "1 to 7 steps"),
    (_with("length", lambda t: t[1:]), "entry of"),
    (_with("episode_seed", lambda t: t.double()), "entry of"),
    (_with("episode_seed", lambda t: t.to_sparse()), "no plain tensor"),
    (_with("episode_seed", lambda t: t.tolist()), "no plain tensor"),
]
BAD_SEEDS = [
    (_with("actions", _first(N_ACTIONS)), "none of 5"),
    (_with("actions", lambda t: t[1:]), "entry of"),
    (_with("actions", lambda t: t.to(torch.int64)), "entry of"),
    (_with("total_reward", lambda t: t.float()), "entry of"),
    (_with("total_reward", _first(1e9)), "do not play out"),
]
BAD_BLOCKS = [
    (_with("blocks", tuple), "number of blocks"),
    (_with("blocks", lambda b: b[1:]), "number of blocks"),
    (_with("blocks", lambda b: [b[0].float(), *b[1:]]), "entry of"),
    (_with("blocks", lambda b: [b[0][None], *b[1:]]), "entry of"),
    (_with("blocks", lambda b: [None, *b[1:]]), "no plain tensor"),
    (_with("blocks", lambda b: [b[0][:0], *b[1:]]), "no episode"),
    (_with("blocks", lambda b: [b[0][:-1], *b[1:]]), "no episode"),
    (_with("blocks", lambda b: [torch.cat([b[0], b[0][:1]]), *b[1:]]), "longer"),
]


@pytest.mark.parametrize(
    ("replays_exactly", "spoil", "message"),
    [(True, *case) for case in BAD_EITHER + BAD_SEEDS]
    + [(False, *case) for case in BAD_EITHER + BAD_BLOCKS],
)
def test_what_does_not_fit_is_refused(replays_exactly, spoil, message):
    state = dict(filled().state_dict(replays_exactly=replays_exactly))
    spoil(state)
    with pytest.raises(ValueError, match=message):
        EpisodeBuffer(HAVING, 2, 66, LIMIT).load_state_dict(state, play_again)


def test_a_state_of_other_fields_is_refused():
    state = filled().state_dict(replays_exactly=False)
    with pytest.raises(ValueError, match="longer than its episode"):
        EpisodeBuffer(FIELDS, 2, 66, LIMIT).load_state_dict(state, never)


def block_of_one_step() -> tuple[dict[str, Any], np.ndarray]:
    """A state of one episode, seed 4 (one step), and the words of its only block."""
    buffer = EpisodeBuffer(HAVING, 1, 1, LIMIT)
    fill(buffer, [0], [4])
    state = through_a_file(buffer.state_dict(replays_exactly=False))
    return state, state["blocks"][0].numpy()


# One step: a mask of two words (reward; actions and terminated in one), then the words changed.
@pytest.mark.parametrize(
    ("word", "value", "message"),
    [
        (2, 5, "none of 5"),
        (2, 2 << 24, "steps with bools"),
        (0, 1 << 2, "no episode"),  # a third word has changed, of two
    ],
)
def test_words_that_no_episode_has_are_refused(word, value, message):
    state, words = block_of_one_step()
    assert words[0] == 3
    words[word] = value
    with pytest.raises(ValueError, match=message):
        EpisodeBuffer(HAVING, 1, 1, LIMIT).load_state_dict(state, never)


def test_bools_that_are_neither_are_refused():
    state, words = block_of_one_step()
    alive = episode(4, having=HAVING).arrays["alive"]
    assert (alive[0] != alive[1]).any()  # so the last word is the new value of `alive`
    words[-1] = 2
    with pytest.raises(ValueError, match="alive with bools"):
        EpisodeBuffer(HAVING, 1, 1, LIMIT).load_state_dict(state, never)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 31)), min_size=1, max_size=4))
@settings(deadline=None, max_examples=300)
def test_damaged_blocks_are_refused_or_harmless(flips):
    state, words = block_of_one_step()
    for place, bit in flips:
        words[place % len(words)] ^= np.int32(np.uint32(1 << bit).view(np.int32))
    buffer = EpisodeBuffer(HAVING, 1, 1, LIMIT)
    try:
        buffer.load_state_dict(state, never)
    except ValueError:
        return
    batch = buffer.newest(1, np.array([True]), "cpu")
    assert batch.actions.shape == (1, 1, 1, 3)
    assert ((batch.actions >= 0) & (batch.actions < N_ACTIONS)).all()
    for flags in (batch.available_actions, batch.terminated, batch.extra["alive"]):
        assert (flags.view(torch.uint8) <= 1).all()
