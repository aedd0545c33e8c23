"""Which stream's picture is drawn next, and when: a pure state machine."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Pace"]


class Pace:
    """So many pictures a second of each stream at most, and so much of one core for all of them together.

    Where there is not enough for all, every stream gets its turn. Thread rule: one caller at a time.
    """

    def __init__(self, streams: int, rate: float = 15.0, share: float = 0.5) -> None:
        """At most ``rate`` pictures a second of each stream, drawing for ``share`` (0 to 1] of the time at most."""
        if not 0.0 < share <= 1.0 or rate <= 0.0:
            raise ValueError(f"a share is in (0, 1] and a rate above 0, got {share} and {rate}")
        self._apart = 1 / rate
        self._rest = 1 / share - 1
        self._due = [float("-inf")] * streams
        self._last = list(range(-streams, 0))
        self._turn = 0
        self._resting = float("-inf")

    def choose(self, ready: Iterable[int], now: float) -> tuple[int | None, float | None]:
        """Of the streams that have something to draw: which one now, or how many seconds to wait.

        Returns:
            ``(stream, None)``; ``(None, seconds)``; ``(None, None)`` where nothing is ready.
        """
        waiting = sorted(ready, key=lambda stream: self._last[stream])
        if not waiting:
            return None, None
        first = min(waiting, key=lambda stream: self._due[stream])
        soonest = max(self._due[first], self._resting)
        if soonest > now:
            return None, soonest - now
        return next(stream for stream in waiting if self._due[stream] <= now), None

    def drew(self, stream: int, began: float, ended: float) -> None:
        """``stream`` was drawn between these times."""
        self._turn += 1
        self._last[stream] = self._turn
        self._due[stream] = began + self._apart
        self._resting = ended + self._rest * (ended - began)
