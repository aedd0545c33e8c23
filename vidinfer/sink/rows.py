"""The flat rows of CSV and Parquet: one per finding, one for each frame or gap without any, a row's parts by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vidinfer.frame import Gap
from vidinfer.record import Entry, Outcome
from vidinfer.sink.findings import NUMBERS, Layout
from vidinfer.sink.text import ratio, utf8

__all__ = ["CLIP", "Spans", "columns_of", "entry_columns", "spread"]

T = TypeVar("T")

CLIP = ("clip_first_pts", "clip_last_pts", "clip_frames", "clip_padded")
"""Columns of a clip: which frames it is made of."""
BY = ("by", "from_frame", "from_pts")
"""Columns of whose the results are: ``model``, or ``propagated`` and from where."""


def columns_of(layout: Layout) -> tuple[str, ...]:
    """The columns of flat formats, in order."""
    return (
        *("source", "frame", "pts", "time_base", "time", "outcome", "reason"),
        *(() if layout.kind == "flow" else ("label", "label_id")),
        *NUMBERS[layout.kind],
        *(("mask",) if layout.masks else ()),
        *(("keypoints",) if layout.keypoints else ()),
        *(CLIP if layout.kind == "clip" else ()),
        *(BY if layout.by else ()),
        *("first_pts", "last_pts", "packets"),
    )


@dataclass(frozen=True, slots=True)
class Spans:
    """How a batch becomes flat rows: one per finding, and one for each entry without any."""

    entry: NDArray[np.int64]
    """``(rows,)``: which entry of the batch."""
    found: NDArray[np.bool_]
    """``(rows,)``: whether the row holds a finding."""
    finding: NDArray[np.int64]
    """``(rows,)``: which finding; 0 where there is none."""

    def take(self, column: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """``column`` ``(m,)`` of the findings, by row: values, and whether it is missing (or not finite)."""
        if not len(column):
            return np.zeros(len(self.found), column.dtype), np.ones(len(self.found), np.bool_)
        values = column[self.finding]
        return values, ~(self.found & np.isfinite(values))

    def pick(self, items: Sequence[T | None] | None) -> list[T | None]:
        """``items`` of the findings, by row; ``None`` where there is no finding, and everywhere without items."""
        if not items:
            return [None] * len(self.found)
        rows = zip(self.finding.tolist(), self.found.tolist(), strict=True)
        return [items[finding] if found else None for finding, found in rows]


def spread(entries: Sequence[Entry], offsets: NDArray[np.int64]) -> Spans:
    """Lay out the flat rows of ``entries``, whose findings are given by ``offsets``."""
    row = np.fromiter((entry.row for entry in entries), np.int64, len(entries))
    known = row >= 0
    first = np.where(known, offsets[np.where(known, row, 0)], 0)
    last = np.where(known, offsets[np.where(known, row + 1, 0)], 0)
    counts = np.maximum(last - first, 1)
    begins = np.cumsum(counts) - counts
    found = np.repeat(last > first, counts)
    finding = np.arange(len(found)) + np.repeat(first - begins, counts)
    return Spans(np.repeat(np.arange(len(entries)), counts), found, np.where(found, finding, 0))


def entry_columns(entries: Sequence[Entry], layout: Layout) -> dict[str, list[Any]]:
    """One value per entry of each column that does not depend on findings; ``None`` where it does not apply."""
    frames = [None if isinstance(entry.at, Gap) else entry.at for entry in entries]
    gaps = [entry.at if isinstance(entry.at, Gap) else None for entry in entries]
    columns: dict[str, list[Any]] = {
        "frame": [at and at.index for at in frames],
        "pts": [at and at.pts for at in frames],
        "time_base": [ratio(entry.at.time_base) for entry in entries],
        "time": [at and at.time for at in frames],
        "outcome": [entry.outcome.value for entry in entries],
        "reason": [_reason(entry) for entry in entries],
        "first_pts": [gap and gap.first_pts for gap in gaps],
        "last_pts": [gap and gap.last_pts for gap in gaps],
        "packets": [gap and gap.packets for gap in gaps],
    }
    if layout.by:
        origins = [entry.alike if entry.outcome is Outcome.LABELLED else None for entry in entries]
        columns |= {
            "by": [entry.by if entry.outcome is Outcome.LABELLED else None for entry in entries],
            "from_frame": [origin and origin.index for origin in origins],
            "from_pts": [origin and origin.pts for origin in origins],
        }
    if layout.kind == "clip":
        clips = [entry.span if entry.row >= 0 else None for entry in entries]
        columns |= {
            "clip_first_pts": [clip and clip.first_pts for clip in clips],
            "clip_last_pts": [clip and clip.last_pts for clip in clips],
            "clip_frames": [clip and clip.frames for clip in clips],
            "clip_padded": [clip and clip.padded for clip in clips],
        }
    return columns


def _reason(entry: Entry) -> str | None:
    reason = entry.reason or (entry.at.reason if isinstance(entry.at, Gap) else None)
    return None if reason is None else utf8(reason)
