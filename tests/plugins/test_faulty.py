"""What is wrong with a plug-in that loads is said in one line, before it trains anything wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from installed import ENTRY_POINTS, OUTSIDE, ROOT, call, install

STUDY = """
format = 1
name = "faulty"
question = "Is it noticed?"
default_profile = "small"
[arms.one]
{arm}
[profiles.small]
description = "small"
scenarios = ["agreeing/pair"]
arms = ["one"]
seeds = [1]
[profiles.small.training]
total_env_steps = 60
test_interval_env_steps = 50
{batch}
"""
MIXER = 'framework = "ctde"\nbackbone = "weighted"'
COUNTING = 'framework = "counting"\nbackbone = "alone"'
BATCH = "batch_size_episodes = 8"


def wrong(tmp_path: Path, command: str, arm: str, *changes: tuple[str, str]) -> str:
    """The one line on standard error of a command whose plug-ins have these changes."""
    site = tmp_path / "site"
    install(site, "toys", ENTRY_POINTS)
    sources = {path.name: path.read_text() for path in OUTSIDE.glob("*.py")}
    for old, new in changes:
        (name,) = [name for name, text in sources.items() if old in text]
        sources[name] = sources[name].replace(old, new)
    for name, text in sources.items():
        (site / name).write_text(text)
    batch = BATCH if arm == MIXER else ""
    (tmp_path / "study.toml").write_text(STUDY.format(arm=arm, batch=batch))
    done = call(tmp_path, "suite", command, "study.toml")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            [
                (
                    "inputs.q_taken.sum(dim=2, keepdim=True) + v",
                    "inputs.q_taken.sum(dim=2) + v[..., 0]",
                )
            ],
            "mixer weighted: q has shape (1, 8), must be (1, 8, 1);",
        ),
        (
            [("keepdim=True) + v)", "keepdim=True) + v, row_penalty=v)")],
            "mixer weighted: row_penalty has shape (1, 8, 1), must be (1, 8);",
        ),
        (
            [("return Mixed(self.scale", "return (self.scale")],
            "mixer weighted: mix gives Tensor, must be a Mixed;",
        ),
        (
            [(", WeightedMixer)\nCLASH", ", WeightedMixer, is_mixing=False)\nCLASH")],
            "mixer weighted: q has shape (1, 8, 1), must be (1, 8, 2);",
        ),
    ],
)
def test_what_a_mixer_gives(tmp_path: Path, changes: list[tuple[str, str]], expected: str) -> None:
    assert expected in wrong(tmp_path, "run", MIXER, *changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            [("self.value.amax(dim=(1, 2))", "self.value.amax()")],
            "update of counting on alone: best has shape (), must be (1,);",
        ),
        (
            [("return active, {", "return active[:, None], {")],
            "update of counting on alone: which were updated has shape (1, 1), must be (1,);",
        ),
        (
            [("np.ones((n, info.n_agents, 1), np.float32)", "np.ones((n, info.n_agents, 1))")],
            "backend agreeing: agreeing/pair: observations are float64 (1, 2, 1), must be float32",
        ),
        (
            [("self.state = np.ones((n, 1)", "self.state = np.ones((n, 4)")],
            "agreeing/pair: state are float32 (1, 4), must be float32 (1, 1);",
        ),
        (
            [("Mapping[str, NDArray[np.float32]] = {}", 'dict = {"far": self.observations}')],
            "agreeing/pair: gives other extra_observations than none",
        ),
        (
            [
                (
                    "return Agreeing(self.describe(scenario), n_env",
                    "return Agreeing(self.describe(scenario), 1 + n_env",
                )
            ],
            "agreeing/pair: makes other environments than 1 of what it describes",
        ),
    ],
)
def test_what_methods_and_backends_give(
    tmp_path: Path, changes: list[tuple[str, str]], expected: str
) -> None:
    assert expected in wrong(tmp_path, "run", COUNTING, *changes)


def test_a_version_is_a_text(tmp_path: Path) -> None:
    said = wrong(tmp_path, "plan", COUNTING, ('backend_version="7"', "backend_version=7"))
    assert "agreeing/pair: backend_version: not a text (got 7);" in said


@pytest.mark.parametrize(
    ("framework", "layer"),
    [("ctde", "encoder"), ("ctds", "head"), ("igm_da", "head"), ("cadp", "advice")],
)
def test_two_layers_of_one_name_are_refused_when_planning(
    tmp_path: Path, framework: str, layer: str
) -> None:
    own = ('linear_specs("value", ', f'linear_specs("{layer}", ')
    arm = MIXER.replace("ctde", framework)
    if framework in ("ctds", "igm_da"):
        arm += '\nprivileged = "observation_and_state"'
    said = wrong(tmp_path, "plan", arm, own)
    what = f"two layers of agents and mixer are called {layer}.weight (got 'weighted');"
    assert what in said
    assert "arms.one.backbone" in said


def test_the_contract_finds_returns_out_of_bounds(tmp_path: Path) -> None:
    """Reports would leave out every run."""
    site = tmp_path / "site"
    install(site, "toys", ENTRY_POINTS)
    for path in OUTSIDE.glob("*.py"):
        text = path.read_text().replace("return 0.0, 1.0", "return 0.0, 0.5")
        (site / path.name).write_text(text)
    contract = str(ROOT / "tests" / "environments" / "test_contract.py")
    done = call(tmp_path, "pytest", contract, "-k", "agreeing and bounds", "-p", "no:cacheprovider")
    assert done.returncode == 1, done.stdout
    assert "return_bounds: 1.0 is above 0.5" in done.stdout
