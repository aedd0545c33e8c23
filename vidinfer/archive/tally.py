"""How an archive run stands: counts, rates, and how long it will still take."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Tally"]

KEPT = 64
"""Moments that the pace is taken from."""
SPAN = 600.0
"""Seconds that the pace is taken from, at most."""


@dataclass(slots=True)
class Tally:
    """Adds up work and tells the pace. Work is in frames where they are known, else in what ``weigh`` makes of bytes.

    Thread rule: one thread.
    """

    total: float
    """Work of all units, those included that were done before."""
    began: float
    done: float = 0.0
    frames: int = 0
    """Of units that ended in this run."""
    under_way: dict[str, int] = field(default_factory=dict)
    """Frames by unit."""
    _moments: deque[tuple[float, float, int]] = field(default_factory=lambda: deque(maxlen=KEPT))
    _fresh: float = 0.0
    """Work that was done in this run."""

    def kept(self, work: float) -> None:
        """A unit that was done before this run."""
        self.done += work

    def heard(self, unit: str, decoded: int) -> None:
        """A unit gets on."""
        self.under_way[unit] = decoded

    def ended(self, unit: str, work: float, decoded: int) -> None:
        """A unit ended, well or not."""
        self.under_way.pop(unit, None)
        self.frames += decoded
        self.done += work
        self._fresh += work

    def decoded(self) -> int:
        """Frames so far in this run."""
        return self.frames + sum(self.under_way.values())

    def tick(self, now: float, works: Mapping[str, tuple[float, int]]) -> tuple[float, float, float | None]:
        """Frames a second of late, share of the work that is done, seconds left.

        Args:
            now: seconds.
            works: of the units under way: work, and frames expected (0: unknown).
        """
        partial = sum(
            work * min(1.0, self.under_way.get(unit, 0) / frames) if frames else 0.0
            for unit, (work, frames) in works.items()
        )
        fresh, decoded = self._fresh + partial, self.decoded()
        if not self._moments or now - self._moments[-1][0] >= SPAN / KEPT:
            self._moments.append((now, fresh, decoded))
        at, before, frames_before = next(
            (moment for moment in self._moments if now - moment[0] <= SPAN), self._moments[-1]
        )
        if now - at < 1.0:
            at, before, frames_before = self.began, 0.0, 0
        passed = max(now - at, 1e-9)
        pace, rate = (fresh - before) / passed, (decoded - frames_before) / passed
        done = min(self.total, self.done + partial)
        left = None if pace <= 0 else (self.total - done) / pace
        return rate, done / self.total if self.total else 1.0, left
