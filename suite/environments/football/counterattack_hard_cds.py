"""A level for gfootball: academy_counterattack_hard with the players that CDS leaves.

CDS (Li et al., "Celebrating Diversity in Shared Multi-Agent Reinforcement Learning", 2021) plays
four against two and both keepers; its release, CDS_GRF/data, says where they stand.
"""

from __future__ import annotations

from typing import Any

_BALL = (0.26, -0.11)
_AGENTS = (
    (0.5, -0.3161, "CM"),
    (0.25, -0.1, "LM"),
    (0.25, 0.1, "RM"),
    (0.35, 0.316102, "CF"),
)
# Gfootball turns the other team's places round.
_DEFENDERS = ((-0.4, -0.06356, "CB"), (-0.4, 0.063559, "CB"))
_KEEPER = (-1.0, 0.0, "GK")
_LIMIT = 400


def build_scenario(builder: Any) -> None:
    """What gfootball calls to set up an episode."""
    from gfootball_engine import e_PlayerRole, e_Team

    rules = builder.config()
    rules.game_duration = _LIMIT
    rules.deterministic = False
    rules.offsides = False
    rules.end_episode_on_score = True
    rules.end_episode_on_out_of_play = True
    rules.end_episode_on_possession_change = True
    builder.SetBallPosition(*_BALL)
    for team, others in ((e_Team.e_Left, _AGENTS), (e_Team.e_Right, _DEFENDERS)):
        builder.SetTeam(team)
        for x, y, role in (_KEEPER, *others):
            builder.AddPlayer(x, y, getattr(e_PlayerRole, f"e_PlayerRole_{role}"))
