"""MOTChallenge detections: a folder as of a sequence, with ``det/det.txt``, ``seqinfo.ini`` and ``labels.txt``.

- A line is ``frame,id,left,top,width,height,score,class,-1,-1``, in the order of frames, best first within one.
- ``frame`` counts from 1: vidinfer's frame 0 is frame 1.
- Pixels count from 1: the top left corner of the picture is (1, 1). Boxes may reach beyond the picture.
- ``id`` is -1 in every line, MOTChallenge's mark of a detection without a track: vidinfer does not track.
- ``class`` counts from 1, and is the line of ``labels.txt``. Trackers read columns 1 to 7.
- A frame without a line is one without objects, or one that was not labelled: those are in ``not_labelled.csv``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from vidinfer.errors import SinkError
from vidinfer.export.blocks import LabelRecord
from vidinfer.export.boxes import finite
from vidinfer.export.labels import LabelFile
from vidinfer.export.tally import NotLabelledTable, Tally
from vidinfer.sink.folder import PartialFolder
from vidinfer.sink.text import one_line

__all__ = ["write_mot"]


def write_mot(labels: LabelFile, name: str, out: PartialFolder) -> Tally:
    """Write ``labels``, called ``name``, to ``out``."""
    tally, table = Tally(), NotLabelledTable()
    numbers = {label: i for i, label in enumerate(labels.classes(), 1)}
    last = -1

    def lines() -> Iterator[bytes]:
        nonlocal last
        for record in labels.records():
            if record.stamp is not None:
                last = record.stamp.index
            if tally.add(record):
                yield _lines(record, numbers, tally).encode()
            else:
                table.add(record)

    out.stream("det/det.txt", lines())
    out.write("not_labelled.csv", table.data())
    out.write("labels.txt", "".join(f"{one_line(name)}\n" for name in labels.classes().values()).encode())
    out.write("seqinfo.ini", _sequence(labels, name, labels.facts.frames or last + 1).encode())
    return tally


def _lines(record: LabelRecord, numbers: Mapping[int, int], tally: Tally) -> str:
    stamp = record.stamp
    if stamp is None:
        raise SinkError("a labelled record is a frame")
    found, boxes, parts = record.found, record.boxes.tolist(), []
    for i in finite(record, numbers, tally).tolist():
        x1, y1, x2, y2 = boxes[i]
        score, number = float(found.numbers["score"][i]), numbers[int(found.labels[i])]
        parts.append(
            f"{stamp.index + 1},-1,{x1 + 1:.2f},{y1 + 1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{score:.5f},{number},-1,-1\n"
        )
    tally.findings += len(parts)
    return "".join(parts)


def _sequence(labels: LabelFile, name: str, frames: int) -> str:
    rate = labels.source.rate
    lines = [
        "[Sequence]",
        f"name={one_line(name.rsplit('/', 1)[-1])}",
        "imDir=img1",
        f"frameRate={'' if rate is None else _decimal(rate)}",
        f"seqLength={frames}",
        f"imWidth={labels.layout.width}",
        f"imHeight={labels.layout.height}",
        "imExt=.jpg",
    ]
    return "\n".join(lines) + "\n"


def _decimal(rate: Fraction) -> str:
    return str(rate.numerator) if rate.denominator == 1 else f"{float(rate):.3f}"
