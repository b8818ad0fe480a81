"""QTRAN-base: utilities made to agree with a joint network that nothing constrains.

arXiv 1905.05408; PyMARL, `learners/qtran_learner.py`.
"""

from __future__ import annotations

from suite.algorithms.declaration import Method
from suite.algorithms.qtran.method import QtranMethod


def methods() -> tuple[Method, ...]:
    """One arm: QTRAN brings its own joint network, so there is nothing to stand on."""
    return (QtranMethod(),)
