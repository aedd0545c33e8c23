"""Label Studio: a task with predictions, to be imported as JSON. ``data.video`` is the source's name.

- Objects are ``videorectangle``: each its own region of one keyframe with ``"enabled": false``, so it ends with its
  frame; vidinfer does not track. ``x``, ``y``, ``width``, ``height`` are percent of the picture, cut at its edges.
- Classes are ``timelinelabels``: stretches of frames with the same best class, both ends included.
- ``frame`` counts from 1: vidinfer's frame 0 is frame 1. Label Studio shows frame n at (n - 1) / frame rate, so set
  ``frameRate`` of its Video tag to ``data.fps``, and convert videos of variable rate first; ``time`` is exact.
- The tags must be called ``video``, and ``box`` with ``labels`` or ``timeline``::

      <View><Video name="video" value="$video" framerate="30"/>
        <VideoRectangle name="box" toName="video"/><Labels name="labels" toName="video"><Label value="car"/></Labels>
      </View>

- Frames that were not labelled have no region, and stand in ``data.not_labelled``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from vidinfer.export.blocks import LabelRecord
from vidinfer.export.boxes import finite, inside
from vidinfer.export.labels import LabelFile
from vidinfer.export.runs import best_class_runs
from vidinfer.export.tally import Tally, not_labelled
from vidinfer.sink.atomic import PartialFile

__all__ = ["write_label_studio"]


def write_label_studio(labels: LabelFile, _name: str, out: PartialFile) -> Tally:
    """Write ``labels`` to ``out``. Damage is rare: what was not labelled is kept in memory."""
    tally = Tally()
    others: list[dict[str, Any]] = []

    def records() -> Iterator[LabelRecord]:
        for record in labels.records():
            if not tally.add(record):
                others.append(not_labelled(record))
            yield record

    regions = _boxes if labels.layout.kind == "objects" else _timeline
    out.write(b'[{"predictions":[{"model_version":' + _json(labels.model.name) + b',"result":[\n')
    for region in regions(records(), labels, tally):
        out.write((b",\n" if tally.findings else b"") + _json(region))
        tally.findings += 1
    rate = labels.source.rate
    data = {
        "video": labels.source.name,
        "fps": None if rate is None else round(float(rate), 6),
        "frames": labels.facts.frames,
        "not_labelled": others,
    }
    out.write(b'\n]}],\n"data":' + _json(data) + b"}]\n")
    return tally


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def _boxes(records: Iterator[LabelRecord], labels: LabelFile, tally: Tally) -> Iterator[dict[str, Any]]:
    width, height = labels.layout.width, labels.layout.height
    names = labels.classes()
    length = _length(labels)
    for record in records:
        stamp = record.stamp
        if stamp is None or not record.labelled:
            continue
        known = finite(record, names, tally)
        boxes, there = inside(record.boxes[known], width, height, tally)
        for i, (x1, y1, x2, y2), keep in zip(known.tolist(), boxes.tolist(), there.tolist(), strict=True):
            if not keep:
                continue
            where = {
                "frame": stamp.index + 1,
                "enabled": False,
                "rotation": 0,
                "x": _percent(x1, width),
                "y": _percent(y1, height),
                "width": _percent(x2 - x1, width),
                "height": _percent(y2 - y1, height),
                "time": stamp.time,
            }
            yield {
                "id": f"f{stamp.index}-{i}",
                "from_name": "box",
                "to_name": "video",
                "type": "videorectangle",
                "score": float(record.found.numbers["score"][i]),
                "value": {**length, "sequence": [where], "labels": [names[int(record.found.labels[i])]]},
            }


def _length(labels: LabelFile) -> dict[str, Any]:
    return {"framesCount": labels.facts.frames, "duration": labels.source.duration}


def _percent(value: float, whole: int) -> float:
    return round(100 * value / whole, 6)


def _timeline(records: Iterator[LabelRecord], labels: LabelFile, _tally: Tally) -> Iterator[dict[str, Any]]:
    for run in best_class_runs(records):
        yield {
            "id": f"f{run.first}",
            "from_name": "timeline",
            "to_name": "video",
            "type": "timelinelabels",
            "score": run.score,
            "value": {
                "ranges": [{"start": run.first + 1, "end": run.last + 1}],
                "timelinelabels": [labels.model.categories[run.label]],
            },
        }
