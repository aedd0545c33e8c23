"""From frames to places in the ring, but for those that look like one before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vidinfer.feeder import Fill, entry_of, gap_entry
from vidinfer.frame import Frame, Gap, LumaPicture, Picture
from vidinfer.record import Entry
from vidinfer.ring import BatchRing
from vidinfer.stats import StageTimes
from vidinfer.still import SIDE, StillDetector

__all__ = ["StillFeeder"]

_STAGE = "decode"
_SQUARE = 4
"""Least side of a square, in pixels."""


class StillFeeder:
    """A :class:`vidinfer.feeder.Feeder`: a still frame has an entry, and no place."""

    def __init__(
        self,
        ring: BatchRing[Entry],
        fill: Fill,
        detector: StillDetector,
        times: StageTimes,
        *,
        keep_pictures: bool,
    ) -> None:
        self._ring = ring
        self._fill = fill
        self._detector = detector
        self._times = times
        self._keep_pictures = keep_pictures

    def frame(self, frame: Frame) -> None:
        """As of every feeder."""
        place = self._ring.reserve()
        entry = entry_of(frame, keep_picture=self._keep_pictures)
        if frame.corrupt:
            self._ring.commit(entry, filled=False)
            return
        with self._times.busy(_STAGE):
            still = self._detector.judge(frame.stamp, _small(frame.picture))
            if still is None or still.audit:
                self._fill(frame.picture, place)
        if still is None:
            entry = replace(entry, by="model")
        elif still.audit:
            entry = replace(entry, by="model", alike=still.since, audited=True)
        else:
            self._ring.commit(replace(entry, by="propagated", alike=still.since), filled=False)
            return
        self._ring.commit(replace(entry, row=self._ring.next_row()), filled=True)

    def gap(self, gap: Gap) -> None:
        """As of every feeder."""
        self._ring.reserve()
        self._ring.commit(gap_entry(gap), filled=False)

    def end(self) -> None:
        """Nothing is held back."""


def _small(picture: Picture) -> NDArray[np.uint8]:
    small = picture.small_luma(SIDE) if isinstance(picture, LumaPicture) else None
    return _means(picture.rgb()) if small is None else small


def _means(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a picture of other kinds looks like: its green, which is most of the brightness."""
    green = rgb[..., 1]
    step = max(_SQUARE, -(-max(green.shape) // SIDE))
    h, w = max(1, green.shape[0] // step), max(1, green.shape[1] // step)
    whole = green[: h * step, : w * step]
    means = whole.reshape(h, whole.shape[0] // h, w, whole.shape[1] // w).mean(axis=(1, 3))
    small: NDArray[np.uint8] = means.astype(np.uint8)
    return small
