"""CSV: a header, then one row per finding; a frame or gap without findings has one row with those fields empty.

Columns, in this order, those of the model's task only:

=============================================  ==================================================================
``source``, ``frame``, ``pts``, ``time_base``  which frame; ``frame`` and ``pts`` are empty for a gap
``time``                                       seconds, derived from ``pts``
``outcome``, ``reason``                        ``labelled``, or what else became of it and why
``label``, ``label_id``                        the finding, best first within a frame; not for optical flow
``score``                                      detection, classification, video
``x1``, ``y1``, ``x2``, ``y2``                 detection: pixels of the displayed picture, origin top left
``area``                                       segmentation: share of the picture; the largest segment first
``flow_mean``, ``flow_max``                    optical flow from the frame before: pixels per second
``flow_direction``                             degrees, 0 right, 90 down
``flow_moving``                                share of the pixels that move
``flow_seconds``                               between the two frames
``mask``                                       segmentation, and detection with masks: ``counts`` of COCO's
                                               compressed RLE, in pixels of the displayed picture
``keypoints``                                  detection with keypoints: JSON, ``[[x,y,score],…]``
``clip_first_pts``, ``clip_last_pts``          video, at the frame that closes a clip: which frames it is made of,
``clip_frames``, ``clip_padded``               how many, and ``true`` where the source ended within it
``by``, ``from_frame``, ``from_pts``           with ``--skip-static``: ``model``, or ``propagated`` from which frame
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
from vidinfer.sink.findings import Findings, layout_of
from vidinfer.sink.rows import columns_of, entry_columns, spread
from vidinfer.sink.text import point_texts, utf8
from vidinfer.stages import ModelInfo

__all__ = ["CsvWriter"]

_TRUTH = {None: None, False: "false", True: "true"}


class CsvWriter:
    """Writes the rows of one source, column by column."""

    def __init__(self, file: BinaryIO, source: SourceInfo, model: ModelInfo, *, by: bool = False) -> None:
        """``by``: say whose the results of a frame are."""
        self._file = file
        self._layout = layout_of(source, model, by=by)
        self._source = utf8(source.name)
        self._names = [utf8(name) for name in model.categories]
        self._columns = columns_of(self._layout)
        self._file.write((",".join(self._columns) + "\n").encode())

    def write(self, batch: LabelledBatch, found: Findings) -> None:
        """Append the rows of ``batch``."""
        if not batch.entries:
            return
        spans = spread(batch.entries, found.offsets)
        columns = {
            name: np.array(values, object)[spans.entry].tolist()
            for name, values in entry_columns(batch.entries, self._layout).items()
        }
        if "clip_padded" in columns:
            columns["clip_padded"] = [_TRUTH[value] for value in columns["clip_padded"]]
        columns["source"] = [self._source] * len(spans.entry)
        columns["label_id"] = _values(*spans.take(found.labels))
        columns["label"] = [None if i is None else self._names[i] for i in columns["label_id"]]
        columns |= {name: _values(*spans.take(values)) for name, values in found.numbers.items()}
        columns["mask"] = spans.pick(found.masks)
        columns["keypoints"] = spans.pick(None if found.keypoints is None else point_texts(found.keypoints))
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
