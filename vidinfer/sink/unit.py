"""One unit of an archive in one Parquet file: a row for each frame or gap, its findings as lists, the receipt inside.

The findings are those that every label format writes (``vidinfer.sink.findings``: rounded, masks as text), in full
precision, so the label files of a whole source can be made of its units later, byte for byte as if they had been
written by the run itself. The receipt, a JSON object, is in the footer of the same file: a file that has its final name
is complete, and there is no second file that could tell otherwise.

Pages carry checksums, and the whole file a seal (``vidinfer.sink.seal``), which reading verifies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from vidinfer.frame import Gap, SourceInfo
from vidinfer.record import Entry, LabelledBatch
from vidinfer.sink.discardable import Discardable
from vidinfer.sink.findings import NUMBERS, Findings, Layout, layout_of
from vidinfer.sink.seal import BLANK, SEAL, SealedFile
from vidinfer.stages import ModelInfo

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RECEIPT", "UnitWriter", "unit_columns"]

RECEIPT = "vidinfer.receipt"
"""The footer's key."""
ROW_GROUP = 1 << 12
"""Frames held in memory before they are written."""
ROW_GROUP_BYTES = 16 << 20
"""Bytes, likewise: masks are long."""


class UnitWriter:
    """A :class:`vidinfer.sink.labels.LabelWriter`: the rows of one unit, then its receipt."""

    def __init__(
        self,
        file: BinaryIO,
        source: SourceInfo,
        model: ModelInfo,
        receipt: Callable[[], Mapping[str, object]],
    ) -> None:
        """``receipt`` is asked for at the end: what is to be told of the unit, ready for JSON."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._pa = pa
        self._layout = layout_of(source, model)
        self._receipt = receipt
        self._schema = pa.schema(list(unit_columns(self._layout).items()))
        self._sealed = SealedFile(file)
        self._file = Discardable(self._sealed)
        self._writer = pq.ParquetWriter(
            pa.PythonFile(self._file, mode="w"), self._schema, compression="zstd", write_page_checksum=True
        )
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def write(self, batch: LabelledBatch, found: Findings) -> None:
        """Take the rows of ``batch``; whole row groups are written."""
        if not batch.entries:
            return
        self._waiting.append(self._record_batch(batch.entries, found))
        self._rows += len(batch.entries)
        self._bytes += self._waiting[-1].nbytes
        if self._rows >= ROW_GROUP or self._bytes >= ROW_GROUP_BYTES:
            self._write_waiting()

    def finish(self) -> None:
        """Write the last rows and the footer."""
        if self._rows:
            self._write_waiting()
        text = json.dumps(self._receipt(), allow_nan=False, default=str)
        self._writer.add_key_value_metadata({RECEIPT: text, SEAL: BLANK})
        self._writer.close()
        self._sealed.seal()

    def discard(self) -> None:
        """Let the library finish into nothing; it would otherwise try so when it is collected."""
        self._waiting.clear()
        self._file.discard()
        self._writer.close()

    def _write_waiting(self) -> None:
        table = self._pa.Table.from_batches(self._waiting, self._schema)
        self._waiting.clear()
        self._rows = self._bytes = 0
        self._writer.write_table(table.combine_chunks(), row_group_size=ROW_GROUP)

    def _record_batch(self, entries: Any, found: Findings) -> pa.RecordBatch:
        pa, columns = self._pa, _entry_columns(entries)
        columns |= self._finding_columns(entries, found)
        arrays = []
        for field in self._schema:
            column = columns[field.name]
            arrays.append(column if isinstance(column, pa.Array) else pa.array(column, field.type))
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _finding_columns(self, entries: Any, found: Findings) -> dict[str, Any]:
        """Lists by entry: null for one that the model gave no result for, empty where it found nothing."""
        pa = self._pa
        row = np.fromiter((entry.row for entry in entries), np.int64, len(entries))
        known = row >= 0
        counts = np.zeros(len(entries), np.int64)
        counts[known] = np.diff(found.offsets)[row[known]]
        first = np.zeros(len(entries), np.int64)
        first[known] = found.offsets[:-1][row[known]]
        begins = np.cumsum(counts) - counts
        order = np.arange(counts.sum()) + np.repeat(first - begins, counts)
        offsets = pa.array(np.append(begins, counts.sum()).astype(np.int32))
        missing = pa.array(~known)

        def lists(values: Any) -> Any:
            return pa.ListArray.from_arrays(offsets, values, mask=missing)

        columns = {name: lists(pa.array(found.numbers[name][order])) for name in NUMBERS[self._layout.kind]}
        if self._layout.kind != "flow":
            columns["labels"] = lists(pa.array(found.labels[order].astype(np.int32)))
        if self._layout.masks:
            masks = found.masks
            texts = [None] * len(order) if masks is None else [masks[i] for i in order.tolist()]
            columns["masks"] = lists(pa.array(texts, pa.string()))
        if self._layout.keypoints:
            width = 3 * self._layout.keypoints
            points = np.zeros((0, width)) if found.keypoints is None else found.keypoints.reshape(-1, width)
            flat = pa.array(points[order].reshape(-1))
            columns["keypoints"] = lists(pa.FixedSizeListArray.from_arrays(flat, width))
        return columns


def unit_columns(layout: Layout) -> dict[str, pa.DataType]:
    """Names and types, in order."""
    import pyarrow as pa

    text = pa.dictionary(pa.int32(), pa.string())
    integers = ("frame", "pts", "duration", "first_pts", "last_pts", "packets")
    spans = ("span_first_pts", "span_last_pts", "span_frames", "from_frame", "from_pts")
    columns: dict[str, pa.DataType] = {
        **dict.fromkeys(("outcome", "reason", "time_base", "by"), text),
        **dict.fromkeys((*integers, *spans), pa.int64()),
        "span_seconds": pa.float64(),
        **dict.fromkeys(("keyframe", "span_padded", "audited"), pa.bool_()),
    }
    if layout.kind != "flow":
        columns["labels"] = pa.list_(pa.int32())
    columns |= dict.fromkeys(NUMBERS[layout.kind], pa.list_(pa.float64()))
    if layout.masks:
        columns["masks"] = pa.list_(pa.string())
    if layout.keypoints:
        columns["keypoints"] = pa.list_(pa.list_(pa.float64(), 3 * layout.keypoints))
    return columns


def _entry_columns(entries: Any) -> dict[str, Any]:
    """All that an :class:`Entry` says, but for its findings, picture and arrival."""
    ats = [entry.at for entry in entries]
    frames = [None if isinstance(at, Gap) else at for at in ats]
    gaps = [at if isinstance(at, Gap) else None for at in ats]
    spans = [entry.span for entry in entries]
    return {
        "outcome": [entry.outcome.value for entry in entries],
        "reason": [_reason(entry) for entry in entries],
        "time_base": [f"{at.time_base.numerator}/{at.time_base.denominator}" for at in ats],
        "frame": [None if at is None else at.index for at in frames],
        "pts": [None if at is None else at.pts for at in frames],
        "duration": [None if at is None else at.duration for at in frames],
        "keyframe": [None if at is None else at.keyframe for at in frames],
        "first_pts": [None if at is None else at.first_pts for at in gaps],
        "last_pts": [None if at is None else at.last_pts for at in gaps],
        "packets": [None if at is None else at.packets for at in gaps],
        "span_first_pts": [None if span is None else span.first_pts for span in spans],
        "span_last_pts": [None if span is None else span.last_pts for span in spans],
        "span_frames": [None if span is None else span.frames for span in spans],
        "span_seconds": [None if span is None else span.seconds for span in spans],
        "span_padded": [None if span is None else span.padded for span in spans],
        "by": [entry.by for entry in entries],
        "from_frame": [None if entry.alike is None else entry.alike.index for entry in entries],
        "from_pts": [None if entry.alike is None else entry.alike.pts for entry in entries],
        "audited": [entry.audited for entry in entries],
    }


def _reason(entry: Entry) -> str | None:
    return entry.reason or (entry.at.reason if isinstance(entry.at, Gap) else None)
