"""When each frame of a live stream is shown, within one segment of its video."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from vidinfer.frame import FrameStamp
from vidinfer.sink.timeline import track_time_base

__all__ = ["LiveTimeline", "Shown"]

AHEAD = Fraction(1)
"""Seconds that a frame's own time may run ahead of its arrival, counted from the segment's first."""
BEHIND = Fraction(10)
"""Seconds that it may lag behind: frames that a network held up come late and all at once."""
_LONGEST = Fraction(1)
"""Seconds that the last frame of a segment is shown at most."""


class Shown(NamedTuple):
    """In ticks of the track."""

    pts: int
    duration: int


class LiveTimeline:
    """Places the frames of one segment: 0 is the first.

    Frames are as far apart as their own times say, as long as these are credible: they increase, and are not far from
    the times of arrival. Else (no time, a jump, a camera that claims another rate than it has) they are as far apart as
    they arrived. Either way times increase, and no picture is made up where none came.

    Thread rule: one thread.
    """

    def __init__(self, time_base: Fraction, rate: Fraction) -> None:
        """``time_base`` of the stamps; ``rate``, a hint, for a frame without any neighbour."""
        self.time_base, _ = track_time_base(time_base)
        self._step = self._ticks(1 / rate)
        self._added: int | None = None
        """From the frames' own times to ours; ``None``: not known."""
        self._last: int | None = None
        self._began = self._arrived = 0.0
        self.by_arrival = 0
        """Frames placed by their arrival."""

    def place(self, stamp: FrameStamp, received: float | None) -> Shown:
        """When to show the next frame; ``received``: monotonic seconds, ``None`` where nobody says."""
        own = None if stamp.pts is None else round(stamp.pts * stamp.time_base / self.time_base)
        if self._last is None:
            pts = 0
            self._began = received or 0.0
        else:
            credible = self._credible(own, received, self._last)
            pts = self._by_arrival(received, self._last) if credible is None else credible
            self._step = pts - self._last
            self.by_arrival += credible is None
        self._added = None if own is None else pts - own
        self._last = pts
        self._arrived = self._arrived if received is None else received
        return Shown(pts, max(min(self._step, self._ticks(_LONGEST)), 1))

    def _credible(self, own: int | None, received: float | None, last: int) -> int | None:
        if own is None or self._added is None:
            return None
        pts = own + self._added
        if pts <= last:
            return None
        if received is None:
            return pts
        since = self._ticks(Fraction(received - self._began))
        return pts if since - self._ticks(BEHIND) <= pts <= since + self._ticks(AHEAD) else None

    def _by_arrival(self, received: float | None, last: int) -> int:
        step = self._step if received is None else self._ticks(Fraction(received - self._arrived))
        return last + max(step, 1)

    def _ticks(self, seconds: Fraction) -> int:
        return round(seconds / self.time_base)
