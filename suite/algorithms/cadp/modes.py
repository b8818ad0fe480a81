"""The modes in which CADP's agents act, as numbers of advisers. No torch here."""

from __future__ import annotations

from suite.algorithms.cadp.settings import CadpSettings
from suite.runs.modes import CENTRALISED, DECENTRALISED, ExecutionMode


def adviser_mode(n_advisers: int) -> ExecutionMode:
    """Each agent hears itself and so many of the others: those to whom it attends most."""
    others = "other" if n_advisers == 1 else f"{n_advisers} others"
    words = f"each agent hears the {others} it attends to most"
    return ExecutionMode(f"advisers_{n_advisers}", f"C{n_advisers}", words)


def modes(settings: CadpSettings) -> tuple[ExecutionMode, ...]:
    """The training mode first, the decentralised one last."""
    if settings.attends_to == "self":
        return (DECENTRALISED,)
    return (CENTRALISED, *map(adviser_mode, settings.adviser_counts), DECENTRALISED)


def way_to_decentralised(settings: CadpSettings) -> tuple[ExecutionMode, ...]:
    """The same modes in order of fewer and fewer advisers: the way from CADP(C) to CADP(D)."""
    falling = tuple(sorted(settings.adviser_counts, reverse=True))
    return modes(settings.model_copy(update={"adviser_counts": falling}))


def advisers(settings: CadpSettings, n_agents: int) -> dict[str, int]:
    """Mode → how many others each agent hears at most, from all (`n_agents` - 1) down to none."""
    everyone = n_agents - 1
    counts = {CENTRALISED.name: everyone, DECENTRALISED.name: 0}
    return counts | {adviser_mode(k).name: min(k, everyone) for k in settings.adviser_counts}
