"""The speed that full colour stands for: it follows the video, but too slowly for colours to flicker."""

from __future__ import annotations

import math

__all__ = ["SpeedScale"]

_DOUBLES, _HALVES = 1.0, 4.0
"""Seconds of video in which the scale doubles or halves at the fastest. Fast movement comes into range soon; after
it the colours come back slowly."""
_LONGEST = 0.25
"""Seconds of one step that count, where a video pauses."""


class SpeedScale:
    """A running scale: it starts at the first speed, and from then on only drifts towards the present one."""

    def __init__(self, least: float) -> None:
        """``least``: the scale is never lower, so that the noise of a still picture stays pale."""
        self._least = least
        self._value: float | None = None

    def follow(self, speed: float, seconds: float) -> float:
        """The scale for a frame whose fast parts have this ``speed``, ``seconds`` after the one before."""
        goal = max(speed, self._least) if math.isfinite(speed) else self._value or self._least
        if self._value is None:
            self._value = goal
        else:
            step = min(max(seconds, 0.0), _LONGEST)
            up, down = 2 ** (step / _DOUBLES), 2 ** (-step / _HALVES)
            self._value *= min(max(goal / self._value, down), up)
        return self._value
