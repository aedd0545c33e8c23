"""Which frames are labelled: by count, by true time, by keyframe, within a range."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from vidinfer.frame import CLOCK_RESET, FrameStamp

__all__ = ["Before", "Sampler", "Sampling"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """What was asked for. All conditions must hold."""

    every: int = 1
    """Each ``every``-th frame, the first included."""
    fps: Fraction | None = None
    """At most this many frames a second of the source's own time."""
    keyframes: bool = False
    start: Fraction | None = None
    """Seconds, inclusive, on the container's own time line."""
    end: Fraction | None = None
    """Seconds, exclusive."""
    max_frames: int | None = None
    """Stop after so many labelled frames."""
    duration: Fraction | None = None
    """Stop when so many seconds of the source, from ``start`` or its first frame, are over."""


@dataclass(frozen=True, slots=True)
class Before:
    """What a sampler knows of the frames before a stretch; times in seconds of the container's time line."""

    first: Fraction | None
    """Of the first frame within the range; ``None``: there was none so far."""
    origin: Fraction
    """From which on ticks are counted."""
    next_tick: Fraction
    last: Fraction
    """Of the frame that was last held against the ticks."""
    kept: int
    """Frames that were to be labelled."""


class Sampler:
    """Judges the frames of one source, in order. A frame without a timestamp passes every test of time."""

    def __init__(self, sampling: Sampling, before: Before | None = None) -> None:
        """Judge from the first frame on, or as one that has seen the frames ``before``."""
        self._sampling = sampling
        self._first: Fraction | None = None
        self._origin = self._next_tick = self._last = Fraction(0)
        self._kept = 0
        if before is not None:
            self._first, self._origin, self._next_tick = before.first, before.origin, before.next_tick
            self._last, self._kept = before.last, before.kept

    @property
    def remembered(self) -> Before:
        """All that another needs to go on from here."""
        return Before(self._first, self._origin, self._next_tick, self._last, self._kept)

    def finished(self, stamp: FrameStamp) -> bool:
        """This frame and all after it are beyond what was asked for."""
        s = self._sampling
        if s.max_frames is not None and self._kept >= s.max_frames:
            return True
        time = _time(stamp)
        if time is None:
            return False
        if s.end is not None and time >= s.end:
            return True
        if s.duration is None:
            return False
        begin = s.start if s.start is not None else (time if self._first is None else self._first)
        return time >= begin + s.duration

    def skip_reason(self, stamp: FrameStamp) -> str | None:
        """``None``: label it. Otherwise why not: ``range`` or ``sampling``."""
        s, time = self._sampling, _time(stamp)
        if s.start is not None and time is not None and time < s.start:
            return "range"
        if self._first is None:
            self._first = time
        if stamp.index % s.every or (s.keyframes and not stamp.keyframe):
            return "sampling"
        if s.fps is not None and time is not None and not self._tick(time, s.fps):
            return "sampling"
        self._kept += 1
        return None

    def _tick(self, time: Fraction, fps: Fraction) -> bool:
        """Whether ``time`` is the first frame at or after a tick of ``1/fps`` seconds."""
        if self._kept == 0:
            self._origin = time if self._first is None else self._first
            self._next_tick = time
        elif time < self._last - CLOCK_RESET:
            self._origin = self._next_tick = time
        self._last = time
        if time < self._next_tick:
            return False
        self._next_tick = self._origin + ((time - self._origin) * fps // 1 + 1) / fps
        return True


def _time(stamp: FrameStamp) -> Fraction | None:
    return None if stamp.pts is None else stamp.pts * stamp.time_base
