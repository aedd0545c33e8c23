"""A row of a panel: a class by name, its share, and the share once more as a bar."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.lettering import Lettering
from vidinfer.annotate.palette import LIGHT, Colour
from vidinfer.annotate.wording import percent

__all__ = ["Meter"]

_TRACK: Colour = (92, 96, 104)


class Meter:
    """Draws such rows in one size."""

    def __init__(self, letters: Lettering) -> None:
        self._letters = letters
        self._bar = max(2, letters.size // 5)
        self._share = letters.width("100%")
        self.height = letters.height + self._bar
        """Pixels of height of a row."""

    def width(self, name: str) -> int:
        """Pixels that a row with this name takes where nothing is cut."""
        return self._letters.width(name) + self._share + 3 * self._letters.pad

    def draw(
        self, rgb: NDArray[np.uint8], name: str, score: float, colour: Colour, left: int, right: int, y: int
    ) -> None:
        """Draw the row from ``left`` to ``right``, with its top at ``y``."""
        letters = self._letters
        share = percent(score)
        room = right - left - self._share - letters.pad
        if room > 2 * letters.size:
            letters.put(rgb, letters.fit(name, room), left, y, LIGHT)
            letters.put(rgb, share, right - letters.width(share), y, LIGHT)
        else:  # too small a picture for both: the name alone, the bar tells the share
            letters.put(rgb, letters.fit(name, right - left), left, y, LIGHT)
        bar = y + letters.height
        cv2.rectangle(rgb, (left, bar), (right - 1, bar + self._bar - 1), _TRACK, cv2.FILLED)
        end = left + round((right - left) * min(max(0.0, score), 1.0))
        if end > left:
            cv2.rectangle(rgb, (left, bar), (end - 1, bar + self._bar - 1), colour, cv2.FILLED)
