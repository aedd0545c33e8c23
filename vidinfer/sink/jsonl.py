"""JSON lines: one object per frame or gap, in presentation order.

::

    {"source":"clip.mp4","frame":12,"pts":6144,"time_base":"1/15360","time":0.4,"outcome":"labelled",
     "objects":[{"label":"car","label_id":1,"score":0.98,"box":[412.1,220.5,498.0,301.7]}]}
    {"source":"clip.mp4","frame":13,…,"outcome":"corrupt","reason":"damaged data","objects":[]}
    {"source":"clip.mp4","time_base":"1/15360","outcome":"gap","reason":"…","first_pts":7168,"last_pts":8192,"packets":3}

Boxes have at most two decimals, scores five. A number that the model did not give (NaN, infinity) is ``null``.
"""

from __future__ import annotations

import json
import math
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vidinfer.frame import FrameStamp, Gap, SourceInfo
from vidinfer.record import Entry, LabelledBatch
from vidinfer.sink.rows import Findings, Kind, kind_of, ratio, utf8
from vidinfer.stages import ModelInfo

__all__ = ["JsonLinesWriter"]

_OBJECT = '{%s,"score":%s,"box":[%s,%s,%s,%s]}'
_CLASS = '{%s,"score":%s}'


class JsonLinesWriter:
    """Writes the records of one source. Findings are formatted a frame at a time, from columns."""

    def __init__(self, file: BinaryIO, source: SourceInfo, model: ModelInfo) -> None:
        self._file = file
        self._kind: Kind = kind_of(model.task)
        self._source = _text(source.name)
        self._names = [f'"label":{_text(name)},"label_id":{i}' for i, name in enumerate(model.categories)]
        self._item = _OBJECT if self._kind == "objects" else _CLASS
        self._fields = self._item.count("%s")

    def finish(self) -> None:
        """Nothing: the last line is complete."""

    def discard(self) -> None:
        """Nothing to let go."""

    def write(self, batch: LabelledBatch, found: Findings) -> None:
        """Append one line for each entry of ``batch``."""
        values = self._values(found)
        offsets = found.offsets.tolist()
        lines = []
        for entry in batch.entries:
            if isinstance(entry.at, Gap):
                lines.append(self._gap(entry, entry.at))
                continue
            first, last = (offsets[entry.row], offsets[entry.row + 1]) if entry.row >= 0 else (0, 0)
            items = ",".join([self._item] * (last - first)) % tuple(
                values[first * self._fields : last * self._fields]
            )
            lines.append(f'{self._head(entry, entry.at)},"{self._kind}":[{items}]}}\n')
        self._file.write("".join(lines).encode())

    def _values(self, found: Findings) -> list[Any]:
        """Every value of every finding in the order of the text, interleaved column by column."""
        n = self._fields
        values: list[Any] = [None] * (n * len(found.labels))
        values[0::n] = [self._names[label] for label in found.labels.tolist()]
        values[1::n] = _numbers(found.scores)
        if found.boxes is not None:
            for i in range(4):
                values[2 + i :: n] = _numbers(found.boxes[:, i])
        return values

    def _head(self, entry: Entry, at: FrameStamp) -> str:
        pts, time = ("null", "null") if at.pts is None else (at.pts, at.time)
        reason = "" if entry.reason is None else f',"reason":{_text(entry.reason)}'
        return (
            f'{{"source":{self._source},"frame":{at.index},"pts":{pts},"time_base":"{ratio(at.time_base)}",'
            f'"time":{time},"outcome":"{entry.outcome.value}"{reason}'
        )

    def _gap(self, entry: Entry, gap: Gap) -> str:
        return (
            f'{{"source":{self._source},"time_base":"{ratio(gap.time_base)}","outcome":"{entry.outcome.value}",'
            f'"reason":{_text(entry.reason or gap.reason)},"first_pts":{json.dumps(gap.first_pts)},'
            f'"last_pts":{json.dumps(gap.last_pts)},"packets":{gap.packets}}}\n'
        )


def _text(text: str) -> str:
    return json.dumps(utf8(text), ensure_ascii=False)


def _numbers(column: NDArray[np.float64]) -> list[Any]:
    """Values whose ``str`` is JSON."""
    if np.isfinite(column).all():
        values: list[Any] = column.tolist()
        return values
    return [value if math.isfinite(value) else "null" for value in column.tolist()]
