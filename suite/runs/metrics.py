"""Names of what is measured; part of the format of records."""

from __future__ import annotations

WIN_RATE, RETURN, EPISODE_LENGTH = "win_rate", "return", "episode_length"
TEST, TRAIN = "test", "train"


def test_key(quantity: str, mode: str) -> str:
    """The key of a tested quantity in one execution mode: `test/win_rate/decentralised`."""
    return f"{TEST}/{quantity}/{mode}"


def tested_mode(key: str, quantity: str) -> str | None:
    """The execution mode of a test key of `quantity`; None for all other keys."""
    lead = f"{TEST}/{quantity}/"
    return key.removeprefix(lead) if key.startswith(lead) else None


test_key.__test__ = False  # type: ignore[attr-defined]  # no test of pytest's
