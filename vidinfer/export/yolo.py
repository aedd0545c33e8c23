"""YOLO (Ultralytics): a folder with ``data.yaml`` and one text file for each labelled frame, empty ones included.

- ``labels/NAME_000012.txt`` is frame 12 (displayed frames, from 0); its picture would be ``images/NAME_000012.jpg``.
- A line is ``class cx cy w h``: centre and size of the box as shares of the picture, in [0, 1], cut at its edges. With
  keypoints, ``x y v`` of each follow (v = 2 where their score is above 0), and ``data.yaml`` has ``kpt_shape``.
- Classes are counted from 0 without holes, in the order of vidinfer's ``label_id``; ``data.yaml`` names them.
- YOLO has no place for scores and pixel masks: they are left out.
- A frame that was not labelled has no text file, but a row in ``not_labelled.csv``; Ultralytics takes a picture
  without one for empty, so leave its picture out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from vidinfer.export.blocks import LabelRecord
from vidinfer.export.boxes import finite, inside
from vidinfer.export.labels import LabelFile
from vidinfer.export.tally import NotLabelledTable, Tally
from vidinfer.sink.folder import PartialFolder

__all__ = ["write_yolo"]

_DECIMALS = 8
"""A hundredth of a pixel in pictures of any size that there is."""


def write_yolo(labels: LabelFile, name: str, out: PartialFolder) -> Tally:
    """Write ``labels``, called ``name``, to ``out``."""
    tally, table = Tally(), NotLabelledTable()
    numbers = {label: i for i, label in enumerate(labels.classes())}
    stem = name.rsplit("/", 1)[-1]
    for record in labels.records():
        stamp = record.stamp
        if not tally.add(record) or stamp is None:
            table.add(record)
            continue
        lines = _lines(record, labels, numbers, tally)
        tally.findings += len(lines)
        out.write(f"labels/{stem}_{stamp.index:06d}.txt", "".join(lines).encode())
    out.write("not_labelled.csv", table.data())
    out.write("data.yaml", _data(labels).encode())
    return tally


def _lines(record: LabelRecord, labels: LabelFile, numbers: Mapping[int, int], tally: Tally) -> list[str]:
    width, height = labels.layout.width, labels.layout.height
    known = finite(record, numbers, tally)
    boxes, there = inside(record.boxes[known], width, height, tally)
    size = np.array([width, height])
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2 / size, (boxes[:, 2:] - boxes[:, :2]) / size
    rows = np.concatenate([centres, sizes], axis=1)
    if record.found.keypoints is not None:
        rows = np.concatenate([rows, _points(record.found.keypoints[known], width, height)], axis=1)
    classes = [numbers[label] for label in record.found.labels[known].tolist()]
    return [
        f"{number} {' '.join(f'{value:.{_DECIMALS}f}'.rstrip('0').rstrip('.') for value in row)}\n"
        for number, row, keep in zip(classes, rows.tolist(), there.tolist(), strict=True)
        if keep
    ]


def _points(points: np.ndarray, width: int, height: int) -> np.ndarray:
    """``(n, 3 k)``: x, y as shares and v; all 0 where a point is not shown, or lies outside of the picture."""
    at = points[..., :2] / [width, height]
    shown = np.isfinite(points).all(axis=2) & (points[..., 2] > 0) & ((at >= 0) & (at <= 1)).all(axis=2)
    three = np.concatenate([at, np.full((*at.shape[:2], 1), 2.0)], axis=2)
    return np.where(shown[..., None], three, 0).reshape(len(points), -1)


def _data(labels: LabelFile) -> str:
    """``data.yaml``: without a path, its own folder counts. JSON's strings and lists are YAML's, too."""
    names = list(labels.classes().values())
    lines = ["train: images", "val: images", f"nc: {len(names)}", f"names: {json.dumps(names)}"]
    if labels.layout.keypoints:
        lines.append(f"kpt_shape: [{labels.layout.keypoints}, 3]")
    return "\n".join(lines) + "\n"
