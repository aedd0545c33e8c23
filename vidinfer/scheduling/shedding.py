"""Lasting overload of a stream is met before its frames are decoded: how much the decoder leaves out, and when."""

from __future__ import annotations

from dataclasses import dataclass

from vidinfer.arrival import Shed

__all__ = ["Limits", "Shedding"]


@dataclass(frozen=True, slots=True)
class Limits:
    """When a level is raised and lowered; shares of dropped frames from 0 to 1, times in seconds."""

    raise_above: tuple[float, float] = (0.4, 0.9)
    """To leave out frames that no other needs, and to leave out all but keyframes: the latter only where hardly a
    decoded frame gets to the model, so that keyframes alone are about as much as it can do."""
    raise_after: float = 5.0
    """So long without a break."""
    lower_below: float = 0.02
    lower_after: float = 20.0
    """So long without a break; twice as long after each attempt that had to be taken back, ..."""
    longest: float = 640.0
    """... up to this, and back again when a lower level held for so long as it took to be tried."""


class Shedding:
    """What one stream's decoder leaves out.

    At a higher level fewer frames arrive, so the drops end that called for it: whether a lower level would hold cannot
    be seen but by trying. Each failed attempt doubles the time to the next one, so over a lasting overload of T seconds
    the level changes O(log T) times, and then twice every ``longest`` seconds.

    A pure state machine. Thread rule: one caller at a time.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._hold = self._limits.lower_after
        self._since: float | None = None
        """Since when it is above the limit or below the other."""
        self._direction = 0
        self._lowered: float | None = None
        self.level = Shed.NOTHING

    def observe(self, now: float, dropped: float) -> Shed:
        """The level from now on, given the share of frames that was dropped of late; to be asked about every second."""
        direction = self._wanted(dropped)
        if direction != self._direction or not direction:
            self._direction, self._since = direction, now
        assert self._since is not None
        lasted = now - self._since
        if direction > 0 and lasted >= self._limits.raise_after:
            self._move(1, now)
        elif direction < 0 and lasted >= self._hold:
            self._move(-1, now)
        elif self._lowered is not None and now - self._lowered >= self._hold:
            self._lowered, self._hold = None, self._limits.lower_after  # it held
        return self.level

    def _wanted(self, dropped: float) -> int:
        limits, level = self._limits, self.level
        if level < Shed.NON_KEY and dropped > limits.raise_above[level]:
            return 1
        return -1 if level > Shed.NOTHING and dropped < limits.lower_below else 0

    def _move(self, step: int, now: float) -> None:
        if step > 0 and self._lowered is not None:
            self._hold = min(self._limits.longest, 2 * self._hold)
        self._lowered = now if step < 0 else None
        self.level = Shed(self.level + step)
        self._direction, self._since = 0, now
