"""SMAX as one backend among others. Cheap: JAX is imported by `make`.

Sizes follow from the numbers of units alone, so that a study can be planned without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from suite.environments.backend import Backend, Problem, installed_version
from suite.environments.interface import BatchedEnvironment, EnvironmentInfo
from suite.errors import MissingDependencyError
from suite.runs.metrics import EPISODE_LENGTH, RETURN, WIN_RATE

# Raised when the same battle is played otherwise than before.
ADAPTER_VERSION = "1"

# Numbers of allies and enemies, as in jaxmarl's table of maps.
MAPS = {
    "3m": (3, 3),
    "8m": (8, 8),
    "25m": (25, 25),
    "5m_vs_6m": (5, 6),
    "10m_vs_11m": (10, 11),
    "27m_vs_30m": (27, 30),
    "2s3z": (5, 5),
    "3s5z": (8, 8),
    "3s5z_vs_3s6z": (8, 9),
    "3s_vs_5z": (3, 5),
    "6h_vs_8z": (6, 8),
    "smacv2_5_units": (5, 5),
    "smacv2_10_units": (10, 10),
    "smacv2_20_units": (20, 20),
}

# Health, position (2), cooldown and type (6) of a unit, in the state and to itself.
UNIT_SIZE = 10
# To others also its last move (2) and target.
SEEN_UNIT_SIZE = UNIT_SIZE + 3
# In the state each unit has its side and type, after the units.
SIDE_AND_TYPE_SIZE = 2
# Stop and the four directions.
N_MOVES = 5
# SMAX looks at its clock before it advances it: battles end undecided after a step more.
MAX_STEPS = 100
EPISODE_LIMIT = MAX_STEPS + 1
# The enemies' health, each its share, and a bonus for the victory. Sums of single precision may
# pass it by as much.
_BEST_RETURN, _ROUNDING = 2.0, 1e-5


class SmaxBackend(Backend):
    """Every map of jaxmarl, against SMAX's own scripted enemies, with its defaults."""

    name = "smax"
    title = "SMAX (JaxMARL)"
    description = "JaxMARL's own battles after SMAC, not StarCraft II"
    disclaimer = (
        "SMAX is JaxMARL's own simplified battle; no number measured here is from StarCraft II, "
        "nor from skirmish."
    )
    version_word = "version"
    # As for JaxMARL's own learners, and in SMAC.
    time_limit = "terminal"
    measures = (WIN_RATE, RETURN, EPISODE_LENGTH)
    needs = ("jaxmarl", "jax")

    def scenarios(self) -> Sequence[str]:
        return list(MAPS)

    def describe(self, scenario: str) -> EnvironmentInfo:
        """MissingDependencyError without jaxmarl and JAX, whose versions belong to it."""
        n_allies, n_enemies = MAPS[scenario]
        n_units = n_allies + n_enemies
        return EnvironmentInfo(
            name=f"{self.name}/{scenario}",
            backend=self.name,
            backend_version=_version(),
            n_agents=n_allies,
            n_actions=N_MOVES + n_enemies,
            observation_size=SEEN_UNIT_SIZE * (n_units - 1) + UNIT_SIZE,
            state_size=(UNIT_SIZE + SIDE_AND_TYPE_SIZE) * n_units,
            episode_limit=EPISODE_LIMIT,
            ally_state_size=UNIT_SIZE,
        )

    def make(
        self, scenario: str, n_environments: int, seed: int, extra: Sequence[str]
    ) -> BatchedEnvironment:
        info = self.describe(scenario)
        from suite.environments.smax.environment import SmaxEnvironment

        return SmaxEnvironment(info, n_environments, seed)

    def return_bounds(self, scenario: str) -> tuple[float, float]:
        """Enemies only lose health."""
        return 0.0, _BEST_RETURN * (1 + _ROUNDING)

    def problem(self) -> Problem | None:
        """As said by `needs`, with the cure that brings versions which go together."""
        found = super().problem()
        return None if found is None else Problem(found.what, 'run: pip install "cadp-suite[smax]"')

    def agent_kinds(self, scenario: str) -> Sequence[str]:
        """All are allies, as SMAX calls them: on some maps their types are drawn."""
        return ["ally"] * MAPS[scenario][0]


BACKEND = SmaxBackend()


@cache
def _version() -> str:
    """What battles hang on; MissingDependencyError names what is not installed."""
    if (problem := BACKEND.problem()) is not None:
        raise MissingDependencyError(problem.what, where="scenario of smax", cure=problem.cure)
    found = [f"{needed} {installed_version(needed)}" for needed in BACKEND.needs]
    return ", ".join([*found, f"adapter {ADAPTER_VERSION}"])
