"""Which objects a format of boxes can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidinfer.export.blocks import LabelRecord
from vidinfer.export.tally import Tally

__all__ = ["finite", "inside"]


def finite(record: LabelRecord, classes: Mapping[int, Any], tally: Tally) -> NDArray[np.int64]:
    """The objects of ``record`` whose box and score are numbers, and that are of ``classes``; the rest is counted."""
    numbers = np.stack(list(record.found.numbers.values()))
    known = np.isfinite(numbers).all(axis=0)
    if not known.all():
        tally.left_out["without finite coordinates"] += int(np.count_nonzero(~known))
    named = np.array([label in classes for label in record.found.labels.tolist()], np.bool_)
    if not named.all():
        tally.left_out["of the background class"] += int(np.count_nonzero(known & ~named))
    return np.flatnonzero(known & named)


def inside(
    boxes: NDArray[np.float64], width: int, height: int, tally: Tally
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """``boxes`` ``(n, 4)`` cut at the edges of the picture, and which of them have anything left."""
    cut = np.clip(boxes, 0, [width, height] * 2)
    there = (cut[:, 0] < cut[:, 2]) & (cut[:, 1] < cut[:, 3])
    if not there.all():
        tally.left_out["with no area in the picture"] += int(np.count_nonzero(~there))
    return cut, there
