"""The READMEs of reference_results describe every column that is there."""

from pathlib import Path

import pytest

from reports.export import RESULTS_FORMAT
from reports.reference import FILES

ROOT = Path(__file__).resolve().parents[2] / "reference_results"


@pytest.mark.parametrize("name", FILES)
def test_every_file_and_column_is_described(name: str) -> None:
    text = (ROOT / "paper" / "README.md").read_text()
    assert f"`{name}`" in text
    for column in FILES[name].split(","):
        assert f"`{column}`" in text, column


def test_the_export_format_is_described_at_its_version() -> None:
    text = (ROOT / "ours" / "README.md").read_text()
    assert f"format {RESULTS_FORMAT}" in text
