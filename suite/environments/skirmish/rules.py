"""What SMAC's sources leave open, as named options with our choice as the default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Rules:
    """Options of the simulator; `docs/skirmish.md` gives the reason for each default.

    Scenarios are always made with the defaults; other values are for tests and for measuring how
    much a choice matters. Changing a default changes results and raises `SKIRMISH_VERSION`.

    weapon_profile: which published weapon table the units use.
    period_jitter_loops: each weapon period is the nominal one plus a uniform draw between these.
    scan_adds_own_radius: enemies acquire a target when its centre is within the scan range plus
        the target's radius, plus their own radius if True (as weapon ranges are measured).
    rescan_loops: an enemy that chases a target out of its reach looks for a nearer one this often.
    chase_loses_beyond: an enemy gives up a target whose centre is farther than this, in cells.
    help_radius: an enemy without target also answers for a neighbour hit within this distance.
    max_start_loops: the enemies have marched 0 to this many loops, drawn per episode, at reset.
    allies_use_enemy_ai: allies ignore actions and attack-move to the enemies' starting point.
    """

    weapon_profile: Literal["void_multi_4_10", "liberty_base"] = "void_multi_4_10"
    period_jitter_loops: tuple[float, float] = (-1.0, 2.0)
    scan_adds_own_radius: bool = True
    rescan_loops: int = 10
    chase_loses_beyond: float = 21.0
    help_radius: float = 4.0
    max_start_loops: int = 2
    allies_use_enemy_ai: bool = False


DEFAULT_RULES = Rules()
