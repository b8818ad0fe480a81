"""Whatever is stored comes back as it was, drawn as it always was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import (
    EXTRA,
    FIELDS,
    LIMIT,
    PlainBuffer,
    assert_equal,
    episode,
    fill,
    length_of,
    write,
)

from suite.algorithms.buffers import EpisodeBuffer, Field

ALL = np.array([True])


def streams(n_members: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, m]) for m in range(n_members)]


@st.composite
def histories(draw):
    """Members, capacity, and rounds in which some members play one or several episodes."""
    n_members = draw(st.integers(1, 3))
    players = st.lists(st.integers(0, n_members - 1), min_size=1, max_size=4)
    rounds = draw(st.lists(st.tuples(players, st.integers(0, 2**32)), min_size=1, max_size=12))
    return n_members, draw(st.integers(1, 5)), rounds


@given(histories(), st.booleans())
@settings(deadline=None, max_examples=60)
def test_batches_are_those_of_plain_arrays(history, has_extra):
    n_members, capacity, rounds = history
    having = FIELDS | EXTRA if has_extra else FIELDS
    buffer = EpisodeBuffer(having, n_members, capacity, LIMIT)
    plain = PlainBuffer(having, n_members, capacity)
    draws, same_draws = streams(n_members), streams(n_members)
    for members, seed in rounds:
        played = fill(buffer, members, [seed + k for k in range(len(members))])
        for member, new in zip(members, played, strict=True):
            plain.add(member, new)
        assert buffer.n_added.tolist() == plain.n_added
        stored = [buffer.n_stored(m) for m in range(n_members)]
        assert stored == [len(places) for places in plain.places]
        for size in {1, max(stored)}:
            active = np.array([n >= size for n in stored])
            found = buffer.sample(size, draws, active, "cpu")
            assert_equal(found, plain.sample(size, same_draws, active))
            assert_equal(buffer.newest(size, active, "cpu"), plain.newest(size, active))


def test_members_keep_out_of_each_others_way():
    both, alone = EpisodeBuffer(FIELDS, 2, 4, LIMIT), EpisodeBuffer(FIELDS, 1, 4, LIMIT)
    for seed in range(6):
        fill(both, [0, 1], [seed, 100 + seed])
        fill(alone, [0], [seed])
    own = both.sample(3, streams(2), np.array([True, False]), "cpu")
    expected = alone.sample(3, streams(1), ALL, "cpu")
    assert torch.equal(own.actions[:1], expected.actions)
    assert torch.equal(own.reward[:1], expected.reward)
    assert not own.filled[1].any()


def test_slots_that_do_not_play_are_left_alone():
    buffer = EpisodeBuffer(FIELDS, 3, 4, LIMIT)
    writer = buffer.writer(np.arange(3), np.array([2, 0]), np.array([5, 6]))
    write(writer, 3, {2: episode(5), 0: episode(6)})
    assert buffer.n_added.tolist() == [1, 0, 1]
    batch = buffer.newest(1, np.array([True, False, True]), "cpu")
    assert batch.filled.sum(dim=2).flatten().tolist() == [length_of(6), 0, length_of(5)]


def test_fields_that_nobody_asked_for_are_not_stored():
    plain, extra = EpisodeBuffer(FIELDS, 1, 4, LIMIT), EpisodeBuffer(FIELDS | EXTRA, 1, 4, LIMIT)
    new = episode(9, having=FIELDS | EXTRA)
    for buffer in (plain, extra):
        write(buffer.writer(np.array([0]), np.array([0]), np.array([9])), 1, {0: new})
    assert plain.newest(1, ALL, "cpu").extra == {}
    assert plain.n_bytes() < extra.n_bytes()


def test_an_asked_for_field_that_is_not_given_is_an_error():
    buffer = EpisodeBuffer(FIELDS | EXTRA, 1, 4, LIMIT)
    writer = buffer.writer(np.array([0]), np.array([0]), np.array([9]))
    with pytest.raises(KeyError, match="memory"):
        write(writer, 1, {0: episode(9)})


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("state", np.zeros((2, 1), np.float32), r"state is \(2, 1\) float32, not \(2, 32\)"),
        ("state", np.zeros((1, 32), np.float32), r"state is \(1, 32\)"),
        ("state", np.zeros((2, 32), np.complex64), "complex64, not"),
        ("available_actions", np.zeros((2, 3, 5), np.float32), "float32, not"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name, array, message):
    whole = {n: np.zeros((2, *field.shape), field.dtype) for n, field in FIELDS.items()}
    writer = EpisodeBuffer(FIELDS, 2, 4, LIMIT).writer(np.arange(2), np.arange(2), np.arange(2))
    with pytest.raises(ValueError, match=message):
        writer.observe(0, np.arange(2), whole | {name: array})


def test_many_actions_are_stored_in_larger_integers():
    for n_actions in (256, 257, 40_000):
        having = FIELDS | {"available_actions": Field((3, n_actions), "bool")}
        buffer = EpisodeBuffer(having, 1, 2, LIMIT)
        new = episode(3, having=having)
        new.actions[0] = [0, n_actions - 1, n_actions - 2]
        write(buffer.writer(np.array([0]), np.array([0]), np.array([3])), 1, {0: new})
        found = buffer.newest(1, ALL, "cpu").actions
        assert found[0, 0].tolist() == new.actions.tolist()


@pytest.mark.parametrize("n_looks", [0, 1, 2])
def test_an_unfinished_episode_is_an_error(n_looks):
    """Not begun; seen and not acted in; without a look at what the last step led to."""
    buffer, slot, whole = EpisodeBuffer(FIELDS, 1, 4, LIMIT), np.array([0]), episode(1)
    writer = buffer.writer(slot, slot, np.array([1]))
    for t in range(n_looks):
        writer.observe(t, slot, {name: rows[t : t + 1] for name, rows in whole.arrays.items()})
        if t or n_looks == 2:
            writer.act(t, slot, whole.actions[:1], whole.reward[:1], whole.terminated[:1])
    with pytest.raises(ValueError, match="slot 0 was left unfinished"):
        buffer.sample(1, streams(1), ALL, "cpu")


def test_more_than_is_stored_cannot_be_had():
    buffer = EpisodeBuffer(FIELDS, 1, 4, LIMIT)
    fill(buffer, [0], [1])
    with pytest.raises(ValueError, match="larger sample"):
        buffer.sample(2, streams(1), ALL, "cpu")
    with pytest.raises(ValueError, match="member 0 has 1 episodes, not 2"):
        buffer.newest(2, ALL, "cpu")


def test_clear_forgets_all_and_starts_again():
    buffer, new = EpisodeBuffer(FIELDS, 1, 4, LIMIT), EpisodeBuffer(FIELDS, 1, 4, LIMIT)
    for seed in range(6):
        fill(buffer, [0], [seed])
    buffer.clear()
    assert (buffer.n_stored(0), buffer.n_added.tolist()) == (0, [0])
    for each in (buffer, new):
        for seed in (7, 8):
            fill(each, [0], [seed])
    assert_equal(buffer.sample(2, streams(1), ALL, "cpu"), new.sample(2, streams(1), ALL, "cpu"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"state": None}, "fields observations, available_actions"),
        ({"observations": None}, "fields"),
        ({"steps": Field((1,))}, "fields"),
        ({"observations": Field((4, 13))}, r"shapes \[\(4, 13\), \(3, 5\)\]"),
        ({"observations": Field((13,))}, "shapes"),
        ({"available_actions": Field((3, 5))}, "no bools"),
    ],
)
def test_fields_that_no_batch_could_hold_are_refused(changed, message):
    having = {name: field for name, field in (FIELDS | changed).items() if field}
    with pytest.raises(ValueError, match=message):
        EpisodeBuffer(having, 1, 4, LIMIT)
