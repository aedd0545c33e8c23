"""Picking pairs of neighbouring columns out of rows of a picture."""

from __future__ import annotations

import threading
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Picker", "picker_for"]

cv2.setNumThreads(1)  # of the whole process: these pictures are too small to share

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint32]
Indices = NDArray[np.int64]


class Picker(Protocol):
    """Picks into ``out``, ``(sides, rows, w, 3)`` bytes. Thread rule: share freely."""

    def of_bytes(self, pixels: Bytes, rows: Indices, out: Bytes) -> None:
        """From ``rows`` of ``pixels`` ``(H, W * 3)``."""
        ...

    def of_words(self, words: Words, out: Bytes) -> None:
        """From ``(rows, W)`` pixels of four bytes, the last of them without meaning."""
        ...


def picker_for(width: int, sides: list[Indices], rows: int) -> Picker:
    """The quicker of two ways.

    Args:
        width: of the picture.
        sides: the columns to pick: left neighbours, and right ones where they count, ``(w,)`` each.
        rows: how many in each call.
    """
    step, rest = divmod(width, len(sides[0]))
    first = [int(side[0]) for side in sides]
    even = all(
        (side == at + step * np.arange(len(side))).all() for side, at in zip(sides, first, strict=True)
    )
    # The even picker reads one byte more than a pixel: not beyond the end of the picture.
    if rest == 0 and even and max(first) < step - 1:
        return _EvenPicker(first, len(sides[0]))
    return _AnyPicker(width, sides, rows)


class _EvenPicker:
    """Columns at equal distances, as where a width is shrunk to a whole fraction of itself: no table of indices."""

    def __init__(self, first: list[int], count: int) -> None:
        self._first = first
        self._count = count

    def of_bytes(self, pixels: Bytes, rows: Indices, out: Bytes) -> None:
        cells = pixels.reshape(len(pixels), self._count, -1)
        for side, at in enumerate(self._first):
            # Four bytes at a time: a pixel, and one that is dropped again.
            _drop_fourth(cells[:, :, 3 * at : 3 * at + 4].view(np.uint32)[:, :, 0][rows], out[side])

    def of_words(self, words: Words, out: Bytes) -> None:
        step = words.shape[1] // self._count
        for side, at in enumerate(self._first):
            _drop_fourth(np.ascontiguousarray(words[:, at::step]), out[side])


class _AnyPicker:
    """Any columns: whole rows become words of four bytes first, which are quick to pick by index."""

    def __init__(self, width: int, sides: list[Indices], rows: int) -> None:
        self._indices = np.arange(rows)[:, None] * width + np.stack(sides)[:, None]
        self._memory = _Memory((rows, width), self._indices.shape)

    def of_bytes(self, pixels: Bytes, rows: Indices, out: Bytes) -> None:
        whole = self._memory.whole
        cv2.cvtColor(pixels[rows].reshape(*whole.shape, 3), cv2.COLOR_RGB2RGBA, dst=_as_bytes(whole))
        self.of_words(whole, out)

    def of_words(self, words: Words, out: Bytes) -> None:
        picked = self._memory.picked
        np.take(np.ascontiguousarray(words), self._indices, out=picked, mode="clip")
        for side, pixels in enumerate(picked):
            _drop_fourth(pixels, out[side])


class _Memory(threading.local):
    """Working memory of each thread's own."""

    def __init__(self, whole: tuple[int, int], picked: tuple[int, ...]) -> None:
        self.whole = np.empty(whole, np.uint32)
        self.picked = np.empty(picked, np.uint32)


def _drop_fourth(words: Words, out: Bytes) -> None:
    cv2.cvtColor(_as_bytes(words), cv2.COLOR_RGBA2RGB, dst=out)


def _as_bytes(words: Words) -> Bytes:
    """``(h, w)`` words as ``(h, w, 4)``."""
    return words.view(np.uint8).reshape(*words.shape, 4)
