"""Where labels go: inside the picture, next to their box, off each other where that is simple."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["place_labels"]

IntArray = NDArray[np.int64]


def place_labels(boxes: IntArray, sizes: IntArray, width: int, height: int) -> IntArray:
    """Choose the top left corner of each label.

    Tried in this order: above the box, below it, inside its top, its bottom, and each again aligned with the
    box's right edge. The first place that covers no earlier label wins, else the one that covers least.

    Args:
        boxes: ``(m, 4)`` x1, y1, x2, y2 in pixels, best first.
        sizes: ``(m, 2)`` width and height of each label.
        width: of the picture.
        height: of the picture.

    Returns:
        ``(m, 2)`` x, y; every label lies inside the picture if it is no larger than it.
    """
    m = len(boxes)
    places = _candidates(boxes, sizes, width, height)
    covered = np.zeros(places.shape[:2], np.float32)
    covered += np.arange(places.shape[1], dtype=np.float32) * 1e-3  # equal otherwise: the earlier place
    covered += _off_its_place(places, boxes, sizes)
    chosen = np.zeros((m, 2), np.int64)
    low, high = places, places + sizes[:, None]
    for i in range(m):
        best = int(covered[i].argmin())
        chosen[i] = low[i, best]
        if i + 1 < m:  # what the next labels would cover of this one
            shared = np.minimum(high[i + 1 :], high[i, best]) - np.maximum(low[i + 1 :], low[i, best])
            np.maximum(shared, 0, out=shared)
            covered[i + 1 :] += shared[..., 0] * shared[..., 1]
    return chosen


def _candidates(boxes: IntArray, sizes: IntArray, width: int, height: int) -> IntArray:
    """``(m, 8, 2)``: corners of all places, moved into the picture."""
    x1, y1, x2, y2 = boxes.T
    w, h = sizes.T
    xs = np.stack([x1, x2 - w], axis=1)
    ys = np.stack([y1 - h, y2, y1, y2 - h], axis=1)
    xs = np.clip(xs, 0, np.maximum(width - w, 0)[:, None])
    ys = np.clip(ys, 0, np.maximum(height - h, 0)[:, None])
    return np.stack([np.repeat(xs, 4, axis=1), np.tile(ys, (1, 2))], axis=2)


def _off_its_place(places: IntArray, boxes: IntArray, sizes: IntArray) -> NDArray[np.float32]:
    """A small price, ``(m, 8)``, for labels "above" or "below" that had to move into the picture."""
    wanted = np.stack(
        [boxes[:, 1] - sizes[:, 1], boxes[:, 3], boxes[:, 1], boxes[:, 3] - sizes[:, 1]], axis=1
    )
    moved = np.abs(np.tile(wanted, (1, 2)) - places[..., 1]) > 0
    return moved.astype(np.float32)
