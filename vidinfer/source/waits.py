"""How much of its time a reader waits: who is slow, the other end or we."""

from __future__ import annotations

from collections import deque

__all__ = ["Waits"]

_WINDOW = 64
"""Packets that are looked back at."""


class Waits:
    """Thread rule: ``add`` on one thread, ``share`` from any."""

    def __init__(self) -> None:
        self._waits: deque[tuple[float, float]] = deque(maxlen=_WINDOW)

    def add(self, now: float, waited: float) -> None:
        """A packet came at ``now`` after ``waited`` seconds."""
        self._waits.append((now, waited))

    @property
    def share(self) -> float | None:
        """Share of the time that went into waiting for the other end, over the last 64 packets: 0 means that there was
        always something to read, so that we are what is slow; ``None``: not known yet.
        """
        waits = list(self._waits)
        if len(waits) < 2:
            return None
        span = waits[-1][0] - waits[0][0]
        return min(1.0, sum(waited for _, waited in waits[1:]) / span) if span > 0 else 0.0
