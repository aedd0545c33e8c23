"""Frames that an archive run has decoded, and how many a second of late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

__all__ = ["Tally"]

KEPT = 64
"""Moments that the rate is taken from."""
SPAN = 60.0
"""Seconds that the rate is taken from, at most."""


@dataclass(slots=True)
class Tally:
    """Thread rule: one thread."""

    began: float
    frames: int = 0
    """Of units that ended in this run."""
    under_way: dict[str, int] = field(default_factory=dict)
    """Frames by unit."""
    _since: dict[str, tuple[float, int]] = field(default_factory=dict)
    """When the first frames of each unit under way were heard of."""
    _moments: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def heard(self, unit: str, decoded: int, now: float) -> None:
        """A unit gets on."""
        self.under_way[unit] = decoded
        if decoded:
            self._since.setdefault(unit, (now, decoded))

    def ended(self, unit: str, decoded: int) -> None:
        """A unit ended, well or not."""
        self.under_way.pop(unit, None)
        self._since.pop(unit, None)
        self.frames += decoded

    def decoded(self) -> int:
        """Frames so far in this run."""
        return self.frames + sum(self.under_way.values())

    def rate_of(self, unit: str, now: float) -> float:
        """Frames a second of a unit under way."""
        at, before = self._since.get(unit, (now, 0))
        return (self.under_way.get(unit, 0) - before) / (now - at) if now > at else 0.0

    def rate(self, now: float) -> float:
        """Frames a second of late."""
        decoded = self.decoded()
        while self._moments and now - self._moments[0][0] > SPAN:
            self._moments.popleft()
        if not self._moments or now - self._moments[-1][0] >= SPAN / KEPT:
            self._moments.append((now, decoded))
        at, before = self._moments[0]
        if now - at < 1.0:
            at, before = self.began, 0
        return max(0, decoded - before) / max(now - at, 1e-9)
