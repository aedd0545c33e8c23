"""Bilinear resampling of one picture without antialiasing, equal to torch's, reading only the pixels it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BilinearResampler"]

STRIPE = 16
"""Output rows worked on at a time, so that everything stays in the processor's cache."""


class BilinearResampler:
    """From ``(H, W, 3)`` uint8 to ``(h, w, 3)`` float32: ``(x / 255 - mean) / std``, then resampled as
    ``torch.nn.functional.interpolate`` does it with ``mode="bilinear", align_corners=False, antialias=False``.

    Shrinking reads four pixels for each one it makes, so the picture is never converted as a whole. The steps and
    their order are torchvision's and torch's, so the result is theirs but for the last bit of some values (torch
    fuses a multiplication with an addition): a deep network would magnify more than that.

    Thread rule: share freely; it holds nothing that changes.
    """

    def __init__(
        self,
        source: tuple[int, int],
        target: tuple[int, int],
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> None:
        """Sizes as ``(height, width)``; mean and deviation by channel, in units of 255."""
        self._target = target
        self._upper, self._lower, down = _taps(source[0], target[0])
        left, right, across = _taps(source[1], target[1])
        channel = np.arange(3)
        columns = [(side[:, None] * 3 + channel).reshape(-1) for side in (left, right)]
        self._columns = np.concatenate(columns)
        one = np.float32(1.0)
        self._down, self._up = down[:, None], (one - down)[:, None]
        weights = np.stack([one - across, across])  # of the left neighbours, then of the right ones
        self._across = np.repeat(weights.reshape(-1), 3)[None, :]
        self._mean = np.tile(np.asarray(mean, np.float32), 2 * target[1])[None, :]
        self._std = np.tile(np.asarray(std, np.float32), 2 * target[1])[None, :]

    def __call__(self, rgb: NDArray[np.uint8], place: NDArray[Any]) -> None:
        """Resample ``rgb`` into ``place``."""
        height, width = self._target
        pixels = rgb.reshape(rgb.shape[0], -1)
        rows = place.reshape(height, width * 3)
        for first in range(0, height, STRIPE):
            part = slice(first, first + STRIPE)
            out = rows[part]
            np.multiply(self._row(pixels, self._upper[part]), self._up[part], out=out)
            below = self._row(pixels, self._lower[part])
            below *= self._down[part]
            out += below

    def _row(self, pixels: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """These rows of the picture, normalised and resampled across."""
        taps = np.take(pixels[rows], self._columns, axis=1).astype(np.float32)
        taps /= np.float32(255.0)
        taps -= self._mean
        taps /= self._std
        taps *= self._across
        half = taps.shape[1] // 2
        left: NDArray[np.float32] = taps[:, :half]
        left += taps[:, half:]
        return left


def _taps(source: int, target: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The two neighbours of each of ``target`` positions, and the weight of the second, in torch's float32 steps."""
    scale = np.float32(source) / np.float32(target)
    centre = scale * (np.arange(target, dtype=np.float32) + np.float32(0.5)) - np.float32(0.5)
    centre = np.maximum(centre, np.float32(0.0)).astype(np.float32)
    first = np.minimum(centre.astype(np.int64), source - 1)
    second = np.minimum(first + 1, source - 1)
    weight = np.minimum(centre - first.astype(np.float32), np.float32(1.0))
    return first, second, weight.astype(np.float32)
