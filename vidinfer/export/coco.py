"""COCO: one JSON document of images, annotations and categories; streamed, however long.

- An image for each labelled frame, ``id`` from 1 without holes; ``frame`` (displayed frames, from 0), ``pts``,
  ``time_base`` and ``time`` are kept beside it. ``file_name`` is ``NAME/000012.jpg``: frame 12.
- ``bbox``: x, y, width, height in pixels of the displayed picture, origin top left, first pixel 0.
- ``category_id``: vidinfer's ``label_id``, so COCO's own numbers with torchvision's COCO weights.
- Masks and segments are ``segmentation`` in compressed RLE, keypoints x, y, v with v = 2 where their score is above 0.
- ``score`` of each annotation makes them results as well: ``coco.loadRes(coco.dataset["annotations"])``.
- What was not labelled is no image, but stands in ``not_labelled``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vidinfer.export.blocks import LabelRecord
from vidinfer.export.boxes import finite
from vidinfer.export.labels import LabelFile
from vidinfer.export.tally import Tally, not_labelled
from vidinfer.sink.atomic import PartialFile
from vidinfer.sink.rle import extent
from vidinfer.sink.text import utf8

__all__ = ["write_coco"]


class _Array:
    """A JSON array of objects, being written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def add(self, item: Mapping[str, Any]) -> None:
        text = json.dumps(item, separators=(",", ":"), ensure_ascii=False)
        self._file.write((",\n" if self.count else "").encode() + text.encode())
        self.count += 1


def write_coco(labels: LabelFile, name: str, out: PartialFile) -> Tally:
    """Write ``labels``, called ``name``, to ``out``. Annotations wait in a file without a name beside it."""
    tally, name = Tally(), utf8(name)
    with ExitStack() as stack:
        spills = [stack.enter_context(TemporaryFile(dir=out.path.parent)) for _ in range(2)]
        annotations, others = (_Array(spill) for spill in spills)
        out.write(b'{"info":' + _dumped(_info(labels)) + b',\n"licenses":[],\n"categories":')
        out.write(_dumped(list(_categories(labels))) + b',\n"images":[\n')
        images = _Array(out.file)
        classes = labels.classes()
        for record in labels.records():
            if not tally.add(record):
                others.add(not_labelled(record))
                continue
            images.add(_image(record, labels, name, images.count + 1))
            for annotation in _annotations(record, labels, classes, tally):
                annotations.add({"id": annotations.count + 1, "image_id": images.count, **annotation})
        tally.findings = annotations.count
        for key, spill in zip(("annotations", "not_labelled"), spills, strict=True):
            out.write(f'\n],\n"{key}":[\n'.encode())
            spill.seek(0)
            shutil.copyfileobj(spill, out.file)
        out.write(b"\n]}\n")
    return tally


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _info(labels: LabelFile) -> dict[str, Any]:
    return {
        "description": f"{labels.source.name}, labelled by {labels.model.name}",
        "version": "1.0",
        "video": labels.source.name,
        "model": {"name": labels.model.name, "weights": labels.model.weights},
    }


def _categories(labels: LabelFile) -> Iterator[dict[str, Any]]:
    model = labels.model
    for label, name in labels.classes().items():
        category: dict[str, Any] = {"id": label, "name": name, "supercategory": ""}
        if labels.layout.keypoints:
            category["keypoints"] = list(model.keypoints)
            category["skeleton"] = [[a + 1, b + 1] for a, b in model.skeleton]  # COCO counts them from 1
        yield category


def _image(record: LabelRecord, labels: LabelFile, name: str, number: int) -> dict[str, Any]:
    stamp = record.stamp
    assert stamp is not None
    return {
        "id": number,
        "file_name": f"{name}/{stamp.index:06d}.jpg",
        "width": labels.layout.width,
        "height": labels.layout.height,
        "frame": stamp.index,
        "pts": stamp.pts,
        "time_base": f"{stamp.time_base.numerator}/{stamp.time_base.denominator}",
        "time": stamp.time,
        **_whose(record),
    }


def _whose(record: LabelRecord) -> dict[str, Any]:
    """Of runs that do not show each frame to the model: who gave it its labels."""
    entry = record.entry
    if entry.by is None:
        return {}
    return {"by": entry.by} | ({} if entry.alike is None else {"from_frame": entry.alike.index})


def _annotations(
    record: LabelRecord, labels: LabelFile, classes: Mapping[int, str], tally: Tally
) -> Iterator[dict[str, Any]]:
    layout, found = labels.layout, record.found
    if layout.kind == "segments":
        for label, counts in zip(found.labels.tolist(), found.masks or (), strict=True):
            if counts is not None:
                yield {"category_id": label, **_region(counts, layout.width, layout.height, box=None)}
        return
    boxes = record.boxes
    for i in finite(record, classes, tally).tolist():
        x1, y1, x2, y2 = boxes[i].tolist()
        box = [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)]
        item: dict[str, Any] = {"category_id": int(found.labels[i])}
        counts = None if found.masks is None else found.masks[i]
        if counts is None:
            item |= {"bbox": box, "area": round(box[2] * box[3], 4), "iscrowd": 0, "segmentation": []}
        else:
            item |= _region(counts, layout.width, layout.height, box=box)
        if found.keypoints is not None:
            item |= _keypoints(found.keypoints[i])
        yield {**item, "score": float(found.numbers["score"][i])}


def _region(counts: str, width: int, height: int, box: list[float] | None) -> dict[str, Any]:
    where = extent(counts, width, height)
    return {
        "bbox": [float(v) for v in where[:4]] if box is None else box,
        "area": where.area,
        "iscrowd": 0,
        "segmentation": {"size": [height, width], "counts": counts},
    }


def _keypoints(points: NDArray[np.float64]) -> dict[str, Any]:
    shown = np.isfinite(points).all(axis=1) & (points[:, 2] > 0)
    flat = np.where(
        shown[:, None], np.stack([points[:, 0], points[:, 1], np.full(len(points), 2)], axis=1), 0
    )
    scores = [
        score if known else None for score, known in zip(points[:, 2].tolist(), shown.tolist(), strict=True)
    ]
    values = [int(v) if i % 3 == 2 else v for i, v in enumerate(flat.reshape(-1).tolist())]
    return {"keypoints": values, "num_keypoints": int(shown.sum()), "keypoint_scores": scores}
