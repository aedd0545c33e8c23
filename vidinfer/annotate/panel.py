"""The best classes of a frame as a panel in the corner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.corner import Corner
from vidinfer.annotate.lettering import Lettering
from vidinfer.annotate.meter import Meter
from vidinfer.annotate.palette import Colour

__all__ = ["ClassPanel"]


class ClassPanel:
    """A panel of one width for the whole video, so that it stands still while the classes change.

    Thread rule: one thread at a time.
    """

    def __init__(self, letters: Lettering, categories: Sequence[str], width: int, height: int) -> None:
        """Lay the panel out for pictures of ``width`` x ``height`` pixels and these names."""
        self._meter = Meter(letters)
        longest = max((self._meter.width(name) for name in categories), default=self._meter.width(""))
        row = self._meter.height + letters.pad
        self._corner = Corner(letters, longest + 2 * letters.pad, row, width, height)

    def touches(self, classes: int) -> tuple[int, int, int, int]:
        """Where ``draw`` draws so many classes: x1, y1, x2, y2 in pixels."""
        rows = min(classes, self._corner.rows)
        return self._corner.rectangle(rows) if rows else (0, 0, 0, 0)

    def draw(
        self, rgb: NDArray[np.uint8], names: Sequence[str], scores: Sequence[float], colours: Sequence[Colour]
    ) -> None:
        """Draw the classes, best first; as many as the picture has room for."""
        rows = min(len(names), self._corner.rows)
        if rows == 0:
            return
        left, right, tops = self._corner.take(rgb, rows)
        for name, score, colour, top in zip(names, scores, colours, tops, strict=False):
            self._meter.draw(rgb, name, float(score), colour, left, right, top)
