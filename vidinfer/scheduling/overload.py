"""Is a stream overloaded for a while already? The share of its frames that was dropped."""

from __future__ import annotations

import math
from collections import deque

__all__ = ["OVER", "Outcomes"]

OVER = 5
"""Seconds that are looked back on."""


class Outcomes:
    """Frames sent to the model and frames dropped, by whole seconds: at most six pairs of counts."""

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque(maxlen=OVER + 1)

    def count(self, now: float, sent: int, dropped: int) -> None:
        """So many more of either."""
        second = math.floor(now)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        last = self._seconds[-1]
        last[1] += sent
        last[2] += dropped

    def counts(self, now: float) -> tuple[int, int]:
        """Sent and dropped in the last five to six seconds."""
        sent = dropped = 0
        for second, some, others in self._seconds:
            if second >= math.floor(now) - OVER:
                sent, dropped = sent + some, dropped + others
        return sent, dropped

    def dropped(self, now: float) -> float:
        """Share of frames that was dropped in the last five to six seconds, 0 to 1; 0 where there were none."""
        sent, dropped = self.counts(now)
        return dropped / (sent + dropped) if dropped else 0.0
