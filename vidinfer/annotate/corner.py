"""The place of panels: top left, on a darkened ground, of one width for the whole video."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.lettering import Lettering

__all__ = ["Corner", "darken", "margin"]

_WIDEST = 0.46
"""Share of the picture's width that a panel may take, where names are long."""
_NARROWEST_PX = 150
_SHADE = 0.28
"""Brightness left of the picture below a panel."""


class Corner:
    """Room for rows of text that stands still while the rows change."""

    def __init__(self, letters: Lettering, wanted: int, row: int, width: int, height: int) -> None:
        """A panel ``wanted`` pixels wide if it may, of rows ``row`` pixels high, on ``width`` x ``height`` pixels."""
        self._gap = letters.pad
        self._margin = margin(letters, width, height)
        room = min(width - 2 * self._margin, max(_NARROWEST_PX, round(width * _WIDEST)))
        self._width = max(min(wanted, room), 4 * self._gap)
        self._row = row
        self.rows = max(1, (height - 2 * self._margin - self._gap) // row)
        """How many there is room for."""

    def rectangle(self, rows: int) -> tuple[int, int, int, int]:
        """What ``take`` darkens, and rows stay in: x1, y1, x2, y2 in pixels, perhaps beyond the picture."""
        edge = self._margin
        return edge, edge, edge + self._width, edge + rows * self._row + self._gap

    def take(self, rgb: NDArray[np.uint8], rows: int) -> tuple[int, int, list[int]]:
        """Darken the ground of ``rows`` rows, at least one.

        Returns:
            Left and right end of the rows, and the top of each, in pixels.
        """
        left, top, right, bottom = self.rectangle(rows)
        right = min(right, rgb.shape[1])
        darken(rgb[top:bottom, left:right])
        first = top + self._gap // 2
        return left + self._gap, right - self._gap, [first + k * self._row for k in range(rows)]


def margin(letters: Lettering, width: int, height: int) -> int:
    """Pixels between panels and the edges of the picture."""
    return letters.pad if min(width, height) < 120 else 2 * letters.pad


def darken(ground: NDArray[np.uint8]) -> None:
    """Darken this part of the picture ``(h, w, 3)`` for light text; it may be empty."""
    if ground.size:
        cv2.convertScaleAbs(ground, dst=ground, alpha=_SHADE)
