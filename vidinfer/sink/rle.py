"""COCO's run-length encoding: runs of pixels in column-major order, compressed to a string by pycocotools itself.

Runs are given by where they start and end (exclusive) in the picture's pixels, counted down the columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pycocotools.mask import frPyObjects

__all__ = ["Extent", "Runs", "compress", "expand", "extent", "pixels", "runs_in_columns"]

Runs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Starts and ends, ascending; an end may be the next start."""


class Extent(NamedTuple):
    """Where a mask is: its smallest rectangle and how many pixels belong to it, all 0 where none does."""

    x: int
    y: int
    width: int
    height: int
    area: int


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


def expand(counts: str, width: int, height: int) -> NDArray[np.int64]:
    """The lengths of the runs in ``counts``, the first of pixels that do not belong; what ``compress`` undoes.

    pycocotools' own decoder warns with each call under numpy 2, and takes a broken string without a word.

    Raises:
        ValueError: they are not those of ``width`` x ``height`` pixels.
    """
    characters = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    if not len(characters) or characters.min() < 0 or characters.max() > 63 or characters[-1] & 32:
        raise ValueError("a mask whose counts are not those of COCO's compressed RLE")
    last = np.flatnonzero((characters & 32) == 0)  # of each number: five bits a character, the lowest first
    first = np.concatenate([[0], last[:-1] + 1])
    place = np.arange(len(characters)) - np.repeat(first, last - first + 1)
    if place.max() > 6:
        raise ValueError("a mask whose counts are larger than any picture")
    runs = np.add.reduceat((characters & 31) << (5 * place), first)
    negative = (characters[last] & 16) > 0
    runs -= np.where(negative, 1 << (5 * (last - first + 1)), 0)
    runs[1::2] = np.cumsum(
        runs[1::2]
    )  # from the third run on, each is told by how it differs from the last but one
    runs[2::2] = np.cumsum(runs[2::2])
    if runs.min() < 0 or runs.sum() != width * height:
        raise ValueError(f"a mask that is not one of {width} x {height} pixels")
    return runs


def extent(counts: str, width: int, height: int) -> Extent:
    """Where the mask of a picture of ``width`` x ``height`` pixels is.

    Raises:
        ValueError: as ``expand``.
    """
    edges = np.cumsum(expand(counts, width, height))
    starts, ends = edges[0::2], edges[1::2]
    starts = starts[: len(ends)]
    starts, ends = starts[starts < ends], ends[starts < ends]
    if not len(starts):
        return Extent(0, 0, 0, 0, 0)
    first, last = np.divmod(starts, height), np.divmod(ends - 1, height)
    across = first[0] < last[0]  # runs from one column into the next
    top = 0 if across.any() else int(first[1].min())
    bottom = height - 1 if across.any() else int(last[1].max())
    left, right = int(first[0][0]), int(last[0][-1])
    return Extent(left, top, right - left + 1, bottom - top + 1, int((ends - starts).sum()))


def pixels(counts: str, width: int, height: int) -> NDArray[np.uint8]:
    """The mask as ``(height, width)``, 1 where a pixel belongs.

    Raises:
        ValueError: as ``expand``.
    """
    runs = expand(counts, width, height)
    flat = np.repeat(np.arange(len(runs)).astype(np.uint8) & 1, runs)
    return flat.reshape(width, height).T
