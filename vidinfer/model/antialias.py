"""Shrinking with antialiasing and cutting out the middle, equal to torchvision's resize and centre crop."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from vidinfer.model.inorder import SumsInOrder
from vidinfer.model.lines import ByteLines, LineSums
from vidinfer.model.threads import torch_threads

__all__ = ["CropResampler"]

cv2.setNumThreads(1)  # of the whole process: these pictures are too small to share

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Indices = NDArray[np.int64]
CHUNK = 256
AT_ONCE = 2048
"""Values summed again at a time."""
BLOCK_BYTES = 1 << 21
"""Of the picture's rows worked on at a time, so that they stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """How each output position along one side is made from neighbouring input positions."""

    first: int
    """First input position that is used at all."""
    last: int
    """One past the last."""
    starts: Indices
    """``(n,)``: where the window of each output begins, counted from ``first``."""
    weights: Floats
    """``(n, k)``: zeros behind the end of a shorter window."""

    @property
    def gain(self) -> float:
        """Most that the result may be, as a multiple of the largest input."""
        return float(np.abs(self.weights).sum(axis=1, dtype=np.float64).max())

    def error(self, largest: float) -> float:
        """Most that a float32 sum, one product after the other, is off, for inputs up to ``largest``."""
        products = np.abs(self.weights.astype(np.float64)) * largest
        values = np.stack([products, np.cumsum(products, axis=1)])
        roundings = np.exp2(np.floor(np.log2(np.maximum(values, 1e-30))) - 24)
        return float(roundings.sum(axis=(0, 2)).max())


@dataclass(frozen=True, slots=True)
class _Block:
    """Output rows worked on together."""

    rows: slice
    used: slice
    """The input rows that they are made from."""
    sums: LineSums


class CropResampler:
    """From ``(H, W, 3)`` uint8 to the central ``crop`` of the picture resized to ``resized``: ``(h, w, 3)`` uint8,
    rounded as torchvision does for uint8 tensors.

    Only the pixels that the crop depends on are read, and the first pass is along the columns, several times
    less work than resizing first and cutting afterwards. Where a value comes so close to a half that torch's order of
    summation would decide its rounding, it is summed again in that order: the result is torchvision's. Where torch was
    compiled to another order, one grey level in a few values of a million may differ.

    Thread rule: share freely; each thread has its own working memory.
    """

    def __init__(
        self, source: tuple[int, int], resized: tuple[int, int], crop: tuple[int, int], *, mode: str
    ) -> None:
        """Sizes as ``(height, width)``; ``crop`` at most ``resized``; ``mode`` as for interpolate."""
        with torch_threads(1), torch.inference_mode():
            self._down = down = _axis(source[0], resized[0], crop[0], mode)
            self._across = across = _axis(source[1], resized[1], crop[1], mode)
        width = 3 * (across.last - across.first)
        self._blocks = _blocks(down, BLOCK_BYTES // width)
        self._lines = ByteLines(max(block.used.stop - block.used.start for block in self._blocks), width)
        self._turned = _Room(width * max(block.rows.stop - block.rows.start for block in self._blocks))
        self._columns = LineSums(across.starts, across.weights)
        self._rows_in_order = SumsInOrder(down.starts, down.weights)
        self._columns_in_order = SumsInOrder(across.starts, across.weights)
        # torch is off by this at most, and so are we; then one more rounding.
        error = down.error(255 * across.gain) * across.gain + across.error(255 * down.gain) * down.gain
        self.close = 2 * error + 2**-16
        """So near to a half, in grey levels, the order of a sum may decide how it is rounded."""

    def __call__(self, rgb: Bytes, place: NDArray[Any]) -> None:
        """Resample ``rgb`` into ``place``, which is contiguous."""
        down, across = self._down, self._across
        used = rgb[down.first : down.last, across.first : across.last]
        lines = used.reshape(len(used), -1)
        out = place.reshape(len(place), -1)
        unsure = []
        with torch_threads(1), torch.inference_mode():
            for block in self._blocks:
                rows = block.sums.of_bytes(self._lines.put(lines[block.used])).numpy()
                turned = self._turned.floats[: rows.size].reshape(rows.shape[::-1])
                cv2.transpose(rows, dst=turned)
                columns = torch.from_numpy(turned.reshape(used.shape[1], -1))
                values = self._columns.of_floats(columns).numpy().reshape(out.shape[1], -1)
                rounded, upper = (_rounded(values, by) for by in (-self.close, self.close))
                unsure.append(_where_not(rounded, upper, block.rows))
                cv2.transpose(rounded, dst=out[block.rows])
        which = np.concatenate(unsure, axis=1)
        for first in range(0, which.shape[1], AT_ONCE):  # a few dozen, but for pictures made to be hard
            row, column = which[:, first : first + AT_ONCE]
            out[row, column] = np.rint(self._in_order(lines, row, column)).clip(0, 255)

    def _in_order(self, lines: Bytes, y: Indices, column: Indices) -> Floats:
        """These values as torch sums them: along each row first."""
        x, channel = np.divmod(column, 3)
        rows, columns = self._rows_in_order.taps(y), 3 * self._columns_in_order.taps(x) + channel
        flat = as_strided(lines, ((len(lines) - 1) * lines.strides[0] + lines.shape[1],), (1,))
        taps = flat.take((rows * lines.strides[0]).T + columns[:, :, None])  # (k, values, rows)
        return self._rows_in_order(self._columns_in_order(taps, x).T, y)


class _Room(threading.local):
    """Memory of each thread's own, so that none need be fetched for each picture."""

    def __init__(self, size: int) -> None:
        self.floats = np.empty(size, np.float32)


def _rounded(values: Floats, offset: float) -> Bytes:
    """``values + offset``: halves to even, cut off at 0 and 255."""
    return cv2.add(values, offset, dtype=cv2.CV_8U)  # type: ignore[call-overload, no-any-return]


def _where_not(one: Bytes, other: Bytes, rows: slice) -> Indices:
    """Where these two differ: ``(2, n)`` row of the result, and column of the result."""
    column, row = np.divmod(np.flatnonzero(one != other), rows.stop - rows.start)
    return np.stack([rows.start + row, column])


def _blocks(down: _Axis, most: int) -> list[_Block]:
    """Consecutive outputs that need no more than ``most`` input rows, but at least one each."""
    stops = down.starts + (down.weights != 0).cumsum(axis=1).argmax(axis=1) + 1
    blocks = []
    first = 0
    while first < len(stops):
        used = int(down.starts[first])
        last = max(first + 1, int(np.searchsorted(stops, used + most, side="right")))
        sums = LineSums(down.starts[first:last] - used, down.weights[first:last])
        blocks.append(_Block(slice(first, last), slice(used, int(stops[last - 1])), sums))
        first = last
    return blocks


def _axis(source: int, resized: int, crop: int, mode: str) -> _Axis:
    """Filter windows of the ``crop`` central positions out of ``resized``, asked of torch itself.

    Resizing lines that are zero but for a single one shows the weights that this one has.
    """
    margin = round((resized - crop) / 2.0)
    shares = []
    for first in range(0, source, CHUNK):
        lines = torch.zeros(1, 1, min(CHUNK, source - first), source)
        lines[0, 0].diagonal(first).fill_(1.0)
        seen = interpolate(lines, size=(lines.shape[2], resized), mode=mode, antialias=True)
        shares.append(seen[0, 0, :, margin : margin + crop])
    share = torch.cat(shares).T.contiguous().numpy()  # (crop, source)
    there = share != 0
    starts, stops = there.argmax(axis=1), source - there[:, ::-1].argmax(axis=1)
    first, longest = int(starts.min()), int((stops - starts).max())
    weights = np.zeros((crop, longest), np.float32)
    for row, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        weights[row, : stop - start] = share[row, start:stop]
    return _Axis(first, int(stops.max()), starts - first, weights)
