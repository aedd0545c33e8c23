"""Which small blocks of a picture were touched: the unit in which 4:2:0 samples are gathered and converted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ACROSS", "DOWN", "BlockGrid", "Blocks"]

ACROSS, DOWN = 8, 2
"""Pixels of a block. It has 8 bytes in each row of luma, 4 of either chroma and 24 in each row of RGB: one machine
word (or three) each, so that numpy gathers blocks as fast as single numbers. Two rows share one of chroma."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of a picture, each once, from top left to bottom right."""

    rows: NDArray[np.int64]
    """``(n,)``, in units of ``DOWN`` pixels."""
    columns: NDArray[np.int64]
    """``(n,)``, in units of ``ACROSS`` pixels."""

    def __len__(self) -> int:
        return len(self.rows)


class BlockGrid:
    """Turns rectangles into blocks: overlaps count once, however the rectangles lie.

    Thread rule: one thread at a time.
    """

    def __init__(self, width: int, height: int) -> None:
        """For pictures of ``width`` x ``height`` pixels; blocks at the right and lower edge may reach beyond them."""
        self._last = np.array([width, height, width, height])
        self.columns = -(-width // ACROSS)
        self.rows = -(-height // DOWN)
        self._touched = np.zeros((self.rows, self.columns), np.bool_)

    def touched(self, rectangles: NDArray[np.int64]) -> Blocks:
        """The blocks that ``rectangles`` lie on at least in part.

        Args:
            rectangles: ``(k, 4)``: x1, y1, x2, y2 in pixels, x2 and y2 exclusive.
        """
        inside = np.clip(rectangles, 0, self._last)
        inside = inside[np.all(inside[:, :2] < inside[:, 2:], axis=1)]
        first = inside[:, :2] // (ACROSS, DOWN)
        end = -(-inside[:, 2:] // (ACROSS, DOWN))
        marks = self._touched
        marks[:] = False
        for (left, top), (right, bottom) in zip(first.tolist(), end.tolist(), strict=True):
            marks[top:bottom, left:right] = True
        index = np.flatnonzero(marks)
        rows = index // self.columns  # several times as fast as divmod
        return Blocks(rows, index - rows * self.columns)
