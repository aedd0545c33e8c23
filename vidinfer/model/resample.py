"""Bilinear resampling of one picture without antialiasing, equal to torch's, reading only the pixels it needs."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidinfer.frame import Picture
from vidinfer.model.neighbours import picker_for

__all__ = ["BilinearResampler", "PixelSteps"]

Floats = NDArray[np.float32]
STRIPE_BYTES = 1 << 20
"""Worked on at a time, so that everything stays in the processor's cache."""


class BilinearResampler:
    """From ``(H, W, 3)`` uint8 to ``(h, w, 3)`` float32: ``(x / 255 - mean) / std``, then resampled as
    ``torch.nn.functional.interpolate`` does it with ``mode="bilinear", align_corners=False, antialias=False``.

    Shrinking reads four pixels for each one it makes, so the picture is never converted as a whole. The steps and
    their order are torchvision's and torch's, so the result is theirs but for the last bit of some values (torch
    fuses a multiplication with an addition): a deep network would magnify more than that. Steps that change nothing are
    left out, and factors that are powers of two, which round nothing, are put together.

    Thread rule: share freely; each thread has its own working memory.
    """

    def __init__(
        self,
        source: tuple[int, int],
        target: tuple[int, int],
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> None:
        """Sizes as ``(height, width)``; mean and deviation by channel, in units of 255."""
        height, width = self._target = target
        upper, lower, down = _taps(source[0], height)
        left, right, across = _taps(source[1], width)
        self._pairs = bool(down.any())  # of rows; without weight, the lower ones need not be read
        sides = [left, right] if across.any() else [left]
        most = max(4, STRIPE_BYTES // ((1 + self._pairs) * len(sides) * width * 12))
        stripe = math.ceil(height / math.ceil(height / most))
        # All of one height: the last begins early where the height is no multiple.
        self._parts = [slice(y, y + stripe) for y in (*range(0, height - stripe, stripe), height - stripe)]
        self._rows = [np.concatenate([upper[y], lower[y]][: 1 + self._pairs]) for y in self._parts]
        self._pick = picker_for(source[1], sides, len(self._rows[0]))
        self._memory = _Memory((len(sides), len(self._rows[0]), width, 3))
        one = np.float32(1.0)
        self._up, self._down = (one - down)[:, None], down[:, None]
        halves = len(sides) == 2 and bool((across == 0.5).all())
        self._across: Floats | None = None
        if len(sides) == 2 and not halves:
            self._across = np.repeat(np.stack([one - across, across]), 3, axis=1)[:, None]
        self._steps = PixelSteps(mean, std, width, 0.5 if halves else 1.0)

    def __call__(self, rgb: NDArray[np.uint8], place: NDArray[Any]) -> None:
        """Resample ``rgb`` into ``place``, which is contiguous."""
        pixels = rgb.reshape(rgb.shape[0], -1)
        for part, rows in zip(self._parts, self._rows, strict=True):
            self._pick.of_bytes(pixels, rows, self._memory.bytes)
            self._finish(part, place)

    def of_picture(self, picture: Picture, place: NDArray[Any]) -> None:
        """Resample ``picture.rgb()`` into ``place``, but have only the rows converted that count."""
        rgba_rows: Callable[[NDArray[np.int64]], NDArray[np.uint32] | None] | None
        rgba_rows = getattr(
            picture, "rgba_rows", None
        )  # of a RowPicture; asking for the protocol takes 16 us
        for part, rows in zip(self._parts, self._rows, strict=True):
            words = None if rgba_rows is None else rgba_rows(rows)
            if words is None:
                self(picture.rgb(), place)
                return
            self._pick.of_words(words, self._memory.bytes)
            self._finish(part, place)

    def _finish(self, part: slice, place: NDArray[Any]) -> None:
        """From the bytes that were picked to a part of the result."""
        taps, out = self._memory.floats, place.reshape(self._target[0], -1)[part]
        self._steps(self._memory.bytes, taps)
        if self._across is not None:
            taps *= self._across
        lines = taps[0]
        if len(taps) == 2:
            lines += taps[1]
        if not self._pairs:
            out[:] = lines
            return
        half = len(lines) // 2
        above, below = lines[:half], lines[half:]
        np.multiply(above, self._up[part], out=out)
        below *= self._down[part]
        out += below


class _Memory(threading.local):
    """Working memory of each thread's own."""

    def __init__(self, shape: tuple[int, int, int, int]) -> None:
        self.bytes = np.empty(shape, np.uint8)
        self.floats = np.empty((*shape[:2], shape[2] * 3), np.float32)


class PixelSteps:
    """``(x / 255 - mean) / std``, in torchvision's steps.

    Thread rule: share freely; it holds nothing that changes.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], width: int, factor: float = 1.0) -> None:
        """``width``: of a row, in pixels; ``factor``: of the result, a power of two."""
        # Powers of two commute with every rounding: they go into the first division.
        if len(set(std)) == 1 and math.frexp(std[0])[0] == 0.5:
            factor /= std[0]
            std = (1.0,)
        self._divisor = np.float32(255.0 / factor)
        self._mean = _by_channel(np.asarray(mean, np.float32) * np.float32(factor), width)
        self._std = _by_channel(np.asarray(std, np.float32), width)

    def __call__(self, rgb: NDArray[np.uint8], place: NDArray[Any]) -> None:
        """From ``(..., w, 3)`` bytes to ``place``, float32 in the same shape and contiguous."""
        taps = place.reshape(*rgb.shape[:-2], -1)
        np.copyto(taps, rgb.reshape(taps.shape))
        taps /= self._divisor
        if self._mean.any():
            taps -= self._mean
        if (self._std != 1).any():
            taps /= self._std


def _by_channel(values: Floats, width: int) -> Floats:
    """One number where all are equal, else one for each value of a line."""
    return values[:1] if (values == values[0]).all() else np.tile(values, width)


def _taps(source: int, target: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The two neighbours of each of ``target`` positions, and the weight of the second, in torch's float32 steps."""
    scale = np.float32(source) / np.float32(target)
    centre = scale * (np.arange(target, dtype=np.float32) + np.float32(0.5)) - np.float32(0.5)
    centre = np.maximum(centre, np.float32(0.0)).astype(np.float32)
    first = np.minimum(centre.astype(np.int64), source - 1)
    second = np.minimum(first + 1, source - 1)
    weight = np.minimum(centre - first.astype(np.float32), np.float32(1.0))
    return first, second, weight.astype(np.float32)
