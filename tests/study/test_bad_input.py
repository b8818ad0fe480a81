"""Every bad study gives exit code 2 and one line that says where, which value, and the cure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from suite.cli import main

SIDE = 'left = "cadp_qmix/decentralised"'
START = "pruning_start_fraction = [0.5]"
SEEDS = "seeds = [1, 2]"
ARMS = 'arms = ["qmix", "cadp_qmix"]'
SCENARIOS = 'scenarios = ["skirmish/3m"]'

# replacement → what the line must contain: place, value, cure.
BAD_STUDIES = {
    "misspelt key": (
        ("total_env_steps = 1000", "total_env_stepz = 1000"),
        ("profiles.tiny.training", "'total_env_stepz'", "did you mean 'total_env_steps'?"),
    ),
    "misspelt table": (
        ("[profiles.tiny.hyperparameters]", "[profiles.tiny.hyperparameter]"),
        ("profiles.tiny", "'hyperparameter'", "did you mean 'hyperparameters'?"),
    ),
    "misspelt key of an arm": (
        ('backbone = "qmix"', 'backbone = "qmix"\ngama = 0.9'),
        ("arms.qmix", "'gama'", "did you mean 'gamma'?"),
    ),
    "setting of another framework": (
        ('backbone = "qmix"', 'backbone = "qmix"\npruning_normalisation = "agents"'),
        (
            "arms.qmix: a setting of cadp, for which ctde on qmix has no use",
            "'pruning_normalisation'); leave it out",
        ),
    ),
    "setting of another backbone": (
        ('backbone = "qmix"', 'backbone = "vdn"\nhypernet_layers = 2'),
        ("arms.qmix: a setting of qmix, ow_qmix, cw_qmix, for which ctde on vdn has no use",),
    ),
    "setting of quite another method": (
        (
            '[arms.qmix]\nframework = "ctde"\n',
            '[arms.qmix]\nframework = "ctds"\nchunk_length = 2\n',
        ),
        ("arms.qmix: a setting of ctde on mappo, cadp on mappo, for which ctds on qmix has",),
    ),
    "key that is near to none": (
        ('backbone = "qmix"', 'backbone = "qmix"\npruning_mode = 2'),
        ("arms.qmix: unknown key (got 'pruning_mode'); valid keys: ",),
    ),
    "misspelt key of a claim": (
        (SIDE, SIDE + "\nmargins = 0.1"),
        ("claims[0]", "'margins'", "did you mean 'margin'?"),
    ),
    "misspelt key at the top": (
        ('question = "does', 'qestion = ""\nquestion = "does'),
        ("top level", "'qestion'", "did you mean 'question'?"),
    ),
    "unknown backbone": (
        ('backbone = "qmix"', 'backbone = "qmx"'),
        ("arms.qmix.backbone", "'qmx'", "use 'iql', 'vdn', 'qmix'"),
    ),
    "unknown framework": (
        ('framework = "ctde"', 'framework = "cted"'),
        ("arms.qmix.framework", "'cted'", "use 'ctde'", "'cadp'"),
    ),
    "two equal arms": (
        ('[arms.cadp_qmix]\nframework = "cadp"', '[arms.cadp_qmix]\nframework = "ctde"'),
        ("arms.cadp_qmix", "same settings", "equals arms.qmix"),
    ),
    "arm listed twice": (
        (ARMS, 'arms = ["qmix", "qmix"]'),
        ("profiles.tiny.arms", "'qmix'", "remove one"),
    ),
    "unknown arm": (
        (ARMS, 'arms = ["qmix", "cadp_qmx"]'),
        ("profiles.tiny.arms", "'cadp_qmx'", "did you mean 'cadp_qmix'?"),
    ),
    "no arms": ((ARMS, "arms = []"), ("profiles.tiny.arms", "[]", "at least one")),
    "no seeds": ((SEEDS, "seeds = []"), ("profiles.tiny.seeds", "[]", "at least one")),
    "seed twice": ((SEEDS, "seeds = [1, 1]"), ("profiles.tiny.seeds", "(got 1)", "remove one")),
    "negative seed": (
        (SEEDS, "seeds = [1, -2]"),
        ("profiles.tiny.seeds[1]", "(got -2)", "greater than or equal to 0"),
    ),
    "huge seed": ((SEEDS, "seeds = [4294967296]"), ("seeds[0]", "4294967296", "less than")),
    "seed in quotes": (
        (SEEDS, 'seeds = ["1"]'),
        ("profiles.tiny.seeds[0]", "'1'", "whole number"),
    ),
    "seed without list": ((SEEDS, "seeds = 1"), ("profiles.tiny.seeds", "(got 1)", "list")),
    "looks without a limit": (
        (SEEDS, "seeds = {first = 2, then = 1}"),
        ("profiles.tiny.seeds.up_to", "missing key"),
    ),
    "misspelt key of looks": (
        (SEEDS, "seeds = {first = 2, then = 1, up_to = 4, thn = 1}"),
        ("profiles.tiny.seeds", "'thn'", "did you mean 'then'?"),
    ),
    "first look of one seed": (
        (SEEDS, "seeds = {first = 1, then = 1, up_to = 4}"),
        ("profiles.tiny.seeds.first", "(got 1)", "greater than or equal to 2"),
    ),
    "looks that add nothing": (
        (SEEDS, "seeds = {first = 2, then = 0, up_to = 4}"),
        ("profiles.tiny.seeds.then", "(got 0)", "greater than or equal to 1"),
    ),
    "no second look": (
        (SEEDS, "seeds = {first = 4, then = 1, up_to = 4}"),
        ("profiles.tiny.seeds.up_to", "(got 4)", "give more than first = 4"),
    ),
    "too many looks": (
        (SEEDS, "seeds = {first = 2, then = 1, up_to = 30}"),
        ("profiles.tiny.seeds.then: 29 looks", "(got 1)", "at most 20"),
    ),
    "boolean seed": ((SEEDS, "seeds = [true]"), ("seeds[0]", "True", "whole number")),
    "date for a number": (
        ("total_env_steps = 1000", "total_env_steps = 2026-01-01"),
        ("training.total_env_steps", "2026-01-01", "whole number"),
    ),
    "fractional steps": (
        ("total_env_steps = 1000", "total_env_steps = 10.5"),
        ("training.total_env_steps", "10.5", "whole number"),
    ),
    "no steps": (
        ("total_env_steps = 1000", "total_env_steps = 0"),
        ("training.total_env_steps", "(got 0)", "greater than or equal to 1"),
    ),
    "unknown scenario": (
        (SCENARIOS, 'scenarios = ["skirmish/3n"]'),
        ("profiles.tiny.scenarios", "'skirmish/3n'", "did you mean 'skirmish/3m'?"),
    ),
    "scenario twice": (
        (SCENARIOS, 'scenarios = ["skirmish/3m", "skirmish/3m"]'),
        ("profiles.tiny.scenarios", "'skirmish/3m'", "remove one"),
    ),
    "scenario run and missing": (
        ('"skirmish/corridor" =', '"skirmish/3m" ='),
        ("profiles.tiny.missing_scenarios", "'skirmish/3m'", "leave it in one"),
    ),
    "settings of a scenario that is not run": (
        (SEEDS, SEEDS + '\nscenario_settings."skirmish/8m" = {}'),
        ("profiles.tiny.scenario_settings", "'skirmish/8m'", "did you mean 'skirmish/3m'?"),
    ),
    "negative alpha": (
        (START, START + "\nalpha = [-0.5]"),
        ("profiles.tiny.hyperparameters.alpha[0]", "-0.5", "greater than or equal to 0"),
    ),
    "infinite alpha": (
        (START, START + "\nalpha = [inf]"),
        ("profiles.tiny.hyperparameters.alpha[0]", "inf", "give a number"),
    ),
    "alpha twice": (
        (START, START + "\nalpha = [1.0, 1.0]"),
        ("profiles.tiny.hyperparameters.alpha", "1.0", "remove one"),
    ),
    "pruning after the end": (
        (START, "pruning_start_env_steps = [70000]"),
        ("hyperparameters.pruning_start_env_steps", "70000", "total_env_steps = 1000"),
    ),
    "pruning fraction beyond one": (
        (START, "pruning_start_fraction = [1.5]"),
        ("hyperparameters.pruning_start_fraction[0]", "1.5", "less than or equal to 1"),
    ),
    "pruning start twice": (
        (START, START + "\npruning_start_env_steps = [5]"),
        ("profiles.tiny.hyperparameters", "given twice", "not both"),
    ),
    "no pruning start": (
        (START, ""),
        ("profiles.tiny.hyperparameters", "cadp_qmix", "add pruning_start_env_steps"),
    ),
    "λ of one-step returns": (
        ('backbone = "qmix"', 'backbone = "qmix"\ntrace_decay = 0.9'),
        ("arms.qmix.trace_decay", "0.9", "set returns"),
    ),
    "CADP on IQL": (
        ('framework = "cadp"\nbackbone = "qmix"', 'framework = "cadp"\nbackbone = "iql"'),
        ("arms.cadp_qmix.backbone", "no such backbone", "'iql'", "'vdn', 'qmix'"),
    ),
    "batch larger than the buffer": (
        ("total_env_steps = 1000", "total_env_steps = 1000\nbuffer_size_episodes = 8"),
        ("training.batch_size_episodes", "32", "buffer_size_episodes = 8"),
    ),
    "unknown default profile": (
        ('default_profile = "tiny"', 'default_profile = "tini"'),
        ("default_profile", "'tini'", "did you mean 'tiny'?"),
    ),
    "claim on an unknown arm": (
        (SIDE, 'left = "cadp_qmx/decentralised"'),
        ("claims[0].left", "cadp_qmx", "did you mean 'cadp_qmix'?"),
    ),
    "claim on a mode the arm lacks": (
        ('right = "qmix/decentralised"', 'right = "qmix/centralised"'),
        ("claims[0].right", "qmix/centralised", "write 'qmix/decentralised'"),
    ),
    "claim without a mode": (
        (SIDE, 'left = "cadp_qmix"'),
        ("claims[0].left", "'cadp_qmix'", "'cadp_qmix/centralised'"),
    ),
    "claim against itself": (
        (SIDE, 'left = "qmix/decentralised"'),
        ("claims[0].right", "qmix/decentralised", "change one"),
    ),
    "unknown kind of claim": (
        ('kind = "greater"', 'kind = "better"'),
        ("claims[0].kind", "'better'", "use 'greater' or 'equivalent'"),
    ),
    "equivalence without margin": (
        ('kind = "greater"', 'kind = "equivalent"'),
        ("claims[0].margin", "0.0", "0.05"),
    ),
    "claim on an unknown scenario": (
        (SIDE, SIDE + '\nscenarios = ["skirmish/4m"]'),
        ("claims[0].scenarios", "'skirmish/4m'", "did you mean"),
    ),
    "claim with a scenario listed twice": (
        (SIDE, SIDE + '\nscenarios = ["skirmish/3m", "skirmish/8m", "skirmish/3m"]'),
        ("claims[0].scenarios", "listed twice", "'skirmish/3m'"),
    ),
    "missing key": (('question = "does it work?"\n', ""), ("question", "missing key", "add it")),
    "missing format": (("format = 1\n", ""), ("format", "missing key", "add format = 1")),
    "newer format": (("format = 1", "format = 2"), ("format", "(got 2)", "update cadp-suite")),
    "unusable name": (
        ('name = "example"', 'name = "two words"'),
        (": name:", "'two words'", "letters, digits"),
    ),
    "unusable arm name": (
        ("[arms.cadp_qmix]", '[arms."cadp/qmix"]'),
        ('arms."cadp/qmix"', "'cadp/qmix'", "letters, digits"),
    ),
    "damaged TOML": (("[arms.qmix]", "[arms.qmix"), ("study.toml", "line 6, column", "syntax")),
    "key twice": (("seeds = [1, 2]", "seeds = [1]\nseeds = [2]"), ("study.toml", "line", "syntax")),
}


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line a wrong call prints; checks the exit code."""
    sys.argv = ["cadp-suite", *arguments]
    with pytest.raises(SystemExit) as exit_:
        main()
    output = capsys.readouterr()
    assert exit_.value.code == 2
    assert output.out == ""
    lines = output.err.splitlines()
    assert len(lines) == 1, output.err
    return lines[0]


@pytest.fixture(autouse=True)
def _restore_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)


@pytest.mark.parametrize("case", BAD_STUDIES)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_bad_study(case: str, command: str, make_study, capsys: pytest.CaptureFixture[str]) -> None:
    replacement, expected = BAD_STUDIES[case]
    line = complaint(capsys, command, str(make_study(replacement)))
    assert "study.toml" in line
    for part in expected:
        assert part in line, line


def test_missing_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = complaint(capsys, "plan", str(tmp_path / "none.toml"))
    assert "none.toml: no such study file" in line
    assert "studies/reproduce_smac.toml" in line


def test_directory_for_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = complaint(capsys, "plan", str(tmp_path))
    assert f"{tmp_path}: a directory" in line
    assert "name one file" in line


def test_study_that_is_not_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"format = 1\nname = \xff\xfe")
    line = complaint(capsys, "plan", str(path))
    assert "binary.toml: line 2: not UTF-8" in line
    assert "save the file as UTF-8" in line


def test_unknown_profile(make_study, capsys: pytest.CaptureFixture[str]) -> None:
    line = complaint(capsys, "plan", str(make_study()), "--profile", "tin")
    assert "study example" in line
    assert "(got 'tin')" in line
    assert "did you mean 'tiny'?" in line


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("plan",), ("STUDY", "cadp-suite plan --help")),
        (("plan", "{study}", "--profil", "tiny"), ("--profil", "cadp-suite plan --help")),
        (("run", "{study}", "--workers", "0"), ("--workers", "0")),
        (("run", "{study}", "--workers", "two"), ("--workers", "two")),
        (("run", "{study}", "--workers", "1025"), ("--workers", "'1025'", "from 1 to 1024")),
        (("plan", "{study}", "--workers", "9" * 5000), ("--workers", "'999", "from 1 to 1024")),
        (("trian",), ("trian", "cadp-suite --help")),
        (("run", "{study}", "--device", "gpu"), ("--device", "'gpu'", "cpu, cuda")),
        (("run", "{study}", "--runs-dir", "{study}"), ("study.toml", "--runs-dir")),
    ],
)
def test_wrong_call(
    arguments: tuple[str, ...],
    expected: tuple[str, ...],
    make_study,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = str(make_study())
    line = complaint(capsys, *(part.format(study=study) for part in arguments))
    for part in expected:
        assert part in line, line


def test_a_byte_order_mark_is_no_fault(make_study) -> None:
    from suite.study.load import load_study

    path = make_study()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_study(path).name == "example"
