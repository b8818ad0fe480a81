"""Agents of PyMARL's play as they would there; other files are one line with a cure."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pymarl_agent import PymarlAgent

from suite.environments import make
from suite.errors import StoredDataError
from suite.policies import find_policy
from suite.policies.evaluation import evaluation_seeds, play_episodes

NOWHERE = Path("no-runs")
State = dict[str, Any]
Call = Callable[..., tuple[int, str, str]]


@torch.no_grad()
def greedy_actions(agent: PymarlAgent, scenario: str, seeds: list[int]) -> list[np.ndarray]:
    """Actions (steps, agents) of each episode, one episode after the other, in plain torch."""
    environment = make(scenario, 1, seed=0)
    info, episodes = environment.info, []
    for seed in seeds:
        environment.reset(np.array([0]), np.array([seed]))
        last, hidden = torch.zeros(info.n_agents, info.n_actions), None
        actions: list[np.ndarray] = []
        is_over = False
        while not is_over:
            seen = torch.from_numpy(environment.observations[0])
            inputs = torch.cat([seen, last, torch.eye(info.n_agents)], dim=1)
            q, hidden = agent(inputs, hidden)
            q[~torch.from_numpy(environment.available_actions[0])] = -float("inf")
            chosen = q.argmax(dim=1)
            last = torch.nn.functional.one_hot(chosen, info.n_actions).float()
            actions.append(chosen.numpy())
            step = environment.step(actions[-1][None])
            is_over = bool(step.terminated[0] or step.truncated[0])
        episodes.append(np.array(actions))
    return episodes


@pytest.mark.parametrize("n_slots", [1, 30])
@pytest.mark.parametrize(
    ("scenario", "hidden"), [("skirmish/2s3z", 64), ("skirmish/3m", 17), ("matrix/two_step", 8)]
)
def test_it_plays_as_in_plain_torch(
    tmp_path: Path, scenario: str, hidden: int, n_slots: int
) -> None:
    """Few rows and many are computed by different kernels."""
    agent = PymarlAgent(scenario, hidden)
    expected = greedy_actions(agent, scenario, [7, 8, 9])
    policy = find_policy(str(agent.save(tmp_path / "agent.th")), scenario, NOWHERE, seed=0)
    environment = make(scenario, n_slots, seed=0)
    slots = np.zeros(1, np.int64)
    for seed, episode in zip([7, 8, 9], expected, strict=True):
        environment.reset(slots, np.array([seed]))
        choose = policy.actor(environment)
        active = np.arange(n_slots) == 0
        for t, actions in enumerate(episode):
            found = choose(t, slots)
            np.testing.assert_array_equal(found[0], actions)
            step = environment.step(found, active)
        assert step.terminated[0] or step.truncated[0]
    if scenario.startswith("skirmish"):  # or nothing would have been compared
        assert len(np.unique(np.concatenate(expected))) > 3


def test_its_evaluation_is_that_of_its_episodes(tmp_path: Path) -> None:
    agent = PymarlAgent("skirmish/3m")
    policy = find_policy(str(agent.save(tmp_path / "agent.th")), "skirmish/3m", NOWHERE, seed=0)
    seeds = evaluation_seeds(3, 5)
    outcomes = play_episodes("skirmish/3m", policy, seeds, lambda done: None)
    expected = greedy_actions(agent, "skirmish/3m", seeds.tolist())
    assert outcomes.length.tolist() == [len(episode) for episode in expected]


def test_names_and_words_tell_agents_apart(tmp_path: Path) -> None:
    policies = [
        find_policy(
            str(PymarlAgent("skirmish/3m", seed=seed).save(tmp_path / "agent.th")),
            "skirmish/3m",
            NOWHERE,
            seed=0,
        )
        for seed in (1, 2)
    ]
    assert policies[0].name != policies[1].name
    assert "64 hidden units" in policies[0].description


def test_files_of_old_torch_and_gpus_are_read(tmp_path: Path) -> None:
    """PyMARL's own environment has torch 0.4, which wrote no zip archives."""
    agent, path = PymarlAgent("skirmish/3m"), tmp_path / "agent.th"
    names = []
    for is_new in (True, False):
        torch.save(agent.state_dict(), path, _use_new_zipfile_serialization=is_new)
        assert zipfile.is_zipfile(path) == is_new
        names.append(find_policy(str(path), "skirmish/3m", NOWHERE, seed=0).name)
    assert names[0] == names[1]
    path.write_bytes(path.read_bytes().replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"))
    assert b"cuda:0" in path.read_bytes()
    assert find_policy(str(path), "skirmish/3m", NOWHERE, seed=0).name == names[0]


class Code:
    """Unpickled, it would leave a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("code-was-run",)


def put(content: object, **options: Any) -> Callable[[Path, State], object]:
    return lambda path, state: torch.save(content, path, **options)


def changed(**values: Any) -> Callable[[Path, State], object]:
    """The state with other tensors; None leaves one out, `_` in a name is the dot."""

    def craft(path: Path, state: State) -> None:
        others = {name.replace("__", "."): value for name, value in values.items()}
        torch.save({k: v for k, v in (state | others).items() if v is not None}, path)

    return craft


def zipped_anew(path: Path, state: State) -> None:
    """Eighty megabytes of zeros in eighty kilobytes."""
    torch.save(state | {"fc1.weight": torch.zeros(20_000_000)}, path)
    with zipfile.ZipFile(path) as old:
        entries = {entry: old.read(entry) for entry in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in entries.items():
            new.writestr(name, data)


DAMAGED = "the weights are damaged, or no agent file of PyMARL's"
LAYERS = "its layers are not those of PyMARL's recurrent agent"
FILES: dict[str, tuple[Callable[[Path, State], object], str]] = {
    "missing": (lambda path, state: None, "no such file; give an agent.th"),
    "a folder": (lambda path, state: path.mkdir(), "cannot be read: is a directory"),
    "a pipe": (lambda path, state: os.mkfifo(path), "cannot be read: is not a plain file"),
    "a device": (lambda path, state: path.symlink_to("/dev/zero"), "is not a plain file"),
    "empty": (lambda path, state: path.touch(), DAMAGED),
    "garbage": (lambda path, state: path.write_bytes(b"garbage" * 99), DAMAGED),
    "pickled code": (put({"fc1.weight": Code()}), DAMAGED),
    "pickled code of old torch": (put(Code(), _use_new_zipfile_serialization=False), DAMAGED),
    "a plain pickle": (lambda path, state: path.write_bytes(pickle.dumps(Code())), DAMAGED),
    "a bomb": (zipped_anew, DAMAGED),
    "nothing": (put(None), "not a dictionary of tensors"),
    "a number for a tensor": (changed(fc2__bias=1.0), "are not tensors by name"),
    "double": (changed(fc2__bias=torch.zeros(9).double()), "is not of dense float32 values"),
    "NaN": (changed(fc2__bias=torch.full((9,), torch.nan)), "values that are not finite"),
    "strides of 0": (
        changed(fc1__weight=torch.zeros(1).as_strided((1 << 20, 1 << 20), (0, 0))),
        "has more values than can be stored",
    ),
    "a layer missing": (changed(rnn__bias_hh=None), f"{LAYERS} (got ['rnn.bias_hh'])"),
    "a layer more": (changed(fc3__bias=torch.zeros(9)), f"{LAYERS} (got ['fc3.bias'])"),
    "no layer": (put({"a": torch.zeros(1)}), LAYERS),
    "other inputs": (
        changed(fc1__weight=torch.zeros(64, 40)),
        "fc1.weight is for other inputs: skirmish/3m has 30 + 9 + 3 = 42 inputs (observation, last "
        "action, agent number) (got [64, 40])",
    ),
    "other actions": (
        changed(fc2__weight=torch.zeros(12, 64), fc2__bias=torch.zeros(12)),
        "fc2.weight is for other actions: skirmish/3m has 9 (got [12, 64])",
    ),
    "a number for a matrix": (changed(fc1__weight=torch.zeros(())), "for other inputs"),
    "a gate missing": (
        changed(rnn__weight_hh=torch.zeros(128, 64)),
        "rnn.weight_hh should have shape (192, 64) (got [128, 64])",
    ),
    "no hidden units": (
        changed(
            fc1__weight=torch.zeros(0, 42),
            fc1__bias=torch.zeros(0),
            rnn__weight_ih=torch.zeros(0, 0),
            rnn__weight_hh=torch.zeros(0, 0),
            rnn__bias_ih=torch.zeros(0),
            rnn__bias_hh=torch.zeros(0),
            fc2__weight=torch.zeros(9, 0),
        ),
        "a hidden layer of a width that we do not offer (got 0)",
    ),
    "values that overflow": (
        lambda path, state: torch.save(
            {k: torch.full_like(v, 3e38 if "fc2" in k else -1) for k, v in state.items()}, path
        ),
        "the values that the networks give to actions overflow",
    ),
}


@pytest.mark.parametrize("command", ["evaluate", "watch"])
@pytest.mark.parametrize(("craft", "words"), FILES.values(), ids=FILES)
def test_everything_else_is_one_line_with_a_cure(
    call: Call,
    tmp_path: Path,
    craft: Callable[[Path, State], object],
    words: str,
    command: str,
    recwarn: pytest.WarningsRecorder,
) -> None:
    path = tmp_path / "agent.th"
    craft(path, PymarlAgent("skirmish/3m").state_dict())
    before = sorted(tmp_path.iterdir())
    recwarn.clear()
    code, out, err = call(command, "3m", "--policy", str(path))
    assert not [warning for warning in recwarn if issubclass(warning.category, UserWarning)]
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert words in err
    assert str(path) in err
    assert "give an agent.th" in err
    assert sorted(tmp_path.iterdir()) == before  # no page, and no code was run


def test_too_large_a_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "agent.th"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(StoredDataError, match="is larger than"):
        find_policy(str(path), "skirmish/3m", NOWHERE, seed=0)


def test_the_commands_play_it(call: Call, tmp_path: Path) -> None:
    PymarlAgent("skirmish/3m").save(tmp_path / "agent.th")
    code, out, err = call("evaluate", "3m", "--policy", "agent.th", "--episodes", "4", "--json")
    assert (code, err) == (0, "")
    name = json.loads(out)["policy"]["name"]
    code, out, err = call("watch", "3m", "--policy", "agent.th")
    page = tmp_path / "runs" / "replays" / f"3m-{name}-seed0.html"
    assert (code, out, err) == (0, f"{page}\n", "")
    assert "64 hidden units" in page.read_text()
