"""Which frames a model that looks at several of them gets to see together: clips on true time, pairs of neighbours.

A clip of ``T`` frames at ``R`` a second begins at a frame shown at ``t`` and holds what is on the screen at ``t``,
``t + 1/R``, …, ``t + (T-1)/R``: frames of a slow source more than once, of a fast one some of them. What is on the
screen is known only once the next frame has come, so every answer is about the frame before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Generic, TypeVar

from vidinfer.frame import CLOCK_RESET, FrameStamp
from vidinfer.record import Span
from vidinfer.stages import Window

__all__ = ["Closed", "Windows"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Closed(Generic[T]):
    """A full window."""

    pictures: tuple[T, ...]
    """``Window.frames`` of them."""
    span: Span


@dataclass(slots=True)
class _Open(Generic[T]):
    """A window being filled."""

    start: Fraction
    first: FrameStamp
    pictures: list[T] = field(default_factory=list)
    last: FrameStamp | None = None
    frames: int = 0

    def show(self, stamp: FrameStamp, picture: T, until: Fraction | None, window: Window) -> None:
        """Take ``picture``, which is on the screen until then (``None``: for ever)."""
        step = 1 / window.rate if window.rate is not None else Fraction(0)
        before = len(self.pictures)
        while len(self.pictures) < window.frames:
            if until is not None and self.start + len(self.pictures) * step >= until:
                break
            self.pictures.append(picture)
        if len(self.pictures) > before:
            self.last = stamp
            self.frames += 1


class Windows(Generic[T]):
    """Puts the frames of one source into windows, in order. A pure state machine.

    No window reaches across a clock that starts anew. A frame without a timestamp counts as shown one sample period
    after the one before. Of two windows that would close with the same frame (a pause in a variable rate, and a
    stride below the window's length), the earlier is kept.

    Thread rule: one thread.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._open: list[_Open[T]] = []
        self._held: tuple[FrameStamp, T, Fraction] | None = None
        self._before: tuple[FrameStamp, T] | None = None
        self._last_start: Fraction | None = None

    def next(self, stamp: FrameStamp, picture: T) -> Closed[T] | None:
        """Take the next frame.

        Returns:
            The window that the frame before it closes, if it does.
        """
        time = self._time(stamp)
        closed = self._settle(time)
        self._begin(stamp, time)
        self._held = (stamp, picture, time)
        return closed

    def end(self) -> Closed[T] | None:
        """No more frames come: the window that the last one closes. An unfinished one is filled with its picture."""
        closed = self._settle(None)
        self._open.clear()
        self._last_start = None
        return closed

    def _time(self, stamp: FrameStamp) -> Fraction:
        if stamp.pts is not None:
            return stamp.pts * stamp.time_base
        period = 1 / self._window.rate if self._window.rate is not None else Fraction(0)
        return Fraction(0) if self._held is None else self._held[2] + period

    def _begin(self, stamp: FrameStamp, time: Fraction) -> None:
        window = self._window
        if window.rate is None or window.stride is None:
            return
        if self._last_start is None or time >= self._last_start + window.stride:
            self._open.append(_Open(time, stamp))
            self._last_start = time

    def _settle(self, until: Fraction | None) -> Closed[T] | None:
        """What the held frame closes, now that it is known how long it is shown."""
        if self._held is None:
            return None
        stamp, picture, time = self._held
        self._held = None
        if self._window.rate is None:
            return self._pair(stamp, picture)
        reset = until is not None and until < time - CLOCK_RESET
        closed = self._fill(stamp, picture, None if reset else until)
        if reset:
            self._open.clear()
            self._last_start = None
        return closed

    def _fill(self, stamp: FrameStamp, picture: T, until: Fraction | None) -> Closed[T] | None:
        window, full = self._window, []
        for one in self._open:
            one.show(stamp, picture, until, window)
            if len(one.pictures) == window.frames:
                full.append(one)
        self._open = [one for one in self._open if len(one.pictures) < window.frames]
        return (
            None
            if not full
            else _closed(full[0], padded=until is None and not self._ends_here(full[0], stamp))
        )

    def _ends_here(self, one: _Open[T], stamp: FrameStamp) -> bool:
        """The last sample falls on the very last frame, so nothing was repeated beyond the source's end."""
        if stamp.pts is None or self._window.rate is None:
            return False
        shown = Fraction(stamp.duration or 0) * stamp.time_base
        end = one.start + (self._window.frames - 1) / self._window.rate
        return end < stamp.pts * stamp.time_base + shown or end == stamp.pts * stamp.time_base

    def _pair(self, stamp: FrameStamp, picture: T) -> Closed[T] | None:
        before, self._before = self._before, (stamp, picture)
        if before is None:
            return None
        return Closed((before[1], picture), _span(before[0], stamp, frames=2, padded=False))


def _closed(one: _Open[T], *, padded: bool) -> Closed[T]:
    assert one.last is not None
    return Closed(tuple(one.pictures), _span(one.first, one.last, frames=one.frames, padded=padded))


def _span(first: FrameStamp, last: FrameStamp, *, frames: int, padded: bool) -> Span:
    seconds = None
    if first.pts is not None and last.pts is not None:
        seconds = float(last.pts * last.time_base - first.pts * first.time_base)
    return Span(first.pts, last.pts, frames, seconds, padded)
