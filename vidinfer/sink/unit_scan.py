"""The findings of a unit as bare columns, for sums over many units: no records, no masks, little memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidinfer.sink.findings import BOX
from vidinfer.sink.unit_read import DamagedUnit

__all__ = ["Loss", "Scanned", "scan_losses", "scan_unit"]

ROWS = 4096
"""Frames in memory at a time."""
NO_PTS = np.iinfo(np.int64).min
_LOST = frozenset({"gap", "corrupt", "failed"})


@dataclass(frozen=True, slots=True)
class Scanned:
    """``n`` frames that the model saw, and their ``m`` findings."""

    pts: NDArray[np.int64]
    """``(n,)``; ``NO_PTS`` where it is not known."""
    counts: NDArray[np.int64]
    """``(n,)``: findings of each frame, which stand one after the other."""
    labels: NDArray[np.int64]
    """``(m,)``: indices into the categories."""
    scores: NDArray[np.float64]
    """``(m,)``: 0 to 1; of segments, their share of the picture."""
    boxes: NDArray[np.float64] | None
    """``(m, 4)``: x1, y1, x2, y2 in displayed pixels; ``None``: findings without a place."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A stretch that was not labelled, in units of the time base."""

    first_pts: int | None
    last_pts: int | None
    packets: int
    reason: str


def scan_unit(path: Path) -> Iterator[Scanned]:
    """The findings of a unit, some frames at a time; nothing for optical flow, which has no labels.

    Raises:
        DamagedUnit: the file is not whole.
    """
    for batch in _batches(path, ("labels", "score", "area", *BOX, "pts"), needed="labels"):
        names = set(batch.schema.names)
        lists = batch.column("labels")
        seen = np.asarray(lists.is_valid())
        pts = np.asarray(batch.column("pts").fill_null(NO_PTS), np.int64)[seen]
        counts = np.asarray(lists.value_lengths().fill_null(0), np.int64)[seen]
        labels = np.asarray(lists.flatten(), np.int64)
        by = "score" if "score" in names else "area"
        scores = _floats(batch.column(by).flatten()) if by in names else np.ones(len(labels))
        boxes = None
        if names.issuperset(BOX):
            boxes = np.stack([_floats(batch.column(side).flatten()) for side in BOX], axis=1)
        yield Scanned(pts, counts, labels, scores, boxes)


def scan_losses(path: Path, most: int) -> list[Loss]:
    """The first ``most`` gaps of a unit, and stretches of frames one after the other that are corrupt or failed alike.

    Raises:
        DamagedUnit: the file is not whole.
    """
    found: list[Loss] = []
    columns = ("outcome", "reason", "pts", "first_pts", "last_pts", "packets")
    before: tuple[int, str, str] | None = None
    row_of_batch = 0
    for batch in _batches(path, columns, needed="outcome"):
        outcomes = batch.column("outcome").dictionary_encode()
        codes = [code for code, name in enumerate(outcomes.dictionary.to_pylist()) if name in _LOST]
        lost = np.flatnonzero(np.isin(np.asarray(outcomes.indices), codes))
        for at, row in zip(lost.tolist(), batch.take(lost).to_pylist(), strict=True):
            loss, now = _loss(row), (row_of_batch + at, row["outcome"], row["reason"] or "")
            if now[1] != "gap" and before == (now[0] - 1, *now[1:]):
                found[-1] = replace(found[-1], last_pts=loss.last_pts)
            elif len(found) == most:
                return found
            else:
                found.append(loss)
            before = now
        row_of_batch += batch.num_rows
    return found


def _loss(row: dict[str, Any]) -> Loss:
    if row["outcome"] == "gap":
        return Loss(row["first_pts"], row["last_pts"], row["packets"] or 0, row["reason"] or "")
    words = "corrupt" if row["outcome"] == "corrupt" else "the model failed"
    return Loss(row["pts"], row["pts"], 0, f"{words}: {row['reason']}" if row["reason"] else words)


def _batches(path: Path, columns: tuple[str, ...], needed: str) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            there = [name for name in columns if name in file.schema_arrow.names]
            if needed in there:
                yield from file.iter_batches(ROWS, columns=there, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise DamagedUnit(f"{path}: not a whole unit ({str(error).splitlines()[0]})") from error


def _floats(column: Any) -> NDArray[np.float64]:
    return np.array(column.to_numpy(zero_copy_only=False), np.float64)
