"""What a stretch of the video shows, as a strip along the bottom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.corner import darken, margin
from vidinfer.annotate.lettering import Lettering
from vidinfer.annotate.meter import Meter
from vidinfer.annotate.palette import Colour

__all__ = ["Strip"]

_READABLE = 9
"""A class beside the best one needs room for about as many letters, else it is left out."""
_LEAST = 0.42
"""Share of the strip that the best class has at least."""


class Strip:
    """Up to three classes side by side in fixed places, the best in larger letters.

    Thread rule: one thread at a time.
    """

    def __init__(
        self, letters: Lettering, small: Lettering, categories: Sequence[str], width: int, height: int
    ) -> None:
        """Lay the strip out for pictures of ``width`` x ``height`` pixels and these names."""
        self._first, self._other = Meter(letters), Meter(small)
        self._gap = letters.pad
        edge = margin(letters, width, height)
        self.height = min(self._first.height + letters.pad + letters.pad // 2, height)
        """Pixels of the picture that it covers at the bottom."""
        self._top = height - self.height
        self.rectangle = (0, self._top, width, height)
        """What it covers: x1, y1, x2, y2 in pixels."""
        longest = max((self._first.width(name) for name in categories), default=0)
        self._places = _places(
            edge, max(width - edge, edge + 1), longest, _READABLE * small.size, 4 * self._gap
        )

    def draw(
        self, rgb: NDArray[np.uint8], names: Sequence[str], scores: Sequence[float], colours: Sequence[Colour]
    ) -> None:
        """Draw the classes, best first; as many as there is room for."""
        if not names:
            return
        darken(rgb[self._top :])
        line = self._top + self._gap // 2 + self._first.height  # all bars end here
        for k, (left, right) in enumerate(self._places[: len(names)]):
            meter = self._first if k == 0 else self._other
            meter.draw(rgb, names[k], float(scores[k]), colours[k], left, right, line - meter.height)


def _places(left: int, right: int, longest: int, least: int, gap: int) -> list[tuple[int, int]]:
    """Left and right ends: first what the longest name takes, the rest in equal parts of at least ``least``."""
    whole = right - left
    for others in (2, 1):
        first = max(round(whole * _LEAST), min(longest, whole - others * (least + gap)))
        each = (whole - first) // others - gap
        if each >= least:
            starts = [left + first + gap + k * (each + gap) for k in range(others)]
            return [(left, left + first), *((start, start + each) for start in starts)]
    return [(left, right)]
