"""Instance masks in the pixels of the picture, as torchvision's ``paste_masks_in_image`` puts them there.

Only the part of each box that lies in the picture is calculated, and only its runs are kept: memory for one region,
however many instances there are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidinfer.sink.rle import Runs, compress, runs_in_columns
from vidinfer.sink.stretch import blend, taps

__all__ = ["mask_counts"]

FloatArray = NDArray[np.float32]

_INSIDE = np.float32(0.5)
"""A pixel belongs to the object from this value on."""
_FAR = float(1 << 30)
"""Corners beyond are moved here: they are far outside of any picture."""


def mask_counts(masks: FloatArray, boxes: FloatArray, width: int, height: int) -> list[str | None]:
    """COCO's compressed ``counts`` of each object, in a picture of ``width`` x ``height`` pixels.

    Args:
        masks: ``(m, h, w)`` in [0, 1], stretched over the boxes.
        boxes: ``(m, 4)``: x1, y1, x2, y2 in pixels.

    Returns:
        One string per object; ``None`` where the box is not finite.
    """
    if not len(masks):
        return []
    padded = np.pad(masks.astype(np.float32, copy=False), ((0, 0), (1, 1), (1, 1)))
    finite = np.logical_and.reduce(np.isfinite(boxes), axis=1)
    corners = _corners(np.where(finite[:, None], boxes, np.float32(0)), padded.shape[2] / masks.shape[2])
    return [
        compress(_runs(mask, corner, width, height), width, height) if known else None
        for mask, corner, known in zip(padded, corners.tolist(), finite.tolist(), strict=True)
    ]


def _corners(boxes: FloatArray, scale: float) -> NDArray[np.int64]:
    """Boxes made larger about their centres by ``scale``, in whole pixels; the last row and column belong to them."""
    near = np.clip(boxes, -_FAR, _FAR).astype(np.float32, copy=False)
    half = (near[:, 2:] - near[:, :2]) * np.float32(0.5) * np.float32(scale)
    centre = (near[:, 2:] + near[:, :2]) * np.float32(0.5)
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.int64)


def _runs(mask: FloatArray, corner: list[int], width: int, height: int) -> Runs:
    """The runs of one mask ``(h, w)`` stretched over its box."""
    x1, y1, x2, y2 = corner
    left, right = max(x1, 0), min(x2 + 1, width)
    top, bottom = max(y1, 0), min(y2 + 1, height)
    if left >= right or top >= bottom:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows, columns = bottom - top, right - left
    h, w = mask.shape
    tall = np.empty((rows, w), np.float32)
    for part, block in blend(mask, taps(h, y2 - y1 + 1, top - y1, bottom - y1)):
        tall[part] = block
    # One pixel before the first column and one after each never belong, so that every run ends in its column.
    inside = np.zeros(1 + columns * (rows + 1), np.bool_)
    region = inside[1:].reshape(columns, rows + 1)[:, :rows]
    for part, block in blend(tall.T, taps(w, x2 - x1 + 1, left - x1, right - x1)):
        np.greater_equal(block, _INSIDE, out=region[part])
    changes = np.flatnonzero(inside[1:] != inside[:-1])
    return runs_in_columns(changes, left, top, rows, height)
