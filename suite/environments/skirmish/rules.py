"""What SMAC's sources leave open, as named options with our choice as the default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Rules:
    """Options of the simulator; `docs/skirmish.md` gives the reason for each default.

    Scenarios are made with the defaults unless a caller says otherwise; other values are for
    tests and for measuring how much a choice matters. Changing a default changes results and
    raises `SKIRMISH_VERSION`.

    Data
    weapon_profile: which published weapon table the units use.
    terrain_grid: how the cells a unit may stand on were derived from the map file.
    open_map_wall: the open map of 3s_vs_3z, 4z and 5z has SMAClite's wall round 26 × 26 cells.

    Shooting
    period_jitter_loops: each weapon period is the nominal one plus a uniform draw between these.
    repeated_attack_restarts: giving an agent the attack order it has loses the shot prepared.
    unhittable_attack: what an agent told to attack a unit its weapon cannot hit does: the order is
        "ignored" (it goes on with what it did), or it has "followed" the unit without shooting.
    whole_damage_points: the preparation of a shot takes whole loops, rounded up.
    splash_to_edge: splash hits whoever's edge it touches; if False, whoever's centre.

    The enemies
    scan_adds_own_radius: enemies acquire a target when its centre is within the scan range plus
        the target's radius, plus their own radius if True (as weapon ranges are measured).
    rescan_loops: an enemy looks for a target, or a better one, this often.
    chase_loses_beyond: an enemy gives up a target whose centre is farther than this, in cells.
    help_radius: an enemy without target looks for one at once if a neighbour is hit within this
        distance.
    group_order: 2c_vs_64zg orders its zerglings to attack the two colossi. They "hunt" the nearest
        at any distance until it is dead, or "attack_move" to where the colossi started.
    march_loops: loops the enemies have marched when the agents first look.
    draws_enemy_ids: enemy ids are drawn anew each episode; if False they follow the creation.

    Moving
    mixed_layouts: start layouts of different units that nobody measured: "touching", by the rule
        that gives all measured ones, or a "lattice" of whole cells, as before version 4.
    clearance_overlap: a walker's centre keeps its inner radius less this, in cells, from blocked
        cells, along each axis.
    spacing: two units keep the sum of these radii of the data apart,
    spacing_overlap: less this, in cells.

    allies_use_enemy_ai: allies ignore actions and attack-move to the enemies' starting point.
    """

    weapon_profile: Literal["void_multi_4_10", "liberty_base"] = "void_multi_4_10"
    terrain_grid: Literal["rule", "cell_flags"] = "rule"
    open_map_wall: bool = False
    period_jitter_loops: tuple[float, float] = (-1.0, 2.0)
    repeated_attack_restarts: bool = False
    unhittable_attack: Literal["ignored", "followed"] = "ignored"
    whole_damage_points: bool = True
    splash_to_edge: bool = True
    scan_adds_own_radius: bool = True
    rescan_loops: int = 8
    chase_loses_beyond: float = 21.0
    help_radius: float = 4.0
    group_order: Literal["hunt", "attack_move"] = "hunt"
    march_loops: int = 1
    draws_enemy_ids: bool = True
    mixed_layouts: Literal["touching", "lattice"] = "touching"
    clearance_overlap: float = 0.0625
    spacing: Literal["radius", "separation", "inner"] = "radius"
    spacing_overlap: float = 0.0625
    allies_use_enemy_ai: bool = False


DEFAULT_RULES = Rules()
