"""A clock in the picture: which camera took it, and at which tick of its clock, as squares of light and dark.

So what the model was given can be held against what the record says of it, whatever happened in between.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CAMERAS", "TICKS", "Reader", "block", "decode", "draw", "encode"]

ROWS, COLUMNS = 4, 8
CAMERAS, TICKS = 1 << 8, 1 << 20
_CHECK = 4
DARK, LIGHT = 40, 215
"""Luma."""
_SPREAD = 4
"""The code is this many times narrower than the picture, and lies in its middle: networks look at that."""


def encode(camera: int, tick: int) -> NDArray[np.bool_]:
    """``(4, 8)`` squares: eight bits of the camera, twenty of the tick, four to check them."""
    if not (0 <= camera < CAMERAS and 0 <= tick < TICKS):
        raise ValueError(f"camera {camera} of {CAMERAS}, tick {tick} of {TICKS}")
    word = (camera << 20 | tick) << _CHECK | _check(camera, tick)
    bits = word >> np.arange(ROWS * COLUMNS)[::-1] & 1
    return bits.astype(bool).reshape(ROWS, COLUMNS)


def decode(squares: NDArray[np.bool_]) -> tuple[int, int] | None:
    """Camera and tick; ``None``: this is no code."""
    word = int(np.packbits(squares.reshape(-1)).tobytes().hex(), 16)
    camera, tick = word >> 24, word >> _CHECK & (TICKS - 1)
    return (camera, tick) if word & (1 << _CHECK) - 1 == _check(camera, tick) else None


def block(width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of a square's place, of the first one, in a picture of this size."""
    wide, high = max(1, width // (_SPREAD * COLUMNS)), max(1, height // (6 * ROWS))
    return (width - COLUMNS * wide) // 2, (height - ROWS * high) // 2, wide, high


def draw(luma: NDArray[np.uint8], squares: NDArray[np.bool_]) -> None:
    """Into ``(height, width)`` of luma, in place."""
    left, top, wide, high = block(luma.shape[1], luma.shape[0])
    rows = np.where(squares, LIGHT, DARK).astype(np.uint8).repeat(wide, 1)
    area = luma[top : top + ROWS * high, left : left + COLUMNS * wide]
    for row, line in enumerate(rows):
        area[row * high : (row + 1) * high] = line


class Reader:
    """Reads codes from what a model is given, however that was cut, scaled and normalised.

    Where a square lies in a place is found by trying: lit alone, where does the place change most?

    Thread rule: one thread at a time.
    """

    def __init__(self, show: Callable[[NDArray[np.bool_]], NDArray[Any]]) -> None:
        """``show(squares)``: a place of a picture with these squares.

        Raises:
            ValueError: not every square can be told from its neighbours.
        """
        dark = show(np.zeros((ROWS, COLUMNS), bool)).astype(np.float32).ravel()
        self._at = np.zeros(ROWS * COLUMNS, np.int64)
        self._between = np.zeros(ROWS * COLUMNS, np.float32)
        for i in range(ROWS * COLUMNS):
            squares = np.zeros(ROWS * COLUMNS, bool)
            squares[i] = True
            lit = show(squares.reshape(ROWS, COLUMNS)).astype(np.float32).ravel()
            at = int(np.abs(lit - dark).argmax())
            self._at[i], self._between[i] = at, (lit[at] + dark[at]) / 2
        light = show(np.ones((ROWS, COLUMNS), bool)).astype(np.float32).ravel()
        self._sign = np.sign(light[self._at] - dark[self._at])
        if len(set(self._at.tolist())) < len(self._at) or not self._sign.all():
            raise ValueError("the model sees too little of the middle of a picture to read a code there")

    def read(self, place: NDArray[Any]) -> tuple[int, int] | None:
        """Camera and tick; ``None``: there is no code."""
        values = place.reshape(-1)[self._at].astype(np.float32)
        return decode((values - self._between) * self._sign > 0)


def _check(camera: int, tick: int) -> int:
    return zlib.crc32((camera << 20 | tick).to_bytes(4, "big")) & (1 << _CHECK) - 1
