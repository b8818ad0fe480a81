"""Plans of walking units: their rows, sets of units, and who is to whom what."""

from __future__ import annotations

from suite.environments.skirmish.bundles import Battle, Scratch
from suite.environments.skirmish.compilation import inlined
from suite.environments.skirmish.fields import HEADING_X, HEADING_Y, IS_HELD_UP, X, Y

# what a unit does in this loop: posture (units,) int64
STANDING, MOVING, HOLDING = 0, 1, 2  # idle; walking; aiming

# rows of a plan (N_PLAN, padded units), in cells: the goal, the way of these loops; where the unit
# would be if it went straight on, where it will be; how it is pushed; whether it touches somebody,
# whether it walks; its heading, if it does
END_X, END_Y, STRIDE, AHEAD_X, AHEAD_Y, NEXT_X, NEXT_Y, PUSHED_X, PUSHED_Y = range(9)
TOUCHES, WALKS, WAY_X, WAY_Y = 9, 10, 11, 12
N_PLAN = 13

# sets of units (N_SETS, words), as bits: who touches the place looked at; who walks on, who walks
# and is held up, who stands idle and could walk; of the walker looked at, who comes against it,
# whom it follows, who may be in its way; who is in `near`, who was at the start of the round
TOUCHING, GOING, STUCK, IDLERS, AGAINST, FOLLOWED, MATTERING, NEAR, KNOWN = range(9)
N_SETS = 9

PLAN_LOOPS = 2  # walks are planned for so many loops
EVEN = 1e-9  # cells; a smaller difference is none, whatever way it was rounded
COSINE_AGAINST = -0.5  # below it, a heading is against another, or a way against the goal
SLACK = 0.02  # cells two units may overlap after a loop


@inlined
def is_gone(u: int, battle: Battle, scratch: Scratch) -> bool:
    """Whether unit u is to be elsewhere after the plan."""
    units, plan = battle.units, scratch.plan
    return plan[NEXT_X, u] != units[u, X] or plan[NEXT_Y, u] != units[u, Y]


@inlined
def walks_against(u: int, b: int, battle: Battle, scratch: Scratch) -> bool:
    """Whether unit b, a friend, walks against walker u."""
    units, n_allies = battle.units, battle.n_allies
    along = units[b, HEADING_X] * units[u, HEADING_X] + units[b, HEADING_Y] * units[u, HEADING_Y]
    is_friend = (u < n_allies) == (b < n_allies)
    return scratch.posture[b] == MOVING and along < COSINE_AGAINST and is_friend


@inlined
def is_forced_back(u: int, b: int, battle: Battle, scratch: Scratch) -> bool:
    """Whether unit b, held up, makes way for walker u, a friend who comes against it."""
    orders = battle.orders
    is_weaker = orders[b, IS_HELD_UP] != 0 and orders[u, IS_HELD_UP] == 0
    return is_weaker and scratch.posture[u] == MOVING and walks_against(u, b, battle, scratch)
