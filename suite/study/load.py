"""From a study file to a study that holds together; the way in."""

from __future__ import annotations

from pathlib import Path

from suite.study.checks import check_study
from suite.study.definition import StudyDefinition
from suite.study.messages import in_one_line
from suite.study.moving import moved
from suite.study.parsing import parse_study


def load_study(
    path: Path, backend: str | None = None, profile: str | None = None
) -> StudyDefinition:
    """Read, validate and check a study file.

    backend: where to play the profile (the study's default if None) instead; the study returned
    then has that profile alone. None for what the file says.

    Raises
    ------
    InputError: the file cannot be read or says something it must not; one line.
    """
    study = parse_study(path)
    if backend is not None:
        written = study
        study = in_one_line(lambda: moved(written, backend, profile, path), path)
    check_study(study, path)
    return study
