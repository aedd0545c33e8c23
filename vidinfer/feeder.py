"""From frames to places in the ring: each frame its own, or many of them in a window."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidinfer.frame import Frame, Gap
from vidinfer.record import Entry, Outcome
from vidinfer.ring import BatchRing
from vidinfer.stages import ModelInput, Window
from vidinfer.stats import StageTimes
from vidinfer.windows import Closed, Windows

__all__ = ["Feeder", "make_feeder"]

_STAGE = "decode"
_MOST_WAITING = 32
"""Damaged frames and gaps that wait behind a frame whose window is not known to be full; then it is let go."""


class Feeder(Protocol):
    """Writes what the decoder gives into the ring, in order. Thread rule: the decoding thread.

    Every method raises ``RingAborted`` when the reader gave up.
    """

    def frame(self, frame: Frame) -> None:
        """A frame to label, or a corrupt one to tell."""
        ...

    def gap(self, gap: Gap) -> None:
        """A stretch without frames."""
        ...

    def end(self) -> None:
        """Nothing more comes."""
        ...


def make_feeder(
    ring: BatchRing[Entry], spec: ModelInput, times: StageTimes, *, keep_pictures: bool
) -> Feeder:
    """The feeder for what the model wants to see."""
    if spec.window is None:
        return _FrameFeeder(ring, spec, times, keep_pictures=keep_pictures)
    return _WindowFeeder(ring, spec, spec.window, times, keep_pictures=keep_pictures)


class _FrameFeeder:
    """Each frame is written once, straight into its place in the batch."""

    def __init__(
        self, ring: BatchRing[Entry], spec: ModelInput, times: StageTimes, *, keep_pictures: bool
    ) -> None:
        self._ring = ring
        self._spec = spec
        self._times = times
        self._keep_pictures = keep_pictures

    def frame(self, frame: Frame) -> None:
        place = self._ring.reserve()
        entry = _entry(frame, keep_picture=self._keep_pictures)
        if frame.corrupt:
            self._ring.commit(entry, filled=False)
            return
        with self._times.busy(_STAGE):
            self._spec.prepare(frame.picture.rgb(), place)
        self._ring.commit(replace(entry, row=self._ring.next_row()), filled=True)

    def gap(self, gap: Gap) -> None:
        self._ring.reserve()
        self._ring.commit(_gap(gap), filled=False)

    def end(self) -> None:
        """Nothing is held back."""


class _WindowFeeder:
    """Each frame is prepared once, and copied into the windows that it is part of.

    A frame is held back until the next one tells for how long it was shown; what comes between waits behind it.
    """

    def __init__(
        self,
        ring: BatchRing[Entry],
        spec: ModelInput,
        window: Window,
        times: StageTimes,
        *,
        keep_pictures: bool,
    ) -> None:
        self._ring = ring
        self._spec = spec
        self._times = times
        self._keep_pictures = keep_pictures
        self._windows: Windows[NDArray[Any]] = Windows(window)
        self._waiting: deque[Entry] = deque()

    def frame(self, frame: Frame) -> None:
        entry = _entry(frame, keep_picture=self._keep_pictures)
        if frame.corrupt:
            self._wait(entry)
            return
        with self._times.busy(_STAGE):
            pixels = np.empty(self._spec.shape, self._spec.dtype)
            self._spec.prepare(frame.picture.rgb(), pixels)
            closed = self._windows.next(frame.stamp, pixels)
        self._let_go(closed)
        self._waiting.append(entry)

    def gap(self, gap: Gap) -> None:
        self._wait(_gap(gap))

    def end(self) -> None:
        self._let_go(self._windows.end())

    def _wait(self, entry: Entry) -> None:
        self._waiting.append(entry)
        if len(self._waiting) > _MOST_WAITING:
            self._let_go(self._windows.end())

    def _let_go(self, closed: Closed[NDArray[Any]] | None) -> None:
        """Everything that waits; the first of it is the frame that was held back."""
        while self._waiting:
            entry = self._waiting.popleft()
            place = self._ring.reserve()
            if closed is None or entry.outcome is not Outcome.LABELLED:
                self._ring.commit(entry, filled=False)
                continue
            with self._times.busy(_STAGE):
                np.stack(closed.pictures, out=place)
            self._ring.commit(replace(entry, row=self._ring.next_row(), span=closed.span), filled=True)
            closed = None


def _entry(frame: Frame, *, keep_picture: bool) -> Entry:
    picture = frame.picture if keep_picture else None
    if frame.corrupt:
        return Entry(Outcome.CORRUPT, frame.stamp, reason="damaged data", picture=picture)
    return Entry(Outcome.LABELLED, frame.stamp, picture=picture)


def _gap(gap: Gap) -> Entry:
    return Entry(Outcome.GAP, gap, reason=gap.reason)
