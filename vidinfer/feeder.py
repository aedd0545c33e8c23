"""From frames to places in the ring: each frame its own, or many of them in a window."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidinfer.frame import Frame, Gap, Picture, ScalablePicture
from vidinfer.record import Entry, Outcome
from vidinfer.ring import BatchRing
from vidinfer.stages import ModelInput, ScaledInput, Window
from vidinfer.stats import StageTimes
from vidinfer.windows import Closed, Windows

__all__ = ["Feeder", "Fill", "entry_of", "fill_for", "gap_entry", "make_feeder"]

Fill = Callable[[Picture, NDArray[Any]], None]
"""Makes a place, or a frame of one, from a picture."""

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
    ring: BatchRing[Entry],
    spec: ModelInput,
    times: StageTimes,
    *,
    keep_pictures: bool,
    fast: bool = False,
) -> Feeder:
    """The feeder for what the model wants to see; ``fast``: about that, from pictures scaled by the decoder."""
    fill = fill_for(spec, fast=fast)
    if spec.window is None:
        return _FrameFeeder(ring, fill, times, keep_pictures=keep_pictures)
    return _WindowFeeder(ring, spec, fill, spec.window, times, keep_pictures=keep_pictures)


def fill_for(spec: ModelInput, *, fast: bool = False) -> Fill:
    """The cheapest way to make a place from a picture; ``fast``: it need not be exact."""
    if fast and spec.scaled is not None:
        return _scaled_fill(spec, spec.scaled)
    return spec.prepare_from or (lambda picture, place: spec.prepare(picture.rgb(), place))


def _scaled_fill(spec: ModelInput, scaled: ScaledInput) -> Fill:
    """Exact all the same where a picture cannot be scaled."""
    height, width = scaled.size

    def fill(picture: Picture, place: NDArray[Any]) -> None:
        if isinstance(picture, ScalablePicture):
            scaled.prepare(picture.rgb_scaled(width, height, smooth=scaled.smooth), place)
        else:
            spec.prepare(picture.rgb(), place)

    return fill


class _FrameFeeder:
    """Each frame is written once, straight into its place in the batch."""

    def __init__(self, ring: BatchRing[Entry], fill: Fill, times: StageTimes, *, keep_pictures: bool) -> None:
        self._ring = ring
        self._fill = fill
        self._times = times
        self._keep_pictures = keep_pictures

    def frame(self, frame: Frame) -> None:
        place = self._ring.reserve()
        entry = entry_of(frame, keep_picture=self._keep_pictures)
        if frame.corrupt:
            self._ring.commit(entry, filled=False)
            return
        with self._times.busy(_STAGE):
            self._fill(frame.picture, place)
        self._ring.commit(replace(entry, row=self._ring.next_row()), filled=True)

    def gap(self, gap: Gap) -> None:
        self._ring.reserve()
        self._ring.commit(gap_entry(gap), filled=False)

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
        fill: Fill,
        window: Window,
        times: StageTimes,
        *,
        keep_pictures: bool,
    ) -> None:
        self._ring = ring
        self._spec = spec
        self._fill = fill
        self._times = times
        self._keep_pictures = keep_pictures
        self._windows: Windows[NDArray[Any]] = Windows(window)
        self._waiting: deque[Entry] = deque()

    def frame(self, frame: Frame) -> None:
        entry = entry_of(frame, keep_picture=self._keep_pictures)
        if frame.corrupt:
            self._wait(entry)
            return
        with self._times.busy(_STAGE):
            pixels = np.empty(self._spec.shape, self._spec.dtype)
            self._fill(frame.picture, pixels)
            closed = self._windows.next(frame.stamp, pixels)
        self._let_go(closed)
        self._waiting.append(entry)

    def gap(self, gap: Gap) -> None:
        self._wait(gap_entry(gap))

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


def entry_of(frame: Frame, *, keep_picture: bool) -> Entry:
    """What is told of ``frame``, before there is a row."""
    picture = frame.picture if keep_picture else None
    if frame.corrupt:
        return Entry(Outcome.CORRUPT, frame.stamp, reason="damaged data", picture=picture)
    return Entry(Outcome.LABELLED, frame.stamp, picture=picture)


def gap_entry(gap: Gap) -> Entry:
    """What is told of ``gap``."""
    return Entry(Outcome.GAP, gap, reason=gap.reason)
