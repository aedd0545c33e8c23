"""CVAT for video 1.1: an XML document of tracks, as CVAT itself exports shapes that are on one frame only.

- Each object is a track of its own: its shape on ``frame``, and the same one with ``outside="1"`` on the next, where
  there is one. vidinfer does not track, so nothing joins the objects of two frames.
- ``frame`` counts the frames of the video from 0, without holes, as CVAT does and vidinfer's ``frame``.
- ``box``: ``xtl``, ``ytl``, ``xbr``, ``ybr`` in pixels, origin top left, cut at the edges of the picture.
- Masks and segments are ``mask``: run lengths along the rows of their own rectangle, beginning with pixels outside.
  Keypoints are ``points`` of the same ``group_id`` as their box; those with a score of 0 or less are left out.
- The score is the attribute ``score``; CVAT leaves it out where a task's labels have no such attribute.
- Frames that were not labelled have no shapes, and are named in comments at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from vidinfer.export.blocks import LabelRecord
from vidinfer.export.boxes import finite, inside
from vidinfer.export.labels import LabelFile
from vidinfer.export.tally import Tally, not_labelled
from vidinfer.sink.atomic import PartialFile
from vidinfer.sink.rle import extent, pixels
from vidinfer.sink.text import utf8

__all__ = ["write_cvat"]

_Shape = tuple[str, str]
"""An element's name and the attributes that make its shape."""


def write_cvat(labels: LabelFile, name: str, out: PartialFile) -> Tally:
    """Write ``labels``, called ``name``, to ``out``. Damage is rare: what was not labelled is kept in memory."""
    tally = Tally()
    tracks = _Tracks(labels, out.write)
    comments: list[str] = []
    classes = labels.classes()
    out.write(_head(labels, name).encode())
    for record in labels.records():
        stamp = record.stamp
        if not tally.add(record) or stamp is None:
            comments.append(_comment(not_labelled(record)))
            continue
        for label, score, shapes in _objects(record, labels, classes, tally):
            tally.findings += 1
            tracks.add(stamp.index, label, score, shapes)
    out.write("".join(comments).encode())
    out.write(b"</annotations>\n")
    return tally


class _Tracks:
    def __init__(self, labels: LabelFile, write: Callable[[bytes], None]) -> None:
        self._names = {label: quoteattr(_xml(name)) for label, name in labels.classes().items()}
        self._end = labels.facts.frames
        self._write = write
        self._count = self._group = 0

    def add(self, frame: int, label: int, score: float | None, shapes: list[_Shape]) -> None:
        """One object; its shapes make a group where there are several."""
        group = ""
        if len(shapes) > 1:
            self._group += 1
            group = f' group_id="{self._group}"'
        attribute = "" if score is None else f'<attribute name="score">{score:.5f}</attribute>'
        for kind, form in shapes:
            parts = [f'<track id="{self._count}" label={self._names[label]} source="auto"{group}>\n']
            last = self._end is not None and frame + 1 >= self._end
            for at, outside in ((frame, 0),) if last else ((frame, 0), (frame + 1, 1)):
                common = f'frame="{at}" keyframe="1" outside="{outside}" occluded="0" {form} z_order="0"'
                parts.append(f"  <{kind} {common}>{attribute}</{kind}>\n")
            self._write("".join([*parts, "</track>\n"]).encode())
            self._count += 1


def _objects(
    record: LabelRecord, labels: LabelFile, classes: Mapping[int, str], tally: Tally
) -> Iterator[tuple[int, float | None, list[_Shape]]]:
    """Label, score and shapes."""
    found, width, height = record.found, labels.layout.width, labels.layout.height
    if labels.layout.kind == "segments":
        for label, counts in zip(found.labels.tolist(), found.masks or (), strict=True):
            if counts is not None and (form := _mask(counts, width, height)) is not None:
                yield label, None, [form]
        return
    known = finite(record, classes, tally)
    boxes, there = inside(record.boxes[known], width, height, tally)
    for i, box, keep in zip(known.tolist(), boxes.tolist(), there.tolist(), strict=True):
        if not keep:
            continue
        shapes = [("box", 'xtl="{:.2f}" ytl="{:.2f}" xbr="{:.2f}" ybr="{:.2f}"'.format(*box))]
        if found.masks is not None and (counts := found.masks[i]) is not None:
            form = _mask(counts, width, height)
            shapes += [] if form is None else [form]
        if found.keypoints is not None:
            shapes += _points(found.keypoints[i])
        yield int(found.labels[i]), float(found.numbers["score"][i]), shapes


def _mask(counts: str, width: int, height: int) -> _Shape | None:
    """The pixels of a mask in its own rectangle; ``None`` where it has none."""
    x, y, w, h, area = extent(counts, width, height)
    if not area:
        return None
    region = pixels(counts, width, height)[y : y + h, x : x + w].reshape(-1)
    edges = np.flatnonzero(np.diff(region, prepend=0)).tolist()
    runs = np.diff([0, *edges, len(region)]).tolist()
    return "mask", f'rle="{", ".join(map(str, runs))}" left="{x}" top="{y}" width="{w}" height="{h}"'


def _points(points: NDArray[np.float64]) -> list[_Shape]:
    shown = points[np.isfinite(points).all(axis=1) & (points[:, 2] > 0)].tolist()
    text = ";".join(f"{x:.2f},{y:.2f}" for x, y, _ in shown)
    return [("points", f'points="{text}"')] if shown else []


def _head(labels: LabelFile, name: str) -> str:
    frames = labels.facts.frames
    classes = "".join(
        f"<label><name>{escape(_xml(text))}</name><type>any</type><attributes><attribute><name>score</name>"
        f"<mutable>False</mutable><input_type>text</input_type><default_value></default_value><values></values>"
        f"</attribute></attributes></label>\n"
        for text in labels.classes().values()
    )
    size = (
        ""
        if frames is None
        else f"<size>{frames}</size><start_frame>0</start_frame><stop_frame>{frames - 1}</stop_frame>"
    )
    width, height = labels.layout.width, labels.layout.height
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n<meta><task>'
        f"<name>{escape(_xml(name))}</name>{size}<mode>interpolation</mode><overlap>0</overlap>"
        f"<labels>\n{classes}</labels>"
        f"<original_size><width>{width}</width><height>{height}</height></original_size>"
        f"<source>{escape(_xml(labels.source.name))}</source></task></meta>\n"
    )


def _comment(record: dict[str, Any]) -> str:
    text = ", ".join(f"{key} {value}" for key, value in record.items() if value is not None)
    return f"<!-- not labelled: {escape(_xml(text)).replace('--', '- -')} -->\n"


def _xml(text: str) -> str:
    """``text`` without the characters that XML cannot hold."""
    return "".join(c if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff") else "?" for c in utf8(text))
