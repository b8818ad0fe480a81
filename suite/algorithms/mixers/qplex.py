"""QPLEX (arXiv 2008.01062) in its two published forms: `dmaq` (a) and `qatten` (b).

CADP's release uses (b), whose keys are the agents' own blocks of the state.
"""

from __future__ import annotations

from typing import Literal

from suite.algorithms.declaration import Backbone, Refusal
from suite.algorithms.mixers.dmaq import DmaqMixer
from suite.algorithms.mixers.interface import Mixer
from suite.algorithms.mixers.qatten import QattenMixer
from suite.algorithms.settings import Settings, Width
from suite.runs.sizes import Sizes


class QplexSettings(Settings):
    """qplex_form: "auto" takes "qatten" where the state has per-agent blocks, "dmaq" elsewhere.

    Other defaults: the release's config/algs/QPLEX_CADP.yaml.
    """

    mixer_embedding: Width = 32
    hypernet_embedding: Width = 64
    qplex_form: Literal["auto", "qatten", "dmaq"] = "auto"


def build_qplex(settings: QplexSettings, sizes: Sizes) -> Mixer:
    """The mixer of the form that the settings name."""
    form = settings.qplex_form
    if form == "qatten" or (form == "auto" and sizes.ally_state_size > 0):
        return QattenMixer(settings, sizes)
    return DmaqMixer(settings, sizes)


def refusal(settings: QplexSettings, sizes: Sizes) -> Refusal | None:
    """Form (b) needs a state with per-agent blocks."""
    if settings.qplex_form != "qatten" or sizes.ally_state_size > 0:
        return None
    return Refusal(
        "QPLEX with attention needs a state made of per-agent blocks",
        "qplex_form",
        settings.qplex_form,
        "use qplex_form = 'dmaq' or 'auto' for this scenario",
    )


BACKBONE = Backbone("qplex", QplexSettings, build_qplex, refusal=refusal)
