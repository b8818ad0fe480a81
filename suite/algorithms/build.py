"""From the settings of an arm and the sizes of a scenario to its parts."""

from __future__ import annotations

from suite.algorithms.agents.cadp import CadpAgent
from suite.algorithms.agents.interface import Agent
from suite.algorithms.agents.recurrent import RecurrentAgent
from suite.algorithms.batch import Sizes
from suite.algorithms.mixers.independent import IndependentMixer
from suite.algorithms.mixers.interface import Mixer
from suite.algorithms.mixers.qatten import QattenMixer
from suite.algorithms.mixers.qmix import QmixMixer
from suite.algorithms.mixers.qplex import DmaqMixer
from suite.algorithms.mixers.vdn import VdnMixer
from suite.algorithms.settings import AlgorithmSettings
from suite.errors import InputError


def build_agent(settings: AlgorithmSettings, sizes: Sizes) -> Agent:
    """The agent network of an arm.

    Raises InputError for CADP on IQL: the paper and its release have no such arm.
    """
    if settings.framework == "ctde":
        return RecurrentAgent(settings, sizes)
    if settings.backbone == "iql":
        raise InputError(
            "CADP is defined on mixing backbones only",
            where="backbone",
            value=settings.backbone,
            cure="choose 'vdn', 'qmix' or 'qplex', or framework 'ctde'",
        )
    return CadpAgent(settings, sizes)


def build_mixer(settings: AlgorithmSettings, sizes: Sizes) -> Mixer:
    """The mixer of an arm. `qplex_form` "auto" takes attention where the state has agent blocks."""
    match settings.backbone:
        case "iql":
            return IndependentMixer()
        case "vdn":
            return VdnMixer()
        case "qmix":
            return QmixMixer(settings, sizes)
        case "qplex":
            form = settings.qplex_form
            if form == "qatten" or (form == "auto" and sizes.ally_state_size > 0):
                return QattenMixer(settings, sizes)
            return DmaqMixer(settings, sizes)


def has_pruning(settings: AlgorithmSettings) -> bool:
    """Whether an arm ever adds the pruning loss.

    As released, CADP on QPLEX never does: its learner compares with another learner's name
    (release, learners/qplex_learner_teacher.py:190). Repaired, it prunes like the others.
    """
    is_broken = settings.protocol == "as_released" and settings.backbone == "qplex"
    return settings.framework == "cadp" and not is_broken
