"""Which colour stands for which class, and how much of the picture it covers."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.corner import Corner
from vidinfer.annotate.lettering import Lettering
from vidinfer.annotate.palette import LIGHT, Colour
from vidinfer.annotate.wording import percent

__all__ = ["Legend"]


class Legend:
    """A panel where the classes of a frame's segments stand with their colours; of one width for the whole video.

    Thread rule: one thread at a time.
    """

    def __init__(self, letters: Lettering, categories: Sequence[str], width: int, height: int) -> None:
        """Lay the legend out for pictures of ``width`` x ``height`` pixels and these names."""
        self._letters = letters
        self._swatch = max(3, round(letters.size * 0.8))
        self._share = letters.width("100%")
        longest = max((letters.width(name) for name in categories), default=0)
        wanted = self._swatch + longest + self._share + 6 * letters.pad
        self._corner = Corner(letters, wanted, letters.height + letters.pad // 2, width, height)

    @property
    def rows(self) -> int:
        """How many classes there is room for."""
        return self._corner.rows

    def draw(
        self, rgb: NDArray[np.uint8], names: Sequence[str], shares: Sequence[float], colours: Sequence[Colour]
    ) -> None:
        """Draw the classes in this order; as many as the picture has room for."""
        rows = min(len(names), self._corner.rows)
        if rows == 0:
            return
        left, right, tops = self._corner.take(rgb, rows)
        for name, share, colour, top in zip(names, shares, colours, tops, strict=False):
            self._draw_row(rgb, name, percent(share), colour, left, right, top)

    def _draw_row(
        self, rgb: NDArray[np.uint8], name: str, share: str, colour: Colour, left: int, right: int, y: int
    ) -> None:
        letters, side = self._letters, self._swatch
        top = y + (letters.height - side) // 2
        cv2.rectangle(rgb, (left, top), (left + side - 1, top + side - 1), colour, cv2.FILLED)
        text = left + side + letters.pad
        room = right - text - self._share - letters.pad
        if room > 2 * letters.size:
            letters.put(rgb, letters.fit(name, room), text, y, LIGHT)
            letters.put(rgb, share, right - letters.width(share), y, LIGHT)
        else:
            letters.put(rgb, letters.fit(name, right - text), text, y, LIGHT)
