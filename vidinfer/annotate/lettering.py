"""Text as small finished pictures: measured and drawn once per wording, then copied into frames.

OpenCV 5 draws TrueType, OpenCV 4 its stroke fonts; sizes are pixels in both.
"""

from __future__ import annotations

from collections import OrderedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.palette import Colour, ink_on

__all__ = ["Lettering", "font_size"]

_SMALLEST = 11
"""Pixels below which letters cannot be read in a compressed video."""
_TRUETYPE = hasattr(cv2, "FontFace")
_STROKES = cv2.FONT_HERSHEY_SIMPLEX
_TILES = 512
"""Tiles kept by one lettering: enough for every class and percentage on screen, bounded for long runs."""


def font_size(width: int, height: int) -> int:
    """Letter height in pixels for a picture: 11 at 240p, 20 at 720p, 51 at 4K.

    It grows more slowly than the picture, as large pictures are seen on large screens.
    """
    short = min(width, height)
    return max(min(_SMALLEST, short // 4), int(0.075 * short**0.85 + 0.5), 6)


class Lettering:
    """Draws text of one size on solid grounds.

    Thread rule: one thread at a time.
    """

    def __init__(self, size: int) -> None:
        """Letters ``size`` pixels high."""
        self.size = size
        self.pad = max(2, round(size * 0.28))
        """Pixels of ground left and right of the text of a tile."""
        self.height = round(size * 1.32) + 1
        """Pixels of height of every tile."""
        self._face = cv2.FontFace("sans") if _TRUETYPE else None
        self._scale, self._stroke = _stroke_scale(size)
        self._widths: OrderedDict[str, int] = OrderedDict()
        self._tiles: OrderedDict[tuple[str, Colour], NDArray[np.uint8]] = OrderedDict()

    def width(self, text: str) -> int:
        """Pixels from the start of ``text`` to its end."""
        width = self._widths.get(text)
        if width is None:
            width = self._widths[text] = self._measure(text)
            if len(self._widths) > 8 * _TILES:
                self._widths.popitem(last=False)
        return width

    def fit(self, text: str, width: int) -> str:
        """``text``, or its beginning with an ellipsis, such that it is at most ``width`` pixels wide."""
        if self.width(text) <= width:
            return text
        ellipsis = "…" if _TRUETYPE else ".."
        low, high = 0, len(text)
        while low < high:  # the longest beginning that fits
            middle = (low + high + 1) // 2
            if self._measure(text[:middle].rstrip() + ellipsis) <= width:
                low = middle
            else:
                high = middle - 1
        return text[:low].rstrip() + ellipsis if low else ""

    def tile(self, text: str, ground: Colour) -> NDArray[np.uint8]:
        """``text`` on a solid ``ground``, ``(height, w, 3)``; read only, kept for the next frame."""
        key = (text, ground)
        tile = self._tiles.get(key)
        if tile is None:
            tile = np.empty((self.height, self.width(text) + 2 * self.pad, 3), np.uint8)
            tile[:] = ground
            self.put(tile, text, self.pad, 0, ink_on(ground))
            tile.flags.writeable = False
            self._tiles[key] = tile
            if len(self._tiles) > _TILES:
                self._tiles.popitem(last=False)
        else:
            self._tiles.move_to_end(key)
        return tile

    def put(self, rgb: NDArray[np.uint8], text: str, x: int, y: int, ink: Colour) -> None:
        """Write ``text`` in a line of the height of a tile whose top left is at ``x``, ``y``."""
        baseline = y + round(self.size * 1.01)
        if self._face is not None:
            cv2.putText(rgb, text, (x, baseline), ink, self._face, self.size, _WEIGHT)
        else:
            cv2.putText(rgb, text, (x, baseline), _STROKES, self._scale, ink, self._stroke, cv2.LINE_AA)

    def _measure(self, text: str) -> int:
        if not text:
            return 0
        if self._face is not None:
            _, _, width, _ = cv2.getTextSize((1, 1), text, (0, 0), self._face, self.size, _WEIGHT)
            return int(width)
        (width, _), _ = cv2.getTextSize(text, _STROKES, self._scale, self._stroke)
        return int(width)


_WEIGHT = 560
"""Between regular and bold: holds up against compression at small sizes, not clumsy at large ones."""


def _stroke_scale(size: int) -> tuple[float, int]:
    """Scale and line width of OpenCV 4's stroke font for letters ``size`` pixels high."""
    return size / 31.0, max(1, round(size / 13))
