"""From a study file to a study that holds together; the way in."""

from __future__ import annotations

from pathlib import Path

from suite.study.checks import check_study
from suite.study.definition import StudyDefinition
from suite.study.parsing import parse_study


def load_study(path: Path) -> StudyDefinition:
    """Read, validate and check a study file.

    Raises
    ------
    InputError: the file cannot be read or says something it must not; one line.
    """
    study = parse_study(path)
    check_study(study, path)
    return study
