"""Ways in which a trained model acts. A method declares which of them it has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExecutionMode:
    """One way of acting.

    name: in metric keys, study files and claims. letter: for labels, as in "CADP (C)". words: for
    people, as the end of "in this mode …".
    """

    name: str
    letter: str
    words: str


DECENTRALISED = ExecutionMode("decentralised", "D", "each agent acts alone")
CENTRALISED = ExecutionMode("centralised", "C", "agents advise each other")
TEACHER = ExecutionMode("teacher", "T", "each agent acts alone, with a privileged observation")
