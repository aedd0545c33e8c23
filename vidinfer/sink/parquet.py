"""Parquet: the same flat rows as CSV (one per finding, one for each frame or gap without any), typed.

Names are dictionary-encoded, scores, coordinates and speeds 32-bit floats, ``frame`` and ``pts`` 64-bit integers,
``keypoints`` lists of ``[x, y, score]``, ``mask`` the ``counts`` of COCO's compressed RLE; missing is null. The key
``vidinfer`` of the schema's metadata holds a JSON object: source facts (with the size of the displayed picture, which
masks need), model facts, the categories by label, the keypoints' names and the pairs that a line joins. Pages have
checksums: damaged zstd may well unpack to something else.

One frame's rows stand together: ``SELECT label, count(*) FROM 'x.parquet' WHERE label IS NOT NULL GROUP BY label``
counts findings, ``count(DISTINCT frame)`` counts frames.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vidinfer.frame import SourceInfo
from vidinfer.record import LABELS_FORMAT, LabelledBatch
from vidinfer.sink.discardable import Discardable
from vidinfer.sink.findings import BOX, FLOW, Findings, Layout, layout_of
from vidinfer.sink.rows import Spans, columns_of, entry_columns, spread
from vidinfer.sink.text import ratio, utf8
from vidinfer.stages import ModelInfo

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ParquetWriter"]

ROW_GROUP = 1 << 16
"""Rows held in memory before they are written: a few MiB without masks."""
ROW_GROUP_BYTES = 16 << 20
"""Bytes held in memory before they are written: masks are long."""


class ParquetWriter:
    """Writes the rows of one source in row groups of bounded size."""

    def __init__(self, file: BinaryIO, source: SourceInfo, model: ModelInfo, *, by: bool = False) -> None:
        """``by``: say whose the results of a frame are."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._pa = pa
        self._layout = layout_of(source, model, by=by)
        self._source = utf8(source.name)
        self._names = [utf8(name) for name in model.categories]
        self._schema = _schema(self._layout, source, model)
        self._file = Discardable(file)
        self._writer = pq.ParquetWriter(
            pa.PythonFile(self._file, mode="w"), self._schema, compression="zstd", write_page_checksum=True
        )
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def write(self, batch: LabelledBatch, found: Findings) -> None:
        """Take the rows of ``batch``; whole row groups are written."""
        if not batch.entries:
            return
        self._waiting.append(self._record_batch(batch, found))
        self._rows += self._waiting[-1].num_rows
        self._bytes += self._waiting[-1].nbytes
        if self._rows >= ROW_GROUP or self._bytes >= ROW_GROUP_BYTES:
            self._write_waiting()

    def finish(self) -> None:
        """Write the last rows and the footer."""
        if self._rows:
            self._write_waiting()
        self._writer.close()

    def discard(self) -> None:
        """Let the library finish into nothing; it would otherwise try so when it is collected."""
        self._waiting.clear()
        self._file.discard()
        self._writer.close()

    def _write_waiting(self) -> None:
        table = self._pa.Table.from_batches(self._waiting, self._schema)
        self._waiting.clear()
        self._rows = self._bytes = 0
        self._writer.write_table(table, row_group_size=ROW_GROUP)

    def _record_batch(self, batch: LabelledBatch, found: Findings) -> pa.RecordBatch:
        pa = self._pa
        spans = spread(batch.entries, found.offsets)
        entry = pa.array(spans.entry)
        columns: dict[str, Any] = {
            name: pa.array(values, _plain(self._schema.field(name).type)).take(entry)
            for name, values in entry_columns(batch.entries, self._layout).items()
        }
        columns["source"] = pa.repeat(self._source, len(spans.entry))
        columns |= self._finding_columns(spans, found)
        arrays = []
        for field in self._schema:
            column = columns[field.name]
            arrays.append(column if column.type == field.type else column.cast(field.type))
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _finding_columns(self, spans: Spans, found: Findings) -> dict[str, Any]:
        pa = self._pa
        labels, missing = spans.take(found.labels)
        columns = {
            "label_id": pa.array(labels.astype(np.int32), mask=missing),
            "label": pa.DictionaryArray.from_arrays(
                pa.array(labels.astype(np.int32), mask=missing), pa.array(self._names, pa.string())
            ),
        }
        for name, column in found.numbers.items():
            values, missing = spans.take(column)
            columns[name] = pa.array(values, mask=missing)
        if self._layout.masks:
            columns["mask"] = pa.array(spans.pick(found.masks), pa.string())
        if self._layout.keypoints:
            columns["keypoints"] = _points(pa, spans, found.keypoints)
        return columns


def _points(pa: Any, spans: Spans, points: NDArray[np.float64] | None) -> Any:
    """The keypoints ``(m, k, 3)`` of the findings by row, as lists of lists; null without a finding."""
    if points is None or not len(points):
        return pa.nulls(len(spans.found), pa.list_(pa.list_(pa.float32())))
    k = points.shape[1]
    values = points[spans.finding[spans.found]].astype(np.float32).reshape(-1)
    triples = pa.ListArray.from_arrays(
        np.arange(0, len(values) + 1, 3, dtype=np.int32), pa.array(values, mask=~np.isfinite(values))
    )
    ends = np.cumsum(spans.found * k)
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), triples, mask=pa.array(~spans.found))


def _plain(kind: Any) -> Any:
    """The type of the values of a dictionary-encoded column."""
    return getattr(kind, "value_type", kind)


def _schema(layout: Layout, source: SourceInfo, model: ModelInfo) -> pa.Schema:
    import pyarrow as pa

    text = pa.dictionary(pa.int32(), pa.string())
    types = {
        **dict.fromkeys(("source", "time_base", "outcome", "reason", "label", "by"), text),
        **dict.fromkeys(
            ("frame", "pts", "first_pts", "last_pts", "packets", "from_frame", "from_pts"), pa.int64()
        ),
        **dict.fromkeys(("score", *BOX, "area", *FLOW), pa.float32()),
        **dict.fromkeys(("time", "flow_seconds"), pa.float64()),
        **dict.fromkeys(("clip_first_pts", "clip_last_pts"), pa.int64()),
        "clip_frames": pa.int32(),
        "clip_padded": pa.bool_(),
        "mask": pa.string(),
        "keypoints": pa.list_(pa.list_(pa.float32())),
        "label_id": pa.int32(),
    }
    facts = json.dumps(_facts(source, model), allow_nan=False, default=str)
    fields = [
        pa.field(name, types[name], nullable=name not in ("source", "time_base", "outcome"))
        for name in columns_of(layout)
    ]
    return pa.schema(fields, metadata={"vidinfer": facts})


def _facts(source: SourceInfo, model: ModelInfo) -> dict[str, object]:
    return {
        "labels_format": LABELS_FORMAT,
        "source": {
            "name": utf8(source.name),
            "width": source.width,
            "height": source.height,
            "time_base": ratio(source.time_base),
        },
        "model": {
            "name": model.name,
            "task": model.task,
            "weights": model.weights,
            "weights_sha256": model.weights_sha256,
            "device": model.device,
            "backend": model.backend,
            "precision": model.precision,
            "categories": [utf8(name) for name in model.categories],
            "keypoints": list(model.keypoints),
            "skeleton": [list(pair) for pair in model.skeleton],
        },
    }
