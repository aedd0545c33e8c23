"""Shrinking with antialiasing and cutting out the middle, equal to torchvision's resize and centre crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from vidinfer.model.threads import torch_threads

__all__ = ["CropResampler"]

Floats = NDArray[np.float32]
CLOSE = 5e-4
"""So near to a half, in grey levels, the order of a float32 sum may decide how it is rounded."""
CHUNK = 256


@dataclass(frozen=True, slots=True)
class _Axis:
    """How each output position along one side is made from the ``n`` used input positions."""

    first: int
    """First input position that is used at all."""
    last: int
    """One past the last."""
    starts: NDArray[np.int64]
    """``(crop,)``: where the window of each output begins, counted from ``first``."""
    weights: Floats
    """``(crop, k)``: zeros behind the end of a shorter window."""
    windows: list[tuple[int, Tensor]]
    """The same for looping: start, and as many weights as there are."""


class CropResampler:
    """From ``(H, W, 3)`` uint8 to the central ``(crop, crop, 3)`` uint8 of the picture resized to ``resized``,
    rounded to uint8 as torchvision does for uint8 tensors.

    Only the pixels that the crop depends on are converted, and the first pass is along the columns, several times
    less work than resizing first and cutting afterwards. Where a value comes so close to a half that torch's order of
    summation would decide its rounding, it is summed again in that order: the result is torchvision's but for one grey
    level in about two values of a million.

    Thread rule: share freely; it holds nothing that changes.
    """

    def __init__(self, source: tuple[int, int], resized: tuple[int, int], crop: int, *, mode: str) -> None:
        """Sizes as ``(height, width)``; ``crop`` at most either side of ``resized``; ``mode`` as for interpolate."""
        with torch_threads(1), torch.inference_mode():
            self._down = _axis(source[0], resized[0], crop, mode)
            self._across = _axis(source[1], resized[1], crop, mode)

    def __call__(self, rgb: NDArray[np.uint8], place: NDArray[Any]) -> None:
        """Resample ``rgb`` into ``place``."""
        down, across = self._down, self._across
        used = np.ascontiguousarray(rgb[down.first : down.last, across.first : across.last])
        with torch_threads(1), torch.inference_mode():
            pixels = torch.from_numpy(used).reshape(len(used), -1).float()
            rows = _blend(pixels, down.windows)
            columns = rows.view(len(rows), -1, 3).permute(1, 2, 0).reshape(used.shape[1], -1)
            out = _blend(columns, across.windows).view(len(across.windows), 3, len(rows)).permute(2, 0, 1)
            out = out.contiguous()
            unsure = ((out - out.floor() - 0.5).abs() < CLOSE).nonzero(as_tuple=True)
            if len(unsure[0]):
                y, x, channel = (index.numpy() for index in unsure)
                out[unsure] = torch.from_numpy(self._in_order(used, y, x, channel))
            torch.from_numpy(place).copy_(out.clamp_(0, 255).round_())

    def _in_order(
        self, used: NDArray[np.uint8], y: NDArray[np.int64], x: NDArray[np.int64], channel: NDArray[np.int64]
    ) -> Floats:
        """These values as torch sums them: along each row first, one fused multiply-add after the other."""
        down, across = self._down, self._across
        rows = np.minimum(down.starts[y, None] + np.arange(down.weights.shape[1]), len(used) - 1)
        total = np.zeros(rows.shape, np.float32)
        for k in range(across.weights.shape[1]):
            column = np.minimum(across.starts[x] + k, used.shape[1] - 1)
            taps = used[rows, column[:, None], channel[:, None]]
            total = _fused(taps, across.weights[x, k][:, None], total)
        result = np.zeros(len(y), np.float32)
        for k in range(down.weights.shape[1]):
            result = _fused(total[:, k], down.weights[y, k], result)
        return result


def _fused(a: NDArray[Any], b: Floats, c: Floats) -> Floats:
    """``a * b + c`` rounded once: the product of two float32 is exact in float64."""
    return (a.astype(np.float64) * b + c).astype(np.float32)


def _blend(lines: Tensor, windows: list[tuple[int, Tensor]]) -> Tensor:
    """Weighted sums of neighbouring lines, one per window."""
    out = torch.empty(len(windows), lines.shape[1])
    for target, (start, weights) in zip(out, windows, strict=True):
        torch.mv(lines[start : start + len(weights)].T, weights, out=target)
    return out


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
    windows = [
        (int(start) - first, torch.from_numpy(weights[row, : stop - start]))
        for row, (start, stop) in enumerate(zip(starts, stops, strict=True))
    ]
    return _Axis(first, int(stops.max()), starts - first, weights, windows)
