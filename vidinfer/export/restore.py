"""Records as the results that they were written from, as far as they carry them: what an annotator needs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidinfer.detections import NOT_REPORTED, Classes, Objects, Results, Segments
from vidinfer.export.blocks import LabelRecord
from vidinfer.export.labels import LabelFile
from vidinfer.sink.rle import pixels

__all__ = ["restored"]

_FINEST = 256
"""Values a side of a mask, at most; it is stretched over its box."""


def restored(record: LabelRecord, labels: LabelFile) -> Results:
    """The results of one frame; of none where it has no findings to show.

    Numbers are as in the records. Masks are made from their pixels in the picture, the map of segments has the size of
    the picture; of optical flow there is nothing.
    """
    names, kind = labels.model.categories, labels.layout.kind
    if record.entry.row < 0 or kind == "flow":
        return Results(0, names)
    if kind == "objects":
        return Results(1, names, objects=_objects(record, labels))
    if kind == "segments":
        return Results(1, names, segments=_segments(record, labels))
    found = record.found
    classes = Classes(found.labels[None], found.numbers["score"][None].astype(np.float32))
    return Results(1, names, clips=classes) if kind == "clip" else Results(1, names, classes=classes)


def _objects(record: LabelRecord, labels: LabelFile) -> Objects:
    found, boxes = record.found, record.boxes
    size = labels.layout.width, labels.layout.height
    return Objects(
        found.offsets,
        boxes.astype(np.float32),
        found.numbers["score"].astype(np.float32),
        found.labels,
        None if found.masks is None else _masks(found.masks, boxes, *size),
        None if found.keypoints is None else found.keypoints.astype(np.float32),
    )


def _masks(
    masks: Sequence[str | None], boxes: NDArray[np.float64], width: int, height: int
) -> NDArray[np.float32]:
    """``(n, h, w)`` over the boxes: one value a pixel of the largest box, or a few less."""
    if not len(boxes):
        return np.zeros((0, 1, 1), np.float32)
    sides = np.nan_to_num(boxes[:, 2:] - boxes[:, :2], posinf=_FINEST).max(axis=0)
    w, h = (min(max(math.ceil(side), 1), _FINEST) for side in sides.tolist())
    values = np.zeros((len(boxes), h, w), np.float32)
    for i, counts in enumerate(masks):
        if counts is not None and np.isfinite(boxes[i]).all():
            inside = pixels(counts, width, height)
            x1, y1, x2, y2 = boxes[i].tolist()
            values[i] = _sampled(inside, _centres(y1, y2, h), _centres(x1, x2, w))
    return values


def _centres(first: float, last: float, count: int) -> NDArray[np.float64]:
    """Where the middles of ``count`` parts of a box's side lie, counted from the middle of pixel 0."""
    return np.asarray(first + (np.arange(count) + 0.5) * (last - first) / count - 0.5)


def _sampled(
    inside: NDArray[np.uint8], ys: NDArray[np.float64], xs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``inside`` ``(height, width)`` between its pixels, bilinear; 0 outside of it."""
    padded = np.pad(inside, 1).astype(np.float64)

    def taps(at: NDArray[np.float64], size: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        near = np.clip(at + 1, 0, size - 1)
        low = np.minimum(near.astype(np.int64), size - 2)
        return low, near - low

    rows, down = taps(ys, padded.shape[0])
    columns, right = taps(xs, padded.shape[1])
    tall = padded[rows] * (1 - down)[:, None] + padded[rows + 1] * down[:, None]
    return np.asarray(tall[:, columns] * (1 - right) + tall[:, columns + 1] * right)


def _segments(record: LabelRecord, labels: LabelFile) -> Segments:
    """Background and what was not asked for look alike, and like nothing."""
    width, height = labels.layout.width, labels.layout.height
    class_map = np.full((height, width), NOT_REPORTED, np.uint8)
    for label, counts in zip(record.found.labels.tolist(), record.found.masks or (), strict=True):
        if counts is not None and label < NOT_REPORTED:
            class_map[pixels(counts, width, height).astype(np.bool_)] = label
    return Segments(class_map[None])
