"""Order of difficulty: ranks over maps, seeds averaged, and a file of published win rates."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from order_of_difficulty import correlation, finals, read_published

from suite.errors import InputError
from suite.runs.metrics import RETURN, WIN_RATE, test_key

RATES = [100.0, 80.0, 60.0, 40.0, 20.0, 0.0]


def record(name: str, won: list[float], returns: list[float]) -> Any:
    steps = 1000 * np.arange(1, len(won) + 1)
    return SimpleNamespace(
        provenance={"environment_version": "4"},
        scenario=f"skirmish/{name}",
        arm="qmix",
        histories={
            test_key(WIN_RATE, "decentralised"): (steps, np.array(won)),
            test_key(RETURN, "decentralised"): (steps, np.array(returns)),
            "loss": (steps, np.array(won)),
        },
    )


def test_the_same_order_ranks_one_and_seldom_by_chance() -> None:
    same = correlation([9.0, 8.0, 7.0, 6.0, 5.0, 4.0], RATES)
    assert same["rank"] == pytest.approx(1.0)
    assert same["chance"] == pytest.approx(1 / 720, abs=1e-6)  # all orders are tried
    assert correlation([4.0, 5.0, 6.0, 7.0, 8.0, 9.0], RATES)["rank"] == pytest.approx(-1.0)
    nothing = correlation([0.0] * 6, RATES)
    assert np.isnan(nothing["rank"])
    assert np.isnan(nothing["chance"])


def test_the_last_third_of_the_tests_counts_for_every_seed() -> None:
    runs = [
        record("3m", [0.0, 0.0, 0.0, 0.0, 0.5, 1.0], [1, 2, 3, 4, 10, 20]),
        record("3m", [0.0, 0.0, 0.0, 0.0, 0.0, 0.5], [1, 2, 3, 4, 4, 6]),
        record("8m", [0.25], [2.0]),
    ]
    found = finals(runs)
    assert found["qmix/decentralised", "3m", "4"] == {
        WIN_RATE: [0.75, 0.25],
        RETURN: [15.0, 5.0],
        "steps": [6000.0, 6000.0],
    }
    assert found["qmix/decentralised", "8m", "4"][WIN_RATE] == [0.25]


def test_published_rates_are_read_by_map(tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    path.write_text("\ufeffmap,win_rate,source\n3m,97,x\nskirmish/8m,95.5,y\n", "utf-8")
    assert read_published(path) == {"3m": 97.0, "8m": 95.5}


@pytest.mark.parametrize("line", ["3m,none", "3m,101", "3m,nan", ",5", "8m,1\n8m,2", "3m"])
def test_what_is_no_win_rate_is_said_with_its_line(line: str, tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    path.write_text(f"map,win_rate\n{line}\n")
    with pytest.raises(InputError, match="line"):
        read_published(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing"),
        ("Map;win_rate\n3m;97\n", "Map;win_rate"),
        ("map,win_rate\n", "no win rates"),
    ],
)
def test_a_file_without_columns_or_lines_is_said_to_be_so(
    text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "published.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_published(path)


def test_folders_without_runs_are_said_to_be_so(call: Any, tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    path.write_text("map,win_rate\n3m,97\n")
    code, _, said = call("order_of_difficulty", tmp_path, "--published", path)
    assert code == 2
    assert "nothing has been run here" in said
    code, _, said = call("order_of_difficulty", tmp_path, "--published", tmp_path / "none.csv")
    assert code == 2
    assert "no such file" in said
