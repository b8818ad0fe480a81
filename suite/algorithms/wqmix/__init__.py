"""Weighted QMIX: Q_tot learns the values of good joint actions better than those of bad ones.

arXiv 2006.10800; repository wqmix, `learners/max_q_learner.py`.
"""

from __future__ import annotations

from suite.algorithms.declaration import Method
from suite.algorithms.wqmix.method import WqmixMethod
from suite.algorithms.wqmix.settings import CwQmixSettings, OwQmixSettings


def methods() -> tuple[Method, ...]:
    """Its two weightings."""
    return (WqmixMethod("ow_qmix", OwQmixSettings), WqmixMethod("cw_qmix", CwQmixSettings))
