"""COCO's run-length encoding: runs of pixels in column-major order, compressed to a string by pycocotools itself.

Runs are given by where they start and end (exclusive) in the picture's pixels, counted down the columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pycocotools.mask import frPyObjects

__all__ = ["Runs", "compress", "runs_in_columns"]

Runs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Starts and ends, ascending; an end may be the next start."""


def compress(runs: Runs, width: int, height: int) -> str:
    """The ``counts`` of a mask of ``width`` x ``height`` pixels, as ``pycocotools.mask.encode`` gives them."""
    starts, ends = runs
    touching = starts[1:] == ends[:-1]
    if touching.any():
        starts = starts[np.concatenate([[True], ~touching])]
        ends = ends[np.concatenate([~touching, [True]])]
    edges = np.stack([starts, ends], axis=1).reshape(-1)
    counts = np.diff(edges, prepend=0, append=width * height)
    if counts[-1] == 0 and len(counts) > 1:
        counts = counts[:-1]
    size = [height, width]
    packed = frPyObjects({"size": size, "counts": counts.astype(np.uint32)}, height, width)
    text: str = packed["counts"].decode("ascii")
    return text


def runs_in_columns(changes: NDArray[np.int64], x: int, y: int, rows: int, height: int) -> Runs:
    """Runs of a region at ``x``, ``y`` of a picture ``height`` pixels high.

    Args:
        changes: where the region's pixels begin or stop to belong, in turns, counted down its columns of ``rows``
            pixels and one more that never belongs.
    """
    column, row = np.divmod(changes, rows + 1)
    at = (x + column) * height + y + row
    return at[0::2], at[1::2]
