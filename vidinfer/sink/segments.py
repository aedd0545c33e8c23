"""Class maps as segments: one for each class in the picture, the largest first, with its area and its pixels."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from vidinfer.detections import NOT_REPORTED
from vidinfer.sink.rle import compress
from vidinfer.sink.stretch import nearest

__all__ = ["segments_of"]


def segments_of(
    class_map: NDArray[np.uint8], width: int, height: int, left_out: Collection[int]
) -> tuple[list[int], list[float], list[str]]:
    """The segments of ``class_map`` ``(h, w)`` stretched to ``width`` x ``height`` pixels.

    Args:
        left_out: classes without a segment.

    Returns:
        Class, share of the picture in [0, 1], and COCO's compressed ``counts`` of each segment.
    """
    pixels = nearest(class_map, width, height).T.reshape(-1)
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    edges = np.concatenate([[0], changes, [len(pixels)]]).astype(np.int64)
    starts, ends, classes = edges[:-1], edges[1:], pixels[edges[:-1]]
    areas = np.bincount(classes, ends - starts, minlength=NOT_REPORTED + 1)
    areas[list(left_out)] = 0
    labels = [int(label) for label in np.argsort(-areas, kind="stable") if areas[label]]
    counts = [compress((starts[classes == i], ends[classes == i]), width, height) for i in labels]
    return labels, [float(areas[i]) / len(pixels) for i in labels], counts
