"""Small maps stretched over the displayed picture: bilinear as torch does it, or to the nearest pixel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["Taps", "blend", "nearest", "stretch", "taps"]

Taps = tuple[NDArray[np.int64], NDArray[np.float32]]
"""For each output pixel of an axis: the input pixel at or before it, and the share of the one after, in [0, 1]."""

_BLOCK = 1 << 18
"""Bytes of a block: it stays in the cache of one core."""


def taps(size: int, out: int, first: int = 0, last: int | None = None) -> Taps:
    """Where the pixels ``[first, last)`` of ``out`` fall among ``size``, with ``align_corners=False``.

    Calculated in single precision, like torch's own.
    """
    centres = np.arange(first, out if last is None else last).astype(np.float32) + np.float32(0.5)
    at = np.maximum(centres * (np.float32(size) / np.float32(out)) - np.float32(0.5), np.float32(0))
    low = np.minimum(at.astype(np.int64), size - 1)
    share = np.clip(at - low.astype(np.float32), 0, 1).astype(np.float32)
    return low, np.where(low < size - 1, share, np.float32(0))


def blend(rows: NDArray[np.float32], where: Taps) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Interpolate between the ``rows`` ``(n, …)``, some at a time.

    Yields:
        Which of the output rows, and their values, in memory that the next block uses again.
    """
    low, share = where
    rows = np.ascontiguousarray(rows)
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.diff(rows, axis=0, append=rows[-1:])
    shares = share.reshape(-1, *[1] * (rows.ndim - 1))
    count = max(1, min(len(low), _BLOCK // max(1, rows[0].nbytes)))
    values, slope = np.empty((2, count, *rows.shape[1:]), np.float32)
    for first in range(0, len(low), count):
        part = slice(first, min(first + count, len(low)))
        size = part.stop - first
        np.take(rows, low[part], axis=0, out=values[:size], mode="clip")
        np.take(steps, low[part], axis=0, out=slope[:size], mode="clip")
        with np.errstate(invalid="ignore", over="ignore"):
            slope[:size] *= shares[part]
            values[:size] += slope[:size]
        yield part, values[:size]


def stretch(field: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """``field`` ``(h, w, c)`` stretched to ``(height, width, c)``, bilinear; itself where it has that size."""
    h, w, channels = field.shape
    if (h, w) == (height, width):
        return field
    wide = np.empty((width, h, channels), np.float32)
    for part, block in blend(field.transpose(1, 0, 2), taps(w, width)):
        wide[part] = block
    out = np.empty((height, width, channels), np.float32)
    for part, block in blend(wide.transpose(1, 0, 2), taps(h, height)):
        out[part] = block
    return out


def nearest(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """``image`` ``(h, w)`` stretched to ``(height, width)``: row ``i`` is row ``(i + 0.5) * h / height``, cut."""
    h, w = image.shape
    rows = (2 * np.arange(height) + 1) * h // (2 * height)
    columns = (2 * np.arange(width) + 1) * w // (2 * width)
    stretched: NDArray[np.uint8] = image[:, columns][rows]
    return stretched
