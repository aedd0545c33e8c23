"""JSON lines: one object per frame or gap, in presentation order.

::

    {"source":"clip.mp4","frame":12,"pts":6144,"time_base":"1/15360","time":0.4,"outcome":"labelled",
     "objects":[{"label":"car","label_id":1,"score":0.98,"box":[412.1,220.5,498.0,301.7]}]}
    {"source":"clip.mp4","frame":13,…,"outcome":"corrupt","reason":"damaged data","objects":[]}
    {"source":"clip.mp4","time_base":"1/15360","outcome":"gap","reason":"…","first_pts":7168,"last_pts":8192,"packets":3}

What stands in the place of ``objects`` depends on the model's task:

=========================  ========================================================================================
detection                  ``"objects"``; with masks each has ``"mask":{"size":[height,width],"counts":"…"}``, COCO's
                           compressed RLE in pixels of the displayed picture; with keypoints each has
                           ``"keypoints":[[x,y,score],…]``
classification             ``"classes":[{"label":"tabby","label_id":281,"score":0.71},…]``
segmentation               ``"segments":[{"label":"car","label_id":7,"area":0.21034,"rle":{"size":…,"counts":…}},…]``,
                           largest first; ``area`` is the share of the picture, background has no segment
video                      ``"clip":{"first_pts":0,"last_pts":5120,"frames":16,"padded":false,"classes":[…]}``, only at
                           the frame that closes a clip; ``padded``: the source ended within it
optical flow               ``"flow":{"mean":41.5,"max":220.914,"direction":271.4,"moving":0.1207,"seconds":0.04}``
                           from the frame before to this one: pixels per second, degrees (0 right, 90 down), share
                           of the pixels that move, seconds between the two; ``"file":"clip.flow/000012.flo"`` where
                           the vectors are written too. A frame without one before it has no ``flow``
=========================  ========================================================================================

With ``--skip-static`` a labelled frame says whose its findings are, before them: ``"by":"model"``, or
``"by":"propagated","from_frame":12,"from_pts":6144`` of the frame that it looks like.

A record of a live stream has more, before its findings (:mod:`vidinfer.arrival` says what each time is)::

    "epoch":1,"received":1795601700.123456,"captured":null,"time_source":"received",
    "latency_ms":{"decode":4.21,"queue":0.05,"batch_wait":0.02,"inference":11.4,"write":0.31,"total":15.99},
    "batch":{"size":3,"closed_by":"idle"}

``received`` and ``captured`` are Unix seconds; ``write`` is from the results to this record, ``total`` from the arrival
to this record, in milliseconds. What did not happen is absent: a dropped frame has the stages it went through, but no
``write``, ``total`` and ``batch``. A gap has ``epoch`` and ``received``, when it was noticed.

Pixels have at most two decimals, scores and areas five, speeds three, directions one, ``moving`` four. A number that
the model did not give (NaN, infinity), the direction of a mean vector that is zero and speeds over a time that is not
known are ``null``; so is the mask of a box that is not finite.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any, BinaryIO

from vidinfer.arrival import Arrival
from vidinfer.clock import Clock, MonotonicClock
from vidinfer.frame import FrameStamp, Gap, SourceInfo
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.sink.findings import NUMBERS, Findings, Kind, layout_of
from vidinfer.sink.text import numbers, point_texts, quoted, ratio
from vidinfer.stages import ModelInfo

__all__ = ["JsonLinesWriter"]

_ITEMS: dict[Kind, str] = {
    "objects": '{%s,"score":%s,"box":[%s,%s,%s,%s]',
    "classes": '{%s,"score":%s',
    "segments": '{%s,"area":%s',
    "clip": '{%s,"score":%s',
    "flow": '{"mean":%s,"max":%s,"direction":%s,"moving":%s,"seconds":%s',
}
"""A finding without its mask, keypoints and last brace."""


class JsonLinesWriter:
    """Writes the records of one source. Findings are formatted a batch at a time, from columns."""

    def __init__(
        self,
        file: BinaryIO,
        source: SourceInfo,
        model: ModelInfo,
        flow_files: Callable[[int], str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """``flow_files`` gives the name of the file that holds the vectors of a frame, by its index.

        ``clock`` is that of the arrivals of live records: the machine's monotonic one unless given.
        """
        self._file = file
        self._layout = layout_of(source, model)
        self._source = quoted(source.name)
        self._names = [f'"label":{quoted(name)},"label_id":{i}' for i, name in enumerate(model.categories)]
        self._flow_files = flow_files
        self._clock = MonotonicClock() if clock is None else clock
        self._base = Fraction(1)
        """The last time base that was written, and how."""
        self._base_text = ratio(self._base)

    def finish(self) -> None:
        """Nothing: the last line is complete."""

    def discard(self) -> None:
        """Nothing to let go."""

    def write(self, batch: LabelledBatch, found: Findings) -> None:
        """Append one line for each entry of ``batch``."""
        items = self._items(found)
        offsets = found.offsets.tolist()
        now = self._clock.now()  # once: the text of a batch takes some microseconds
        lines = []
        for entry in batch.entries:
            if isinstance(entry.at, Gap):
                lines.append(self._gap(entry, entry.at))
                continue
            first, last = (offsets[entry.row], offsets[entry.row + 1]) if entry.row >= 0 else (0, 0)
            result = self._result(entry, entry.at, items[first:last])
            live = "" if entry.arrival is None else _live(entry.arrival, now)
            lines.append(f"{self._head(entry, entry.at)}{live}{result}}}\n")
        self._file.write("".join(lines).encode())

    def _items(self, found: Findings) -> list[str]:
        """The text of every finding. All values are put in order, column by column, and formatted in one go."""
        kind, m = self._layout.kind, len(found)
        item = _ITEMS[kind]
        columns: list[list[Any]] = [] if kind == "flow" else [[self._names[i] for i in found.labels.tolist()]]
        columns += [numbers(found.numbers[name]) for name in NUMBERS[kind]]
        if found.masks is not None:
            item += ',"rle":%s' if kind == "segments" else ',"mask":%s'
            columns.append([self._mask(counts) for counts in found.masks])
        if found.keypoints is not None:
            item += ',"keypoints":%s'
            columns.append(point_texts(found.keypoints))
        if not m:
            return []
        values: list[Any] = [None] * (m * len(columns))
        for i, column in enumerate(columns):
            values[i :: len(columns)] = column
        return ("\n".join([item + "}"] * m) % tuple(values)).split("\n")

    def _mask(self, counts: str | None) -> str:
        if counts is None:
            return "null"
        escaped = counts.replace(
            "\\", "\\\\"
        )  # the one character of the encoding that JSON does not take as it is
        return f'{{"size":[{self._layout.height},{self._layout.width}],"counts":"{escaped}"}}'

    def _result(self, entry: Entry, at: FrameStamp, items: list[str]) -> str:
        """The part of a frame's record that depends on the task."""
        kind = self._layout.kind
        if kind == "clip":
            return self._clip(entry, items) if entry.row >= 0 else ""
        if kind == "flow":
            return self._flow(at, items[0]) if items else ""
        return f',"{kind}":[{",".join(items)}]'

    def _clip(self, entry: Entry, items: list[str]) -> str:
        span = entry.span
        frames = (
            ""
            if span is None
            else (
                f'"first_pts":{json.dumps(span.first_pts)},"last_pts":{json.dumps(span.last_pts)},'
                f'"frames":{span.frames},"padded":{json.dumps(span.padded)},'
            )
        )
        return f',"clip":{{{frames}"classes":[{",".join(items)}]}}'

    def _flow(self, at: FrameStamp, item: str) -> str:
        if self._flow_files is None:
            return f',"flow":{item}'
        return f',"flow":{item[:-1]},"file":{quoted(self._flow_files(at.index))}}}'

    def _head(self, entry: Entry, at: FrameStamp) -> str:
        pts, time = ("null", "null") if at.pts is None else (at.pts, at.time)
        reason = "" if entry.reason is None else f',"reason":{quoted(entry.reason)}'
        if at.time_base is not self._base:  # nearly always the same one, and fractions take long to compare
            self._base, self._base_text = at.time_base, ratio(at.time_base)
        return (
            f'{{"source":{self._source},"frame":{at.index},"pts":{pts},"time_base":"{self._base_text}",'
            f'"time":{time},"outcome":"{entry.outcome}"{reason}{_by(entry)}'
        )

    def _gap(self, entry: Entry, gap: Gap) -> str:
        return (
            f'{{"source":{self._source},"time_base":"{ratio(gap.time_base)}","outcome":"{entry.outcome.value}",'
            f'"reason":{quoted(entry.reason or gap.reason)},"first_pts":{json.dumps(gap.first_pts)},'
            f'"last_pts":{json.dumps(gap.last_pts)},"packets":{gap.packets}{_noticed(entry.arrival)}}}\n'
        )


def _by(entry: Entry) -> str:
    """Whose the results are."""
    if entry.by is None or entry.outcome is not Outcome.LABELLED:
        return ""
    if entry.alike is None:
        return f',"by":"{entry.by}"'
    return f',"by":"{entry.by}","from_frame":{entry.alike.index},"from_pts":{json.dumps(entry.alike.pts)}'


def _live(at: Arrival, now: float) -> str:
    """When a frame came, and how long each stage took."""
    captured = "null" if at.captured is None else f"{at.captured:.6f}"
    return (
        f',"epoch":{at.epoch},"received":{at.wall:.6f},"captured":{captured},"time_source":"{at.time_source}",'
        f'"latency_ms":{{{_latency(at, now)}}}{_batch(at)}'
    )


def _latency(at: Arrival, now: float) -> str:
    a, b, c, d, e = at.received, at.queued, at.free, at.dispatched, at.labelled
    if b is not None and c is not None and d is not None and e is not None:  # nearly all of them
        return (
            f'"decode":{1e3 * (b - a):.2f},"queue":{1e3 * (c - b):.2f},"batch_wait":{1e3 * (d - c):.2f},'
            f'"inference":{1e3 * (e - d):.2f},"write":{1e3 * (now - e):.2f},"total":{1e3 * (now - a):.2f}'
        )
    seconds = at.seconds()
    if e is not None:
        seconds |= {"write": now - e, "total": now - a}
    return ",".join(f'"{stage}":{1e3 * value:.2f}' for stage, value in seconds.items())


def _batch(at: Arrival) -> str:
    if not at.batch_size:
        return ""
    return f',"batch":{{"size":{at.batch_size},"closed_by":{json.dumps(at.closed_by)}}}'


def _noticed(at: Arrival | None) -> str:
    return "" if at is None else f',"epoch":{at.epoch},"received":{at.wall:.6f}'
