"""What label files hold, worked out once for every format: rounding, missing values, one flat row per finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidinfer.detections import Results
from vidinfer.errors import SinkError
from vidinfer.frame import Gap
from vidinfer.record import Entry

__all__ = [
    "BOX",
    "BOX_DECIMALS",
    "SCORE_DECIMALS",
    "Findings",
    "Kind",
    "Spans",
    "columns_of",
    "entry_columns",
    "find",
    "kind_of",
    "ratio",
    "spread",
    "utf8",
]

Kind = Literal["objects", "classes"]
"""The key under which a task's findings stand."""

BOX = ("x1", "y1", "x2", "y2")
"""Columns of a box: pixels of the displayed picture, origin top left."""
BOX_DECIMALS = 2
"""Of pixels: finer than any detector is right."""
SCORE_DECIMALS = 5

_KINDS: dict[str, Kind] = {"detection": "objects", "classification": "classes"}


def kind_of(task: str) -> Kind:
    """What a model of ``task`` finds.

    Raises:
        SinkError: this version has no record for it.
    """
    if task not in _KINDS:
        raise SinkError(
            f"labels of a {task} model cannot be written; expected one of {', '.join(_KINDS)}; choose another model"
        )
    return _KINDS[task]


def columns_of(kind: Kind) -> tuple[str, ...]:
    """The columns of flat formats, in order."""
    return (
        *("source", "frame", "pts", "time_base", "time", "outcome", "reason", "label", "label_id", "score"),
        *(BOX if kind == "objects" else ()),
        *("first_pts", "last_pts", "packets"),
    )


def utf8(text: str) -> str:
    """``text`` with what UTF-8 cannot hold (file names in another encoding) replaced."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def ratio(value: Fraction) -> str:
    """``1/15360``, also for whole numbers."""
    return f"{value.numerator}/{value.denominator}"


@dataclass(frozen=True, slots=True)
class Findings:
    """The objects or classes of a batch in columns, rounded; not-a-number where the model gave none."""

    offsets: NDArray[np.int64]
    """``(n+1,)``: those of result row ``i`` are ``offsets[i]:offsets[i+1]``."""
    labels: NDArray[np.int64]
    """``(m,)``: indices into the categories."""
    scores: NDArray[np.float64]
    """``(m,)``, rounded to ``SCORE_DECIMALS``."""
    boxes: NDArray[np.float64] | None
    """``(m, 4)`` pixels, rounded to ``BOX_DECIMALS``; ``None`` for classes."""

    @property
    def not_finite(self) -> int:
        """Numbers that are none (they are written as missing)."""
        bad = np.count_nonzero(~np.isfinite(self.scores))
        return int(bad if self.boxes is None else bad + np.count_nonzero(~np.isfinite(self.boxes)))


def find(results: Results, kind: Kind) -> Findings:
    """The findings of a batch. Empty where the model saw none of its frames.

    Raises:
        SinkError: the results hold nothing of this kind, or labels beyond their categories.
    """
    found = _columns(results, kind)
    if len(found.labels) and not 0 <= found.labels.min() <= found.labels.max() < len(results.categories):
        raise SinkError(
            f"the model gave labels {found.labels.min()} to {found.labels.max()}, "
            f"expected 0 to {len(results.categories) - 1}: its categories do not fit"
        )
    return found


def _columns(results: Results, kind: Kind) -> Findings:
    if kind == "objects" and results.objects is not None:
        found = results.objects
        scores, boxes = _round(found.scores, SCORE_DECIMALS), _round(found.boxes, BOX_DECIMALS)
        return Findings(found.offsets, found.labels, scores, boxes)
    if kind == "classes" and results.classes is not None:
        n, k = results.classes.labels.shape
        scores = _round(results.classes.scores.reshape(-1), SCORE_DECIMALS)
        return Findings(np.arange(n + 1) * k, results.classes.labels.reshape(-1), scores, None)
    if results.frames:
        raise SinkError(f"the model gave no {kind} for its frames, which its task promises")
    no_boxes = np.zeros((0, 4)) if kind == "objects" else None
    return Findings(np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0), no_boxes)


def _round(values: NDArray[np.float32], decimals: int) -> NDArray[np.float64]:
    """Rounded in double precision, so that its shortest text has that many decimals; never -0.0."""
    wide = values.astype(np.float64)
    np.round(wide, decimals, out=wide)
    wide += 0.0
    return wide


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
        """``column`` ``(m,)`` of the findings, by row: values, and whether the value is missing (or not finite)."""
        if not len(column):
            return np.zeros(len(self.found), column.dtype), ~self.found
        values = column[self.finding]
        return values, ~(self.found & np.isfinite(values))


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


def entry_columns(entries: Sequence[Entry]) -> dict[str, list[Any]]:
    """One value per entry of each column that does not depend on findings; ``None`` where it does not apply."""
    frames = [None if isinstance(entry.at, Gap) else entry.at for entry in entries]
    gaps = [entry.at if isinstance(entry.at, Gap) else None for entry in entries]
    return {
        "frame": [at and at.index for at in frames],
        "pts": [at and at.pts for at in frames],
        "time_base": [ratio(entry.at.time_base) for entry in entries],
        "time": [at and at.time for at in frames],
        "outcome": [entry.outcome.value for entry in entries],
        "reason": [None if entry.reason is None else utf8(entry.reason) for entry in entries],
        "first_pts": [gap and gap.first_pts for gap in gaps],
        "last_pts": [gap and gap.last_pts for gap in gaps],
        "packets": [gap and gap.packets for gap in gaps],
    }
