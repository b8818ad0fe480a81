"""Which points no other beats in all objectives."""

from __future__ import annotations

from collections.abc import Sequence


def front(scores: Sequence[Sequence[float]]) -> list[int]:
    """Indices of the points that none other beats, in their order.

    scores: of each point one per objective, the larger the better. A point is beaten by one that is
    nowhere worse and somewhere better; of equal points all stay.
    """
    return [
        index for index, own in enumerate(scores) if not any(_beats(other, own) for other in scores)
    ]


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)
