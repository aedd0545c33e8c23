"""Reads what :mod:`vidinfer.sink.csv` and :mod:`vidinfer.sink.parquet` write: flat rows, one per finding."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vidinfer.detections import PIXEL_DECIMALS, SCORE_DECIMALS
from vidinfer.errors import LabelError
from vidinfer.export.blocks import By, LabelBlock, whose
from vidinfer.frame import FrameStamp, Gap
from vidinfer.record import Entry, Outcome, Span
from vidinfer.sink.findings import (
    AREA_DECIMALS,
    BOX,
    DEGREE_DECIMALS,
    MOVING_DECIMALS,
    NUMBERS,
    SPEED_DECIMALS,
    Findings,
    Layout,
)
from vidinfer.sink.rows import CLIP, columns_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["parquet_metadata", "read_csv", "read_parquet", "read_table_names"]

T = TypeVar("T")

_ROWS = 4096
_CSV_BLOCK = 16 << 20
"""Bytes; a row is never as long."""
_DECIMALS = {
    **dict.fromkeys(BOX, PIXEL_DECIMALS),
    "score": SCORE_DECIMALS,
    "area": AREA_DECIMALS,
    "flow_mean": SPEED_DECIMALS,
    "flow_max": SPEED_DECIMALS,
    "flow_direction": DEGREE_DECIMALS,
    "flow_moving": MOVING_DECIMALS,
}
"""What Parquet's 32-bit numbers were before: the same as in the other formats."""
_BROKEN = (TypeError, ValueError, ZeroDivisionError, AttributeError, IndexError, OverflowError)
_BY = ("by", "from_frame", "from_pts")
"""Columns that a run may add, of whose the findings are."""
_ENTRY = ("pts", "time_base", "outcome", "reason", "first_pts", "last_pts", "packets")


def parquet_metadata(path: Path) -> Mapping[str, Any]:
    """The facts that a Parquet file holds itself.

    Raises:
        LabelError: it is damaged, or not of vidinfer.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_schema(path).metadata or {}
        facts = json.loads(found[b"vidinfer"])
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise _damaged(path, error) from error
    if not isinstance(facts, dict):
        raise LabelError(f"{path}: its metadata is not that of vidinfer; take an unchanged copy")
    return facts


def read_parquet(path: Path, layout: Layout) -> Iterator[LabelBlock]:
    """The records of ``path``, some at a time.

    Raises:
        LabelError: damaged, or of another layout.
    """
    yield from _told(path, _blocks(path, _parquet_batches(path), layout))


def read_csv(path: Path, layout: Layout) -> Iterator[LabelBlock]:
    """The records of ``path``, some at a time.

    Raises:
        LabelError: damaged, cut short, or of another layout.
    """
    yield from _told(path, _blocks(path, _csv_batches(path, layout), layout))


def read_table_names(path: Path, layout: Layout) -> dict[int, str]:
    """The names of all labels in a CSV file, by label.

    Raises:
        LabelError: damaged.
    """
    names: dict[int, str] = {}
    for batch in _told(path, _csv_batches(path, layout)):
        pairs = zip(batch.column("label_id").to_pylist(), batch.column("label").to_pylist(), strict=True)
        names |= {label: name for label, name in pairs if label is not None}
    return names


def _told(path: Path, parts: Iterator[T]) -> Iterator[T]:
    """``parts``; whatever a damaged file makes of its reader, Arrow's or ours, is one error."""
    import pyarrow as pa

    try:
        yield from parts
    except LabelError:
        raise
    except (pa.ArrowException, OSError, KeyError, *_BROKEN) as error:
        raise _damaged(path, error) from error


def _parquet_batches(path: Path) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        yield from file.iter_batches(_ROWS, use_threads=False)


def _csv_batches(path: Path, layout: Layout) -> Iterator[pa.RecordBatch]:
    from pyarrow import csv

    if not path.stat().st_size:
        raise LabelError(f"{path}: empty, not even a header; take a complete copy, or label again")
    with path.open("rb") as file:
        file.seek(-1, 2)
        if file.read(1) != b"\n":
            raise LabelError(f"{path}: cut short in its last line; take a complete copy, or label again")
    convert = csv.ConvertOptions(
        column_types=_csv_types(layout),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        true_values=["true"],
        false_values=["false"],
    )
    read = csv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK)
    with csv.open_csv(path, read, csv.ParseOptions(newlines_in_values=True), convert) as file:
        for batch in file:
            for first in range(0, batch.num_rows, _ROWS):
                yield batch.slice(first, _ROWS)


def _csv_types(layout: Layout) -> Mapping[str, Any]:
    import pyarrow as pa

    numbers = (*NUMBERS[layout.kind], "time")
    whole = (
        "frame",
        "pts",
        "from_frame",
        "from_pts",
        "first_pts",
        "last_pts",
        "packets",
        "label_id",
        *CLIP[:3],
    )
    text = ("source", "time_base", "outcome", "reason", "by", "label", "mask", "keypoints")
    return {
        **dict.fromkeys(numbers, pa.float64()),
        **dict.fromkeys(whole, pa.int64()),
        **dict.fromkeys(text, pa.string()),
        "clip_padded": pa.bool_(),
    }


def _damaged(path: Path, error: Exception) -> LabelError:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return LabelError(
        f"{path}: not a whole label file of vidinfer ({first}); take an undamaged copy, or label again"
    )


def _blocks(path: Path, batches: Iterator[pa.RecordBatch], layout: Layout) -> Iterator[LabelBlock]:
    """Records whole: the rows of the last one of a batch wait for the next batch."""
    import pyarrow as pa

    kept: pa.Table | None = None
    for batch in batches:
        table = pa.Table.from_batches([batch])
        if kept is None:
            _check(path, table.column_names, layout)
        else:
            table = pa.concat_tables([kept, table], promote_options="permissive")
        starts = _starts(table)
        if len(starts) > 1:
            yield _block(table.slice(0, int(starts[-1])), starts[:-1], layout)
        kept = table.slice(int(starts[-1])) if len(starts) else table
    if kept is not None and kept.num_rows:
        yield _block(kept, _starts(kept), layout)


def _check(path: Path, columns: Sequence[str], layout: Layout) -> None:
    expected = columns_of(layout)
    known = tuple(name for name in columns if name in expected or name not in _BY)
    if known != expected:
        odd = sorted(set(known) ^ set(expected)) or ["their order"]
        raise LabelError(
            f"{path}: its columns are not those of {layout.kind} ({', '.join(odd)}); "
            f"take an unchanged copy and the run.json that belongs to it"
        )


def _starts(table: pa.Table) -> NDArray[np.int64]:
    """The rows with which records begin: another frame, or a gap."""
    frames = table.column("frame").fill_null(-1).to_numpy()
    begins = np.ones(len(frames), np.bool_)
    begins[1:] = (frames[1:] != frames[:-1]) | (frames[1:] < 0)
    return np.flatnonzero(begins)


def _block(table: pa.Table, starts: NDArray[np.int64], layout: Layout) -> LabelBlock:
    found = _found(table, layout)
    counts = np.add.reduceat(found.astype(np.int64), starts)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    entries = _entries(table.take(starts), counts.tolist(), layout)
    return LabelBlock(entries, _findings(table.filter(found), offsets, layout))


def _found(table: pa.Table, layout: Layout) -> NDArray[np.bool_]:
    """``(rows,)``: whether a row holds a finding."""
    names = NUMBERS["flow"] if layout.kind == "flow" else ("label_id",)
    there = [table.column(name).is_valid().to_numpy() for name in names]
    return np.asarray(np.logical_or.reduce(there))


def _entries(rows: pa.Table, counts: Sequence[int], layout: Layout) -> list[Entry]:
    """One of each row of ``rows``, with so many findings."""
    columns = {name: rows.column(name).to_pylist() for name in ("frame", *_ENTRY)}
    spans = _spans(rows) if layout.kind == "clip" else [None] * len(counts)
    windows = layout.kind in ("clip", "flow")
    origins = _origins(rows)
    entries = []
    for i, (frame, pts, base, outcome, reason, first, last, packets) in enumerate(
        zip(*columns.values(), strict=True)
    ):
        what, time_base = Outcome(outcome), Fraction(base)
        if what is Outcome.GAP:
            gap = Gap(first, last, time_base, int(packets), str(reason))
            entries.append(Entry(what, gap, reason=gap.reason))
            continue
        if frame is None:
            raise ValueError(f"a {what} record without a frame")
        seen = what is Outcome.LABELLED and (counts[i] > 0 or not windows)
        stamp, (by, alike) = FrameStamp(frame, pts, time_base), origins[i]
        row = i if seen else -1
        entries.append(Entry(what, stamp, row, reason, span=spans[i], by=by, alike=alike))
    return entries


def _origins(rows: pa.Table) -> Sequence[tuple[By | None, FrameStamp | None]]:
    """``by`` and ``alike`` of each row."""
    if not set(_BY) <= set(rows.column_names):
        return [(None, None)] * rows.num_rows
    columns = (rows.column(name).to_pylist() for name in (*_BY, "time_base"))
    return [whose(by, index, pts, Fraction(base)) for by, index, pts, base in zip(*columns, strict=True)]


def _spans(rows: pa.Table) -> list[Span | None]:
    columns = (rows.column(name).to_pylist() for name in CLIP)
    return [
        None if frames is None else Span(first, last, frames, None, bool(padded))
        for first, last, frames, padded in zip(*columns, strict=True)
    ]


def _findings(rows: pa.Table, offsets: NDArray[np.int64], layout: Layout) -> Findings:
    """Of ``rows``, each of which holds one."""
    numbers = {name: _numbers(rows.column(name), name) for name in NUMBERS[layout.kind]}
    labels = np.zeros(0, np.int64)
    if layout.kind != "flow":
        labels = rows.column("label_id").to_numpy().astype(np.int64)
        if len(labels) and labels.min() < 0:
            raise ValueError(f"label_id {labels.min()}")
    masks = rows.column("mask").to_pylist() if layout.masks else None
    points = None
    if layout.keypoints:
        cells = rows.column("keypoints").to_pylist()
        lists = [json.loads(cell) if isinstance(cell, str) else cell for cell in cells]
        points = np.array(lists, np.float64).reshape(len(lists), layout.keypoints, 3)
        points[..., :2] = np.round(points[..., :2], PIXEL_DECIMALS)
        points[..., 2] = np.round(points[..., 2], SCORE_DECIMALS)
    return Findings(offsets, labels, numbers, masks, points)


def _numbers(column: Any, name: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = column.to_numpy().astype(np.float64)
    decimals = _DECIMALS.get(name)
    return values if decimals is None else np.round(values, decimals)
