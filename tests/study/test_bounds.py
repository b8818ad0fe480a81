"""Study files without measure: refused in one short line, before they take time or memory."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suite.errors import InputError
from suite.runs.spec import RunSpec
from suite.study.checks import check_study
from suite.study.definition import StudyDefinition
from suite.study.load import load_study
from suite.study.plan import expand

FORMAT, NAME = "format = 1\n", 'name = "example"'
DESCRIPTION, DEVIATIONS = '"for tests"', '["everything is smaller"]'
BACKBONE, SEEDS = 'backbone = "qmix"\n', "seeds = [1, 2]"
STEPS, START = "total_env_steps = 1000", "pruning_start_fraction = [0.5]"
MISSING = '"skirmish/corridor" = "not built yet"'
LONG_LIST = "[" + ", ".join(map(str, range(1, 1001))) + "]"

QUOTED_PARTS = " . ".join([r'"a\"."', "'b'"] * 600)


def numbers(count: int) -> str:
    return ", ".join(map(str, range(count)))


# replacements → what the line must contain.
HOSTILE = {
    "integer of 5,000 digits": ([(SEEDS, f"seeds = [1{'0' * 5000}]")], "line 19: a number of thou"),
    "hexadecimal of 5,000 digits": ([(SEEDS, f"seeds = [0x{'f' * 5000}]")], "seeds[0]: out of ran"),
    "format of 5,000 digits": (
        [(FORMAT, f"format = 0x{'f' * 5000}\n")],
        "format: unknown study fo",
    ),
    "format as a fraction": ([(FORMAT, "format = 1.0\n")], "(got 1.0); this version reads format"),
    "steps of 1e400": ([(STEPS, "total_env_steps = 1e400")], "total_env_steps: not a finite num"),
    "steps of 10^13": ([(STEPS, "total_env_steps = 1" + "0" * 13)], "equal to 1,000,000,000,000"),
    "T of 10^20": (
        [(START, f"pruning_start_env_steps = [1{'0' * 20}]")],
        "pruning_start_env_steps[0]: out of range (got 100000000000000000000)",
    ),
    "learning rate of 10^400": (
        [(BACKBONE, f"{BACKBONE}learning_rate = 1{'0' * 400}\n")],
        "arms.qmix.learning_rate: out of range",
    ),
    "learning rate beyond float32": (
        [(BACKBONE, BACKBONE + "learning_rate = 1e300\n")],
        "(got 1e+300); it must be less than or equal to 1e+30",
    ),
    "learning rate that float32 rounds to 0": (
        [(BACKBONE, BACKBONE + "learning_rate = 1e-300\n")],
        "(got 1e-300); it must be greater than or equal to 1e-30",
    ),
    "width": ([(BACKBONE, BACKBONE + "hidden_size = 100000\n")], "less than or equal to 4,096"),
    "boolean for a choice of numbers": (
        [(BACKBONE, BACKBONE + "hypernet_layers = true\n")],
        "(got True); give a whole number",
    ),
    "alpha beyond its parameter in Optuna": (
        [(START, START + "\nalpha = [1e10]")],
        "alpha[0]: out of range (got 10000000000.0); it must be less than or equal to 1e+09",
    ),
    "tests beyond memory": ([(STEPS, f"{STEPS}\nn_test_episodes = 1000000")], "equal to 10,000"),
    "buffer beyond memory": (
        [
            ('"skirmish/3m"]', '"skirmish/25m"]'),
            (STEPS, f"{STEPS}\nbuffer_size_episodes = 1000000"),
        ],
        "a terabyte holds 291,261 of skirmish/25m",
    ),
    "date for a text": ([(DESCRIPTION, "2026-01-01")], "(got 2026-01-01); give a text in quotes"),
    "moment for a text": ([(DESCRIPTION, "2026-01-01T10:00:00Z")], "give a text in quotes"),
    "time for a text": (
        [(DEVIATIONS, "[10:00:00]")],
        "deviations[0]: of the wrong type (got 10:00",
    ),
    "more seeds than a plan has runs": (
        [(SEEDS, f"seeds = [{numbers(100_001)}]")],
        "at most 100,000",
    ),
    "1,200 parts": (
        [(FORMAT, f"{FORMAT}{'.'.join('a' * 1200)} = 1\n")],
        "line 2: a key of more tha",
    ),
    "100,000 parts in an inline table": (
        [(FORMAT, f"{FORMAT}x = {{ b = 1, {'.'.join('a' * 100_000)} = 1 }}\n")],
        "line 2: a key of more than 32 parts",
    ),
    "1,200 quoted parts": (
        [("[arms.qmix]", f"[{QUOTED_PARTS}]\n[arms.qmix]")],
        "line 6: a key of more than 32 parts",
    ),
    "30 parts": (
        [(FORMAT, f"{FORMAT}{'.'.join('a' * 30)} = 1\n")],
        ": a.a.a.a.a.a.a.a…: nested too",
    ),
    "lists in lists": ([(SEEDS, f"seeds = {'[' * 5000}{']' * 5000}")], "nested too deeply"),
    "tables in tables": ([(SEEDS, f"seeds = {'{a=' * 100}1{'}' * 100}")], "nested too deeply"),
    "text of a megabyte": ([(DESCRIPTION, f'"{"x" * 900_000}"')], "use at most 5,000 characters"),
    "name of a megabyte": ([(NAME, f'name = "{"x" * 900_000}"')], ": name: too long (got 'xxx"),
    "key of a megabyte": ([(FORMAT, f"{FORMAT}{'x' * 900_000} = 1\n")], "top level: unknown key"),
    "key of a megabyte, twice": (
        [(FORMAT, f"{FORMAT}[{'x' * 400_000}]\n[{'x' * 400_000}]\n")],
        "not valid TOML: Cannot declare",
    ),
    "escapes in a key": (
        [(MISSING, r'"\u001b[2J\u0000\n\u202e" = 1')],
        r'missing_scenarios."\x1b[2J\x00\n\u202e": of the wrong type (got 1)',
    ),
    "endless key with a fault below": (
        [(MISSING, '"' + r"\u202e" * 50_000 + '" = "x"')],
        r'missing_scenarios."\u202e\u202e',
    ),
    "escapes in a name": ([(NAME, r'name = "\u001b[2J"')], r"not a usable name (got '\x1b[2J')"),
    "key called [key]": (
        [(FORMAT, f'{FORMAT}"[key]" = 1\n')],
        "top level: unknown key (got '[key]')",
    ),
    "misspelt key of an arm called training": (
        [
            (
                "[arms.qmix]",
                '[arms.training]\nframework = "ctde"\nbackbone = "vdn"\ngama = 1\n[arms.qmix]',
            )
        ],
        "arms.training: unknown key (got 'gama'); did you mean 'gamma'?",
    ),
    "arms without number": (
        [("[arms.qmix]", "".join(f"[arms.a{i}]\n" for i in range(1001)) + "[arms.qmix]")],
        ": arms: too many entries; give at most 1,000",
    ),
    "UTF-16": ([(FORMAT, "\0f\0o\0r")], "not a text, it has NUL bytes; save the file as UTF-8"),
    "a thousand million runs": (
        [
            (SEEDS, f"seeds = {LONG_LIST}"),
            (START, f"pruning_start_env_steps = {LONG_LIST}\nalpha = {LONG_LIST}"),
        ],
        "profiles.tiny: 1,000,001 trials × 1,000 seeds are too many runs; a plan has at most",
    ),
}


def complaint_about(path: Path) -> str:
    """The line of a study that cannot be loaded or expanded; "" for one that can."""
    try:
        plan = expand(load_study(path))
    except InputError as error:
        line = str(error)
        assert line.isprintable(), ascii(line)
        assert len(line.replace(str(path), "")) < 600, line
        return line
    for run in plan.runs[:20]:
        again = RunSpec.model_validate_json(run.model_dump_json())
        assert (again, again.run_id) == (run, run.run_id)
    return ""


@pytest.mark.parametrize("case", HOSTILE)
def test_one_short_line(case: str, make_study) -> None:
    replacements, expected = HOSTILE[case]
    line = complaint_about(make_study(*replacements))
    assert "study.toml" in line or "study example" in line
    assert expected in line
    assert "cannot be used as a study" not in line


def test_a_file_over_a_megabyte_is_not_parsed(make_study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tomllib.loads", lambda text: pytest.fail("parsed"))
    path = make_study((FORMAT, FORMAT + "#" * 1_000_000))
    assert "study.toml: larger than 1,000,000 bytes; a study has kil" in complaint_about(path)


def test_a_pipe_or_device_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "pipe: not a regular file" in complaint_about(tmp_path / "pipe")
    assert "/dev/zero: not a regular file" in complaint_about(Path("/dev/zero"))


def test_a_path_that_no_file_can_have(tmp_path: Path) -> None:
    assert "nul\\x00: cannot be used as a study" in complaint_about(tmp_path / "nul\0")


def test_windows_line_ends_are_no_fault(make_study) -> None:
    path = make_study()
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert complaint_about(path) == ""


def test_minus_zero_is_zero(make_study) -> None:
    """They are equal, so they must be the same run."""
    plans = [
        expand(load_study(make_study((START, f"{START}\nalpha = [{x}]")))) for x in ("0.0", "-0.0")
    ]
    assert plans[0].runs == plans[1].runs
    assert [run.run_id for run in plans[0].runs] == [run.run_id for run in plans[1].runs]


@pytest.mark.parametrize("raised", [MemoryError(), RecursionError("too deep"), KeyError("x" * 999)])
@pytest.mark.parametrize("where", ["parsing.place", "checks.is_scenario", "plan.describe"])
def test_whatever_is_raised_is_one_line(
    raised: Exception, where: str, make_study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(f"suite.study.{where}", fail)
    line = complaint_about(make_study())
    assert f"cannot be used as a study: {type(raised).__name__}" in line


def test_looking_for_repeats_takes_linear_time(make_study) -> None:
    class Counted(int):
        compared = 0
        __hash__ = int.__hash__

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return int(self) == other

    study = load_study(make_study())
    tiny = study.profiles["tiny"].model_copy(update={"seeds": tuple(map(Counted, range(5_000)))})
    check_study(study.model_copy(update={"profiles": {"tiny": tiny}}), Path("study.toml"))
    assert Counted.compared < 5 * 5_000


@pytest.mark.parametrize("model", [StudyDefinition, RunSpec])
def test_every_number_text_and_list_has_bounds(model: type[StudyDefinition | RunSpec]) -> None:
    """By the models' own JSON schema, so that a new key cannot be forgotten."""
    unbounded = [
        path
        for path, node in _nodes(model.model_json_schema(), "")
        if any(not bounds & node.keys() for bounds in _BOUNDS_OF.get(node.get("type"), ()))
        and not {"enum", "const", "properties"} & node.keys()
    ]
    assert not unbounded


_LEAST, _MOST = {"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}
_BOUNDS_OF: dict[str | None, tuple[set[str], ...]] = {
    "integer": (_LEAST, _MOST),
    "number": (_LEAST, _MOST),
    "string": ({"maxLength"},),
    "array": ({"maxItems"},),
    "object": ({"maxProperties"},),
}


def _nodes(node: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _nodes(item, f"{path}[{index}]")
    elif isinstance(node, dict):
        yield path, node
        for key, item in node.items():
            if key not in ("default", "propertyNames", "patternProperties"):
                yield from _nodes(item, f"{path}.{key}")


FUZZ_VALUES = (
    *("0", "-1", "-0.0", "true", "inf", "nan", "1e400", "5e-324", "1e308", "9223372036854775808"),
    *("1" + "0" * 400, "1" + "0" * 5000, "0x" + "f" * 6000, "2026-01-01", "10:00:00", "[]", "{}"),
    *('""', r'"\u001b"', r'"\ud800"', '"' + "y" * 6000 + '"', "[" * 50 + "]" * 50, "[" * 3000),
    *("[[1]]", "[1, 1]", "[nan]", "[0.25, 0.5]", "{a = {b = 1}}", '["matrix/climbing"]'),
)
FUZZ_KEYS = (
    *("x", "training", '"[key]"', '""', r'"\u001b"', "format", "a.b", "a" * 300, "seeds"),
    *('"é"', ".".join("k" * 20), ".".join("k" * 50), "alpha", "scenario_settings"),
)


def test_whatever_the_bytes_one_line(make_study) -> None:
    """800 seeded mutations of lines and bytes: loaded, or refused in words meant for it."""
    chance = random.Random(0)
    path = make_study()
    lines = path.read_text().splitlines()
    n_loaded = 0
    for _ in range(800):
        mutant = list(lines)
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            _mutate(mutant, chance)
        content = bytearray("\n".join(mutant).encode())
        if chance.random() < 0.3:
            for _ in range(chance.choice((1, 3, 20))):
                content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content)
        line = complaint_about(path)
        assert "cannot be used as a study" not in line
        n_loaded += not line
    assert 20 < n_loaded < 780


def _mutate(lines: list[str], chance: random.Random) -> None:
    at = chance.randrange(len(lines))
    key, is_assigned, value = lines[at].partition(" = ")
    kind = chance.choice(("value", "value", "key", "add", "remove", "repeat", "header"))
    if kind == "value" and is_assigned:
        lines[at] = f"{key} = {chance.choice(FUZZ_VALUES)}"
    elif kind == "key" and is_assigned:
        lines[at] = f"{chance.choice(FUZZ_KEYS)} = {value}"
    elif kind == "header" and lines[at].startswith("["):
        lines[at] = re.sub(r"\w+\]", lambda _: chance.choice(FUZZ_KEYS) + "]", lines[at], count=1)
    elif kind == "repeat":
        lines.insert(at, chance.choice(lines))
    elif kind == "remove" and len(lines) > 20:
        del lines[at]
    else:
        lines.insert(at, f"{chance.choice(FUZZ_KEYS)} = {chance.choice(FUZZ_VALUES)}")
