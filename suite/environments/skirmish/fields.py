"""Columns of the arrays the kernels work on, and the codes they hold.

Units of one slot are numbered allies first (agent order), then enemies (enemy order).
All lengths are in cells, all times in game loops (1/16 game second; one step = 8 loops).
"""

from __future__ import annotations

# units: (slots, units, N_UNIT_FIELDS) float64, what changes in a battle
X, Y, HEALTH, SHIELD, ENERGY = 0, 1, 2, 3, 4
COOLDOWN = 5  # loops until the weapon is ready
WIND_UP = 6  # loops the current shot has been prepared; below 0 while the unit walks up
GOAL_X, GOAL_Y = 7, 8  # where a move or attack-move order leads
HEADING_X, HEADING_Y = 9, 10  # unit vector to where the unit walks
PACE = 11  # cells per loop; only units that accelerate have one
CALM = 12  # loops since the unit was last hit
HIT_IN = 13  # loops until the second hit of a blow
MISSILE_X, MISSILE_Y = 14, 15  # where the unit's missile is, if it has one in flight
TAKEN, DEALT, HEALED, REGENERATED = 16, 17, 18, 19  # the ledger: points since the start
BACKSWING_LEFT = 20  # loops until the unit may walk after its shot, unless it is told to
LINE_X, LINE_Y = 21, 22  # the middle of the line that a colossus' beams sweep
ACROSS_X, ACROSS_Y = 23, 24  # unit vector along that line
N_UNIT_FIELDS = 25

# orders: (slots, units, N_ORDER_FIELDS) int64
ORDER, TARGET, RESCAN = 0, 1, 2  # order code, unit index or -1, loops until the next scan
DETOUR = 3  # side on which the unit walks round others: 1 left, -1 right, 0 straight on
REPLAN = 4  # plans until the unit looks for its route
WAYPOINT = 5  # corner the unit walks to, -1 for straight to the goal
HIT_TARGET, MISSILE_TARGET = 6, 7  # who gets the second hit; whom the missile follows; or -1
IS_HELD_UP = 8  # whether the unit wanted to walk and could not, at the last plan
AIMED = 9  # at whom the unit has aimed last, or -1
SWEEP = 10  # of a colossus' beams: 1 in the loop of the shot, one more in each after; 0: none
SEEN_TARGET = 11  # the target that the others know of: as it was when the loop began
N_ORDER_FIELDS = 12
# order codes; ATTACK of a healer heals; SPENT: a dead unit whose burst is done
IDLE, MOVE, ATTACK, ATTACK_MOVE, SPENT = 0, 1, 2, 3, 4

# stats: (units, N_STATS) float64, what does not change
# what every loop reads comes first
RADIUS, RANGE, RANGE_SLOP, SPEED, SEPARATION, LAYER, WEAPON, HITS_AIR = 0, 1, 2, 3, 4, 5, 6, 7
IS_SCANNING, IS_HEALER, CLOSE_RANGE, DAMAGE_POINT, ACCELERATION = 8, 9, 10, 11, 12
PERIOD, SCAN, KIND = 13, 14, 15
HEALTH_MAX, SHIELD_MAX, ARMOR, HEALTH_REGENERATION = 16, 17, 18, 19
MISSILE_SPEED, SECOND_HIT_DELAY, FIRES_FREELY = 20, 21, 22
SPLASH_RADIUS, SPLASH_HALF_LENGTH, CLOSE_PERIOD, CLOSE_DAMAGE_POINT = 23, 24, 25, 26
IS_PATIENT, HEAL_RATE, HEAL_COST = 27, 28, 29
ENERGY_MAX, ENERGY_REGENERATION, ENERGY_TO_SCAN = 30, 31, 32
COOLDOWN_SCALE, SHIELD_SCALE, TYPE_INDEX, ALWAYS_THREATENS = 33, 34, 35, 36
BACKSWING, CLEARANCE, PROBE_PERIOD, BEAM_DELAY = 37, 38, 39, 40
N_STATS = 41
GROUND, CLIFF, AIR = 0, 1, 2  # layers: units of different layers do not touch
UNARMED, INSTANT, MISSILE, DOUBLE, BEAMS, BURST = 0, 1, 2, 3, 4, 5  # weapons

# sizes: (N_SIZES,) int64, one scenario
N_ALLIES, N_ENEMIES, ALLY_SHIELD, ENEMY_SHIELD, TYPE_BITS = 0, 1, 2, 3, 4
EPISODE_LIMIT, MEDIVAC_RULES, HAS_REGENERATION, HAS_MISSILES, HAS_BURSTS = 5, 6, 7, 8, 9
N_BEAM_UNITS = 10
N_SIZES = 11

# rules: (N_RULES,) float64
JITTER_LOW, JITTER_HIGH, SCAN_OWN_RADIUS, RESCAN_LOOPS, CHASE_LIMIT = 0, 1, 2, 3, 4
HELP_RADIUS, MARCH_LOOPS, REWARD_DIVISOR, SPLASH_TO_EDGE, HUNTS_ALLIES = 5, 6, 7, 8, 9
REPEAT_RESTARTS, FOLLOWS_UNHITTABLE, DRAWS_ENEMY_IDS = 10, 11, 12
GOAL_SPREAD_X, GOAL_SPREAD_Y = 13, 14  # the enemies' goal is moved by up to this, per episode
SHIELD_DELAY, SHIELD_RATE = 15, 16
N_RULES = 17

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
PLAYABLE_LOW, PLAYABLE_HIGH = 2.0, 30.0  # nobody leaves this square
PLAYABLE_EXTENT = PLAYABLE_HIGH - PLAYABLE_LOW  # scale of positions in the state
