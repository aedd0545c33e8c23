"""Pictures that a camera sends although it sees nothing: frozen ones and black ones. Flagged, never left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidinfer.frame import Picture, PlanarPicture

__all__ = ["PictureWatch", "coarse_luma"]

FROZEN_AFTER, BLACK_AFTER = 5.0, 1.0
"""Seconds."""
_FEWEST = 5
"""Frames that it takes as well: a slow camera shows nothing between them."""
_ROWS, _COLUMNS = 36, 64
_BLACK = 22
"""The brightest that a sample of a black picture is: 16 in limited range, and a little noise."""


def coarse_luma(picture: Picture) -> NDArray[np.uint8] | None:
    """At most 36 x 64 samples of brightness, evenly spread; a copy. ``None``: not to be had for little."""
    planes = picture.planes() if isinstance(picture, PlanarPicture) else None
    if planes is None:
        return None
    height, width = planes.y.shape
    return planes.y[:: max(1, height // _ROWS), :: max(1, width // _COLUMNS)].copy()


class PictureWatch:
    """Tells frozen and black stretches from the samples of each frame.

    Frozen: not one sample changed in five seconds; a sensor's noise alone changes some. Black: none is bright, for a
    second.

    Thread rule: one thread at a time.
    """

    def __init__(self) -> None:
        self._before: NDArray[np.uint8] | None = None
        self._same_since: tuple[float, int] | None = None
        self._black_since: tuple[float, int] | None = None
        self._now = 0.0

    def frame(self, luma: NDArray[np.uint8] | None, now: float) -> None:
        """The samples of a frame that came at ``now``, in monotonic seconds."""
        self._now = now
        if luma is None:
            self._before = self._same_since = self._black_since = None
            return
        same = self._before is not None and np.array_equal(self._before, luma)
        self._before = luma
        self._same_since = _longer(self._same_since, same, now)
        self._black_since = _longer(self._black_since, bool(luma.max(initial=0) <= _BLACK), now)

    @property
    def flags(self) -> tuple[str, ...]:
        """``frozen`` and ``black``, as far as they hold."""
        found = []
        if self._lasts(self._same_since, FROZEN_AFTER):
            found.append("frozen")
        if self._lasts(self._black_since, BLACK_AFTER):
            found.append("black")
        return tuple(found)

    def _lasts(self, since: tuple[float, int] | None, seconds: float) -> bool:
        return since is not None and since[1] >= _FEWEST and self._now - since[0] >= seconds


def _longer(since: tuple[float, int] | None, holds: bool, now: float) -> tuple[float, int] | None:
    """When it began to hold, and for how many frames it has."""
    if not holds:
        return None
    return (now, 1) if since is None else (since[0], since[1] + 1)
