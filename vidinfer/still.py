"""Is anything new in this picture? A difference detector for a camera that does not move.

After NoScope (Kang et al., VLDB 2017), whose detector compares a frame with an earlier one by their mean squared
difference. Here the largest difference of any square counts instead: a small thing that comes into a large picture
moves its mean by nothing, and one square by much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidinfer.frame import FrameStamp

__all__ = ["SIDE", "THRESHOLD", "Still", "StillDetector", "StillSettings"]

SIDE = 240
"""Most squares along the longer side of a picture."""
THRESHOLD = 12.0
"""Grey levels of 255. Measured in compressed 360p of real streets: where nothing moves, squares of 4x4 pixels differ by
2 to 3 after a second and by up to 8 after five. Gaussian noise of 8 levels a pixel makes 8x8 squares differ by 7.6."""

_MIX = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_WORD = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class StillSettings:
    """How still a picture must be, and how often that is not relied upon."""

    threshold: float = THRESHOLD
    """A square that differs by more, in grey levels of 255, is news."""
    seconds: float = 5.0
    """After so many, of the source's time, a frame is labelled whatever it looks like."""
    audited: float = 0.02
    """Share of the still frames that the model sees all the same."""


@dataclass(frozen=True, slots=True)
class Still:
    """Nothing is new."""

    since: FrameStamp
    """The frame that this one looks like; the model has seen it."""
    audit: bool
    """The model is to see this one, too, to find out whether that was right."""


class StillDetector:
    """Judges the frames of one source, in order; each against the last that was news.

    A frame without a timestamp, or from before that one, is always news.
    """

    def __init__(self, settings: StillSettings) -> None:
        self._settings = settings
        self._since: FrameStamp | None = None
        self._seen: NDArray[np.uint8] | None = None

    def judge(self, stamp: FrameStamp, small: NDArray[np.uint8]) -> Still | None:
        """``None``: it is news, and what later ones are compared with.

        Args:
            stamp: of the frame.
            small: ``(h, w)`` brightness, each the mean of a square of the picture.
        """
        since, seen = self._since, self._seen
        if since is not None and seen is not None and self._recent(stamp, since) and self._alike(small, seen):
            return Still(since, _chosen(stamp, self._settings.audited))
        self._since, self._seen = stamp, small
        return None

    def _recent(self, stamp: FrameStamp, since: FrameStamp) -> bool:
        if stamp.pts is None or since.pts is None:
            return False
        return 0 <= (stamp.pts - since.pts) * stamp.time_base < self._settings.seconds

    def _alike(self, small: NDArray[np.uint8], seen: NDArray[np.uint8]) -> bool:
        if small.shape != seen.shape:
            return False
        apart = np.maximum(small, seen) - np.minimum(small, seen)
        return bool(apart.max(initial=0) <= self._settings.threshold)


def _chosen(stamp: FrameStamp, share: float) -> bool:
    """By ``pts`` alone (SplitMix64): the same frames in every run, whoever runs which part of the file."""
    word = (stamp.pts or 0) * _MIX[0] & _WORD
    for shift, factor in ((30, _MIX[1]), (27, _MIX[2])):
        word = (word ^ word >> shift) * factor & _WORD
    return (word ^ word >> 31) < share * 2**64
