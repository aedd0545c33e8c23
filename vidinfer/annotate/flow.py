"""Optical flow: the picture in the colours of its movement, and what they mean.

The colour code is that of Baker et al. 2011 (see :mod:`vidinfer.annotate.wheel`). Full colour stands for the running
scale of :mod:`vidinfer.annotate.speed`: what all but the fastest hundredth of the picture stays below. It doubles in a
second or halves in four at the fastest, so that colours do not flicker; faster parts have full colour.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.lettering import Lettering
from vidinfer.annotate.speed import SpeedScale
from vidinfer.annotate.wheel import wheel_picture
from vidinfer.annotate.wheel_legend import WheelLegend
from vidinfer.detections import Flow
from vidinfer.record import Span

__all__ = ["FlowDrawing"]

FloatArray = NDArray[np.float32]

_TINT = 0.7
"""Share of the movement's colour in what is shown."""
_TABLE = 256
"""Radius of the wheel from which colours are read: finer than 8 bits of colour can tell."""
_FAST = 99
"""Percentile of the lengths that the scale follows."""
_SAMPLE = (slice(None, None, 4), slice(None, None, 4))
"""Every fourth vector across and down is enough to find it."""
_ABSURD = 1e6
"""Pixels."""
_STILL = 0.01
"""Widths of the picture per second: the lowest scale."""
_USUAL_SECONDS = 0.04
"""Between frames that have no times."""


class FlowDrawing:
    """Draws the flow of one source's frames, in their order.

    Thread rule: one thread at a time.
    """

    def __init__(self, letters: Lettering, width: int, height: int) -> None:
        """Prepare the colours, and lay the legend out for pictures of ``width`` x ``height`` pixels."""
        self._size = (width, height)
        self._wheel = wheel_picture(_TABLE)
        self._legend = WheelLegend(letters, width, height)
        self._least = _STILL * max(width, height)
        self._scale = SpeedScale(self._least)
        self._seconds: float | None = None

    def draw(self, rgb: NDArray[np.uint8], flow: Flow, span: Span | None) -> None:
        """Draw the one pair of ``flow``, whose frames are ``span`` apart.

        Speeds are pixels per second; per frame until a time between frames is known.
        """
        if flow.fields.shape[0] == 0 or flow.fields.size == 0:
            return
        self._clock(span)
        per_second = 1.0 if self._seconds is None else 1 / self._seconds
        x, y = (_finite(flow.fields[0, ..., axis]) for axis in (0, 1))
        fast = float(np.percentile(np.hypot(x[_SAMPLE], y[_SAMPLE]), _FAST))
        full = self._scale.follow(fast * per_second, self._seconds or _USUAL_SECONDS)
        colours = cv2.resize(self._colours(x, y, full / per_second), self._size)
        cv2.addWeighted(rgb, 1 - _TINT, colours, _TINT, 0, dst=rgb)
        unit = "px/frame" if self._seconds is None else "px/s"
        self._legend.draw(rgb, full, float(flow.mean[0]) * per_second, unit)

    def _clock(self, span: Span | None) -> None:
        """Seconds between the two frames; where they are not known, those of the pair before."""
        seconds = None if span is None else span.seconds
        if seconds is not None and seconds > 0:
            if self._seconds is None:
                self._scale = SpeedScale(self._least)
            self._seconds = seconds

    def _colours(self, x: FloatArray, y: FloatArray, full: float) -> NDArray[np.uint8]:
        """``(h, w, 3)`` for vectors ``x``, ``y`` ``(h, w)``, overwritten, where ``full`` pixels have full colour."""
        scale = cv2.magnitude(x, y)
        np.maximum(scale, full, out=scale)
        np.divide(_TABLE, scale, out=scale)
        for part in (x, y):
            part *= scale
            part += _TABLE
        colours = cv2.remap(self._wheel, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(colours, np.uint8)


def _finite(part: FloatArray) -> FloatArray:
    """A copy of one coordinate ``(h, w)``; what is not a number or beyond all reason does not move."""
    values = np.array(part, np.float32, order="C")
    values[~(np.abs(values) < _ABSURD)] = 0
    return values
