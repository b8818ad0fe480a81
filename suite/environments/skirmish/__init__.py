"""Skirmish: our own simulator of SMAC's micro battles, and SMAC's encoding of a battle.

It follows the published data and environment rules of SMAC (`docs/skirmish.md` says what is data,
what is inferred and what we chose), but it is not StarCraft II, and no number measured on it is
a StarCraft number. Importing this package loads neither numba nor the simulator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from suite.environments.skirmish.episodes import EncodedEpisode

SKIRMISH_VERSION = "4.2"
"""Version of the rules. Any change that can move a trajectory or an encoding raises it."""


def encode_episode(
    scenario: str, units: NDArray[np.floating], actions: NDArray[np.integer]
) -> EncodedEpisode:
    """Encode one episode of unit tables as SMAC would; see `episodes.encode_episode`."""
    from suite.environments.skirmish.episodes import encode_episode as encode

    return encode(scenario, units, actions)
