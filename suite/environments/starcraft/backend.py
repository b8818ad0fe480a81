"""StarCraft II as one backend among others. Cheap: looks at files, imports nothing of the game."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from suite.environments.backend import Problem
from suite.environments.engines.backend import EngineBackend, n_processes
from suite.environments.engines.interface import Blueprint, Patience
from suite.environments.interface import EnvironmentInfo
from suite.environments.skirmish.backend import BACKEND as SKIRMISH
from suite.environments.starcraft.installation import (
    check_maps,
    find_game,
    find_packages,
    game_folder,
    map_files,
    map_version,
)
from suite.errors import MissingDependencyError

# Raised when the same game is played otherwise than before.
ADAPTER_VERSION = "1"

# Of a step: eight loops of the game; what SMAC does besides, least squares over 23 maps.
GAME_SECONDS = 3e-3
SMAC_SECONDS, SMAC_SECONDS_PER_UNIT = 1.1e-3, 0.11e-3
_N_OTHER_ACTIONS = 6  # no-op, stop, four ways to move; the others are one per enemy


class StarCraftBackend(EngineBackend):
    """All 23 maps of SMAC, in the game that they were made for.

    Sizes, kinds of agents and bounds of the return are those of skirmish, which has the same maps.
    """

    name = "starcraft"
    title = "StarCraft II"
    description = "StarCraft II through SMAC"
    disclaimer = "Other versions of the game give other numbers; SMAC's authors used 4.6.2."
    version_word = "version"
    game = "StarCraft II"
    # The game draws as it likes, and SMAC seeds a game, not an episode.
    seeds_episodes = False
    replays_exactly = False
    # As in SMAC, which the release (and PyMARL) run with `continuing_episode: False`.
    time_limit = "terminal"
    # Starting the game takes long, on a busy machine more; pysc2 itself gives up after 360 s.
    patience = Patience(reset=300.0)
    # Assumed: no measurement of the game was at hand. SMAC's Python beside it takes 45 MB.
    copy_bytes = 1e9

    @property
    def most_copies(self) -> int:  # type: ignore[override]
        """As many games as one trainer may have."""
        return n_processes()

    def scenarios(self) -> Sequence[str]:
        return sorted(map_files())

    def describe(self, scenario: str) -> EnvironmentInfo:
        """MissingDependencyError, saying what to do, if the map cannot be played here."""
        packages, game = find_packages(), find_game()
        check_maps(game, [scenario])
        parts = [game.version, packages, map_version(game, scenario), f"adapter {ADAPTER_VERSION}"]
        return replace(
            SKIRMISH.describe(scenario),
            name=f"{self.name}/{scenario}",
            backend=self.name,
            backend_version=", ".join(part for part in parts if part),
            extra_observations={},
        )

    def blueprint(self, scenario: str) -> Blueprint:
        info = SKIRMISH.describe(scenario)
        sizes = {
            "n_agents": info.n_agents,
            "n_actions": info.n_actions,
            "obs_shape": info.observation_size,
            "state_shape": info.state_size,
            "episode_limit": info.episode_limit,
        }
        folder = str(game_folder())
        arguments = {"map_name": scenario, "folder": folder, "sizes": sizes}
        return Blueprint("suite.environments.starcraft.engine:StarCraftEngine", arguments)

    def return_bounds(self, scenario: str) -> tuple[float, float]:
        return SKIRMISH.return_bounds(scenario)

    def agent_kinds(self, scenario: str) -> Sequence[str]:
        return SKIRMISH.agent_kinds(scenario)

    def step_seconds(self, scenario: str) -> float:
        """SMAC's own Python, measured without the game on all maps, and the game, assumed.

        The author of SMIX(λ) reports nearly 3.5 hours for 2 million steps of 3m with learning, 6.3
        ms each (github.com/chaovven/SMIX, issue 5).
        """
        info = SKIRMISH.describe(scenario)
        n_units = info.n_agents + info.n_actions - _N_OTHER_ACTIONS
        return GAME_SECONDS + SMAC_SECONDS + n_units * SMAC_SECONDS_PER_UNIT

    def problem(self) -> Problem | None:
        """What is missing first: packages, the game, maps."""
        try:
            find_packages()
            check_maps(find_game(), list(map_files()))
        except MissingDependencyError as error:
            return Problem(error.what, error.cure)
        return None


BACKEND = StarCraftBackend()
