"""The best classes of a frame as a panel in the corner: name, share, bar."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.lettering import Lettering
from vidinfer.annotate.palette import LIGHT, Colour

__all__ = ["ClassPanel", "percent"]

_WIDEST = 0.46
"""Share of the picture's width that the panel may take, where names are long."""
_NARROWEST_PX = 150
_SHADE = 0.28
"""Brightness left of the picture below the panel."""
_TRACK: Colour = (92, 96, 104)


class ClassPanel:
    """A panel of one width for the whole video, so that it stands still while the classes change.

    Thread rule: one thread at a time.
    """

    def __init__(self, letters: Lettering, categories: Sequence[str], width: int, height: int) -> None:
        """Lay the panel out for pictures of ``width`` x ``height`` pixels and these names."""
        self._letters = letters
        gap = letters.pad
        self._margin = gap if min(width, height) < 120 else 2 * gap
        self._percent = letters.width("100%")
        longest = max((letters.width(name) for name in categories), default=0)
        wanted = longest + self._percent + 5 * gap
        room = min(width - 2 * self._margin, max(_NARROWEST_PX, round(width * _WIDEST)))
        self._width = max(min(wanted, room), 4 * gap)
        self._bar = max(2, letters.size // 5)
        self._row = letters.height + self._bar + gap
        self._rows = max(1, (height - 2 * self._margin - gap) // self._row)

    def draw(
        self, rgb: NDArray[np.uint8], names: Sequence[str], scores: Sequence[float], colours: Sequence[Colour]
    ) -> None:
        """Draw the classes, best first; as many as the picture has room for."""
        rows = min(len(names), self._rows)
        if rows == 0:
            return
        gap, top = self._letters.pad, self._margin
        left, right = self._margin, min(self._margin + self._width, rgb.shape[1])
        ground = rgb[top : top + rows * self._row + gap, left:right]
        cv2.convertScaleAbs(ground, dst=ground, alpha=_SHADE)
        for k in range(rows):
            y = top + gap // 2 + k * self._row
            self._draw_row(rgb, names[k], float(scores[k]), colours[k], left + gap, right - gap, y)

    def _draw_row(
        self,
        rgb: NDArray[np.uint8],
        name: str,
        score: float,
        colour: Colour,
        left: int,
        right: int,
        y: int,
    ) -> None:
        letters = self._letters
        share = percent(score)
        wide = letters.width(share)
        room = right - left - self._percent - letters.pad
        if room > 2 * letters.size:
            letters.put(rgb, letters.fit(name, room), left, y, LIGHT)
            letters.put(rgb, share, right - wide, y, LIGHT)
        else:  # too small a picture for both: the name alone, the bar tells the share
            letters.put(rgb, letters.fit(name, right - left), left, y, LIGHT)
        bar = y + letters.height
        cv2.rectangle(rgb, (left, bar), (right - 1, bar + self._bar - 1), _TRACK, cv2.FILLED)
        end = left + round((right - left) * min(max(score, 0.0), 1.0))
        if end > left:
            cv2.rectangle(rgb, (left, bar), (end - 1, bar + self._bar - 1), colour, cv2.FILLED)


def percent(score: float) -> str:
    """A score as people read it: never ``0%`` for something that was found."""
    return "<1%" if 0 < score < 0.01 else f"{score:.0%}"
