"""Columns of the arrays the kernels work on, and the codes they hold.

Units of one slot are numbered allies first (agent order), then enemies (enemy order).
All lengths are in cells, all times in game loops (1/16 game second; one step = 8 loops).
"""

from __future__ import annotations

# units: (slots, units, N_UNIT_FIELDS) float64, what changes in a battle
X, Y, HEALTH, SHIELD, ENERGY = 0, 1, 2, 3, 4
COOLDOWN = 5  # loops until the weapon is ready
WIND_UP = 6  # loops the current shot has been prepared
GOAL_X, GOAL_Y = 7, 8  # where a move or attack-move order leads
N_UNIT_FIELDS = 9

# orders: (slots, units, N_ORDER_FIELDS) int64
ORDER, TARGET, RESCAN = 0, 1, 2  # order code, unit index or -1, loops until the next scan
DETOUR = 3  # side on which the unit walks round others: 1 left, -1 right, 0 straight on
N_ORDER_FIELDS = 4
IDLE, MOVE, ATTACK, ATTACK_MOVE = 0, 1, 2, 3  # order codes

# stats: (units, N_STATS) float64, what does not change
HEALTH_MAX, SPEED, RADIUS, SEPARATION = 0, 1, 2, 3
DAMAGE, PERIOD, DAMAGE_POINT, RANGE, RANGE_SLOP, SCAN = 4, 5, 6, 7, 8, 9
COOLDOWN_SCALE, SHIELD_SCALE, TYPE_INDEX, IS_HEALER, IS_SCANNING = 10, 11, 12, 13, 14
N_STATS = 15

# sizes: (N_SIZES,) int64, one scenario
N_ALLIES, N_ENEMIES, ALLY_SHIELD, ENEMY_SHIELD, TYPE_BITS = 0, 1, 2, 3, 4
EPISODE_LIMIT, MEDIVAC_RULES = 5, 6
N_SIZES = 7

# rules: (N_RULES,) float64
JITTER_LOW, JITTER_HIGH, SCAN_OWN_RADIUS, RESCAN_LOOPS, CHASE_LIMIT = 0, 1, 2, 3, 4
HELP_RADIUS, MAX_START_LOOPS, REWARD_DIVISOR = 5, 6, 7
N_RULES = 8

# actions, as SMAC numbers them; 6 + j attacks enemy j (a healer heals agent j)
NO_OP, STOP, NORTH, SOUTH, EAST, WEST, FIRST_TARGET = 0, 1, 2, 3, 4, 5, 6

# outcomes of a battle
UNDECIDED, WON, LOST, DRAWN = 0, 1, 2, 3

# SMAC's constants, the same for every unit type; distances between centres
SIGHT_RANGE = 9.0
SHOOT_RANGE = 6.0
MOVE_DISTANCE = 2.0  # a move order leads this far
MOVE_PROBE = 1.0  # a move is available if the cell this far away is free
LOOPS_PER_STEP = 8
MAP_CENTER = 16.0
MAP_EXTENT = 32.0
