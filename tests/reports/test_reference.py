"""The paper's data: what is in the repository loads; damage is named by file and line."""

import shutil
from pathlib import Path

import pytest

from reports.reference import FILES, default_directory, load_reference
from suite.errors import StoredDataError

PAPER = Path(__file__).resolve().parents[2] / "reference_results" / "paper"


def test_the_default_is_the_repositorys_if_anything() -> None:
    assert default_directory() in (None, PAPER)


def test_the_repositorys_reference_data_loads() -> None:
    reference = load_reference(PAPER)
    assert len(reference.curves) == len(reference.finals) == 59
    assert len(reference.published) == 296


@pytest.mark.parametrize("scenario", ["5m_vs_6m", "corridor", "3s5z_vs_3s6z"])
def test_the_papers_smac_scenarios_have_one_curve_per_line(scenario: str) -> None:
    panels = load_reference(PAPER).panels(f"skirmish/{scenario}")
    names = [[(curve.algorithm, curve.variant) for curve in panel] for panel in panels]
    assert all(("CADP", "centralized") in panel for panel in names)
    assert [len(panel) for panel in names] == [len(set(panel)) for panel in names] == [9, 6]


def test_no_panels_for_other_scenarios() -> None:
    assert load_reference(PAPER).panels("skirmish/3m") == []


def test_finals_agree_with_the_curves_they_summarise() -> None:
    reference = load_reference(PAPER)
    finals = {
        (f.panel, f.scenario, f.algorithm, f.variant): f.win_rate_percent for f in reference.finals
    }
    for curve in reference.curves:
        late = curve.win_rate_percent[curve.steps > 0.9 * curve.steps[-1]]
        key = (curve.panel, curve.scenario, curve.algorithm, curve.variant)
        assert finals[key] == pytest.approx(late.mean(), abs=1.5)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PAPER, tmp_path / "paper"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("figure,panel", "figure,pannel", "line 1: other columns than documented"),
        (",20000,0.25,", ",20000,250,", "column win_rate_percent: not a usable number"),
        (",20000,0.25,", ",20000,nan,", "column win_rate_percent: not a usable number"),
        (",20000,0.25,", ",9000,0.25,", "timesteps do not ascend"),
        (",20000,0.25,", ",20000,", "another number of fields"),
    ],
)
def test_damage_is_named(copy: Path, old: str, new: str, words: str) -> None:
    path = copy / "paper_curves.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(StoredDataError, match=r"paper_curves\.csv") as error:
        load_reference(copy)
    assert words in str(error.value)
    assert "restore the file" in str(error.value)


@pytest.mark.parametrize("name", FILES)
def test_missing_files_are_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(StoredDataError, match=name):
        load_reference(copy)
