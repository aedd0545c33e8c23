"""What the colours of flow mean: the wheel, the speed at its rim, and the mean speed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.corner import darken, margin
from vidinfer.annotate.lettering import Lettering
from vidinfer.annotate.palette import LIGHT
from vidinfer.annotate.wheel import wheel_picture
from vidinfer.annotate.wording import plain, rounded

__all__ = ["WheelLegend"]

_NAMES = ("full colour", "mean")
_LONGEST = "88,888 px/frame"


class WheelLegend:
    """A panel in the corner that stands still; in narrow pictures without names, in tiny ones without text.

    Thread rule: one thread at a time.
    """

    def __init__(self, letters: Lettering, width: int, height: int) -> None:
        """Lay it out for pictures of ``width`` x ``height`` pixels."""
        self._letters = letters
        gap = letters.pad
        edge = margin(letters, width, height)
        self._top = self._left = edge
        room = width - 2 * edge
        lines = 2 * letters.height
        radius = (min(round(lines * 1.15), room - 2 * gap, height - 2 * edge - 2 * gap) - 1) // 2
        self._disc = wheel_picture(radius) if radius >= 2 else None
        self._radius = radius
        self._side = 2 * radius + 1
        values = letters.width(_LONGEST)
        names = max(letters.width(name) for name in _NAMES) + 2 * gap
        text = self._side + 4 * gap
        self._named = text + names + values <= room
        self._text = self._side >= lines * 0.9 and text + values <= room
        self._width = self._side + 2 * gap
        if self._text:
            self._width = text + values + (names if self._named else 0)

    def draw(self, rgb: NDArray[np.uint8], full: float, mean: float, unit: str) -> None:
        """Draw it for these speeds, in ``unit``."""
        if self._disc is None:
            return
        gap, top, left = self._letters.pad, self._top, self._left
        darken(rgb[top : top + self._side + 2 * gap, left : left + self._width])
        self._draw_wheel(rgb, self._disc, left + gap, top + gap)
        if not self._text:
            return
        y = top + gap + (self._side - 2 * self._letters.height) // 2
        right = left + self._width - gap
        for name, value in zip(_NAMES, (rounded(full), plain(mean)), strict=True):
            text = f"{value} {unit}"
            if self._named:
                self._letters.put(rgb, name, left + self._side + 3 * gap, y, LIGHT)
            self._letters.put(rgb, text, right - self._letters.width(text), y, LIGHT)
            y += self._letters.height

    def _draw_wheel(self, rgb: NDArray[np.uint8], disc: NDArray[np.uint8], left: int, top: int) -> None:
        side, radius = self._side, self._radius
        inside = np.zeros((side, side), np.uint8)
        cv2.circle(inside, (radius, radius), radius, 255, cv2.FILLED)
        target = rgb[top : top + side, left : left + side]
        cv2.copyTo(disc, inside, target)
        cv2.circle(target, (radius, radius), radius, LIGHT, max(1, side // 40), cv2.LINE_AA)
