"""CSV: a header, then one row per finding; a frame or gap without findings has one row with those fields empty.

Columns, in this order (``x1`` to ``y2`` only for detection):

=============================================  ==================================================================
``source``, ``frame``, ``pts``, ``time_base``  which frame; ``frame`` and ``pts`` are empty for a gap
``time``                                       seconds, derived from ``pts``
``outcome``, ``reason``                        ``labelled``, or what else became of it and why
``label``, ``label_id``, ``score``             the finding, best first within a frame
``x1``, ``y1``, ``x2``, ``y2``                 pixels of the displayed picture, origin top left
``first_pts``, ``last_pts``, ``packets``       of a gap
=============================================  ==================================================================

UTF-8, comma, ``"`` for quoting, ``\\n`` at line ends. An empty field is a missing value.
"""

from __future__ import annotations

import csv
import io
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vidinfer.frame import SourceInfo
from vidinfer.record import LabelledBatch
from vidinfer.sink.rows import BOX, Findings, Kind, columns_of, entry_columns, kind_of, spread, utf8
from vidinfer.stages import ModelInfo

__all__ = ["CsvWriter"]


class CsvWriter:
    """Writes the rows of one source, column by column."""

    def __init__(self, file: BinaryIO, source: SourceInfo, model: ModelInfo) -> None:
        self._file = file
        self._kind: Kind = kind_of(model.task)
        self._source = utf8(source.name)
        self._names = [utf8(name) for name in model.categories]
        self._columns = columns_of(self._kind)
        self._file.write((",".join(self._columns) + "\n").encode())

    def write(self, batch: LabelledBatch, found: Findings) -> None:
        """Append the rows of ``batch``."""
        if not batch.entries:
            return
        spans = spread(batch.entries, found.offsets)
        columns = {
            name: np.array(values, object)[spans.entry].tolist()
            for name, values in entry_columns(batch.entries).items()
        }
        columns["source"] = [self._source] * len(spans.entry)
        columns["label_id"] = _values(*spans.take(found.labels))
        columns["label"] = [None if i is None else self._names[i] for i in columns["label_id"]]
        columns["score"] = _values(*spans.take(found.scores))
        if found.boxes is not None:
            columns |= {name: _values(*spans.take(found.boxes[:, i])) for i, name in enumerate(BOX)}
        text = io.StringIO(newline="")
        rows = zip(*(columns[name] for name in self._columns), strict=True)
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._file.write(text.getvalue().encode())

    def finish(self) -> None:
        """Nothing: the last line is complete."""

    def discard(self) -> None:
        """Nothing to let go."""


def _values(values: NDArray[Any], missing: NDArray[np.bool_]) -> list[Any]:
    """Python numbers, ``None`` where missing."""
    column = values.astype(object)
    column[missing] = None
    cells: list[Any] = column.tolist()
    return cells
