"""How long a silence of a stream is still its own pace."""

from __future__ import annotations

from collections import deque

__all__ = ["Patience"]

_WINDOW = 17
_KNOWN = 5
"""Packets that it takes to speak of a pace."""
_INTERVALS = 3


class Patience:
    """The larger of ``stall`` and three intervals between packets.

    The interval is the span of the last 16 over their number: gaps alone would be misled by cameras that pause before
    each keyframe and make up for it afterwards. Before a pace is known, ``opening`` counts, or cameras that are slower
    than ``stall`` would be given up before they can show it.

    Thread rule: one thread at a time.
    """

    def __init__(self, stall: float, opening: float) -> None:
        """Seconds both; ``stall`` for a stream that is under way, ``opening`` for one that begins."""
        self._stall = stall
        self._opening = max(stall, opening)
        self._times: deque[float] = deque(maxlen=_WINDOW)

    def arrived(self, now: float) -> None:
        """A packet came at ``now``, in monotonic seconds."""
        self._times.append(now)

    @property
    def interval(self) -> float | None:
        """Seconds between packets as measured; ``None`` before there are enough of them."""
        if len(self._times) < _KNOWN:
            return None
        return (self._times[-1] - self._times[0]) / (len(self._times) - 1)

    @property
    def limit(self) -> float:
        """Seconds of silence from which on the stream counts as stalled."""
        interval = self.interval
        return self._opening if interval is None else max(self._stall, _INTERVALS * interval)
