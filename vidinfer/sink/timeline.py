"""The source's own times in the units of an MP4 track: exact, and strictly increasing."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from vidinfer.frame import CLOCK_RESET, FrameStamp, Gap

__all__ = ["Increasing", "VideoTimeline", "start_shift", "track_time_base"]

_COARSEST = 10_000
"""Ticks per second below which FFmpeg's MP4 writer doubles the time scale; done here too, so nothing is rounded."""
_FINEST = 10_000_000
"""Ticks per second above which a long frame would overflow MP4's 32-bit durations."""
_FALLBACK = Fraction(1, 90_000)
LONGEST_LEAD = Fraction(10)
"""Seconds from 0 to the first picture that are kept as they are."""


def track_time_base(time_base: Fraction) -> tuple[Fraction, bool]:
    """The time base for a track whose times come in ``time_base``, and whether it holds them all exactly."""
    if not 0 < time_base.denominator <= _FINEST or time_base <= 0:
        return _FALLBACK, False
    ticks = time_base.denominator
    while ticks < _COARSEST:
        ticks *= 2
    return Fraction(1, ticks), True


def start_shift(video: Fraction, audio: Fraction | None) -> Fraction:
    """Seconds to add to all times, pictures and sound alike: 0 unless the file could not be played as it is.

    A start within the first seconds is kept; the edit list tells players. Before 0 an edit list would hide
    pictures; far beyond 0 (a recording of a broadcast starts at hours) some players would show nothing for as long.
    """
    if video < 0:
        return -video
    first = video if audio is None else min(video, audio)
    return -first if first > LONGEST_LEAD else Fraction(0)


class Increasing:
    """Makes a sequence of ticks strictly increasing by changing as few of them as possible.

    Thread rule: one thread.
    """

    def __init__(self, time_base: Fraction) -> None:
        """``time_base``: seconds per tick."""
        self._reset = max(int(CLOCK_RESET / time_base), 1)
        self._last: int | None = None
        self._added = 0
        self.changed = 0
        """Ticks that had to be moved."""
        self.resets = 0
        """Times that the clock of the source started anew."""

    def next(self, tick: int, step: int) -> int:
        """The tick to use for ``tick``; ``step``: the usual distance, used after a reset."""
        out = tick + self._added
        if self._last is not None and out <= self._last:
            if self._last - out >= self._reset:
                self.resets += 1
                self._added = self._last + max(step, 1) - tick
                out = tick + self._added
            else:
                self.changed += 1
                out = self._last + 1
        self._last = out
        return out


@dataclass(frozen=True, slots=True)
class _Placed:
    """When to show a frame, in ticks of the track."""

    pts: int
    duration: int


class VideoTimeline:
    """Places frames on the track by their stamps.

    Thread rule: one thread.
    """

    def __init__(self, time_base: Fraction, rate: Fraction | None) -> None:
        """``time_base`` of the stamps; ``rate``, a hint, for frames without any neighbour."""
        self.time_base, self.exact = track_time_base(time_base)
        self._rated = rate is not None
        self._usual = max(round(1 / ((rate or Fraction(25)) * self.time_base)), 1)
        self._increasing = Increasing(self.time_base)
        self._shift = 0
        self._source: int | None = None
        """Time of the last frame in the source, in ticks, unshifted."""
        self._step = self._usual
        self.missing = 0
        """Frames whose time was made up from their neighbour's."""
        self.first: int | None = None
        self.last: int | None = None
        """When the last frame so far is shown, in ticks of the track."""
        self.end: int = 0
        """Where the last frame ends, in ticks of the track."""

    @property
    def shift(self) -> Fraction:
        """Seconds added to the source's times."""
        return self._shift * self.time_base

    @property
    def source_end(self) -> Fraction | None:
        """Where the last frame ends, in seconds of the source."""
        return None if self._source is None else (self._source + self._step) * self.time_base

    @property
    def step(self) -> Fraction:
        """Seconds from the last frame but one to the last."""
        return self._step * self.time_base

    def seconds(self, stamp: FrameStamp) -> Fraction:
        """When the source shows this frame; 0 if it does not say."""
        return Fraction(0) if stamp.pts is None else stamp.pts * stamp.time_base

    def begin(self, shift: Fraction) -> None:
        """Add ``shift`` seconds to all times from now on."""
        self._shift = -int(-shift // self.time_base)  # up, so that nothing comes before 0

    def place(self, stamp: FrameStamp) -> _Placed:
        """When to show the next frame."""
        tick = self._tick(stamp)
        pts = self._increasing.next(tick + self._shift, self._step)
        usual = self._usual if self._rated else self._step
        if self._source is not None and tick > self._source:
            self._step = tick - self._source
        self._source = tick
        if stamp.duration is None:  # only that of the last frame shows: a pause before it says nothing of it
            duration = min(usual, self._step)
        else:
            duration = max(self._ticks(stamp.duration * stamp.time_base), 1)
        if self.first is None:
            self.first = pts
        self.last = pts
        self.end = pts + duration
        return _Placed(pts, duration)

    def pass_over(self, gap: Gap) -> None:
        """The source went on without a frame that could be shown."""
        if self._source is not None and gap.last_pts is not None:
            self._source = max(self._source, self._ticks(gap.last_pts * gap.time_base))

    def warnings(self) -> list[str]:
        """What had to be changed, in words."""
        found = []
        changed, resets = self._increasing.changed, self._increasing.resets
        if self.missing:
            found.append(f"frames without a timestamp: {self.missing}; placed after their predecessors")
        if changed:
            found.append(
                f"timestamps that did not increase: {changed}; moved to just after their predecessors"
            )
        if resets:
            found.append(f"the clock of the video started anew, times: {resets}; joined up")
        if not self.exact:
            found.append(
                f"timestamps were rounded to {self.time_base} s: the source's unit does not fit into MP4"
            )
        return found

    def _tick(self, stamp: FrameStamp) -> int:
        if stamp.pts is not None:
            return self._ticks(stamp.pts * stamp.time_base)
        self.missing += 1
        return 0 if self._source is None else self._source + self._step

    def _ticks(self, seconds: Fraction) -> int:
        return round(seconds / self.time_base)
