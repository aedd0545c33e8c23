"""From all streams to one reader in the same process, who may be slow: a bounded queue whose oldest frames give way."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from vidinfer.frame import Gap, SourceInfo
from vidinfer.live.waiting import size_of
from vidinfer.record import Entry, LabelledBatch
from vidinfer.report import SourceReport
from vidinfer.stages import ModelInfo
from vidinfer.status import OutletStatus

__all__ = ["HandOver", "Handed"]

PICTURES = 16
"""Frames with their pictures that wait, for each stream: two thirds of a second at 25 a second."""
RECORDS = 10_000
"""Frames, with and without pictures."""
NBYTES = 256 << 20
"""Bytes of columns and pictures."""


@dataclass(frozen=True, slots=True, eq=False)
class Handed:
    """A frame for the reader."""

    stream: str
    batch: LabelledBatch
    entry: Entry
    """One of ``batch``; never a gap."""


class HandOver:
    """The outputs of a live run whose caller reads the frames himself. No stream ever waits for him.

    - Frames leave in the order in which they were labelled; those of one stream in its own order.
    - Where more frames with pictures wait than 16 for each stream (of all streams together), more than 10,000 frames,
      or more than 256 MiB, the frames that have waited longest are left out, of whatever stream, and counted. A single
      frame is always taken.
    - Frames put = taken + left out + unread + waiting, at every moment and for each stream.

    Thread rule: ``of_stream`` before anything is put; ``take`` on one thread at a time; the rest on any.
    """

    needs_pictures = True

    def __init__(self, *, pictures: int = PICTURES, records: int = RECORDS, nbytes: int = NBYTES) -> None:
        """Nothing waits. ``pictures``: for each stream."""
        self._pictures, self._records, self._nbytes = pictures, records, nbytes
        self._changed = threading.Condition()
        self._ways: list[_Way] = []
        self._items: deque[_Item] = deque()
        self._waiting_pictures = self._waiting_bytes = 0
        self._ended = False

    def of_stream(self, number: int, name: str) -> list[_Way]:  # noqa: ARG002
        """The way of this stream to the reader."""
        way = _Way(self, name)
        with self._changed:
            self._ways.append(way)
        return [way]

    def report(self, report: SourceReport) -> SourceReport:
        """Nothing is written."""
        return report

    def take(self) -> Handed | None:
        """The oldest frame; blocks while there is none. ``None``: there is none, and none will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended)
            if not self._items:
                return None
            item = self._pop()
            item.way.taken += 1
            return Handed(item.way.name, item.batch, item.entry)

    def close(self) -> None:
        """Nothing more will come; what waits may be taken. Idempotent."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Nobody will take anything any more: what waits, and what comes, is let go as unread. Idempotent."""
        with self._changed:
            self._ended = True
            while self._items:
                self._pop().way.unread += 1
            self._changed.notify_all()

    @property
    def left_out(self) -> int:
        """Frames that gave way to newer ones, of all streams."""
        with self._changed:
            return sum(way.left_out for way in self._ways)

    def put(self, way: _Way, batch: LabelledBatch) -> None:
        """Never waits."""
        entries = [entry for entry in batch.entries if not isinstance(entry.at, Gap)]
        if not entries:
            return
        size = size_of(batch) // len(batch.entries)
        with self._changed:
            if self._ended:
                way.unread += len(entries)
                return
            for entry in entries:
                self._items.append(_Item(way, batch, entry, size))
                way.waiting += 1
                self._waiting_pictures += entry.picture is not None
                self._waiting_bytes += size
            while len(self._items) > 1 and self._too_much():
                self._pop().way.left_out += 1
            self._changed.notify_all()

    def status_of(self, way: _Way) -> OutletStatus:
        """The counts at one moment."""
        with self._changed:
            return OutletStatus(way.name, way.taken, way.left_out + way.unread, way.waiting)

    def _too_much(self) -> bool:
        return (
            self._waiting_pictures > self._pictures * len(self._ways)
            or len(self._items) > self._records
            or self._waiting_bytes > self._nbytes
        )

    def _pop(self) -> _Item:
        item = self._items.popleft()
        item.way.waiting -= 1
        self._waiting_pictures -= item.entry.picture is not None
        self._waiting_bytes -= item.size
        return item


class _Way:
    """An output of one stream; its counts are the hand-over's, under its lock."""

    def __init__(self, handover: HandOver, name: str) -> None:
        self._handover, self.name = handover, name
        self.taken = self.left_out = self.unread = self.waiting = 0

    def open(self, source: SourceInfo, model: ModelInfo, epoch: int | None = None) -> None:
        """Every frame says itself what it is of."""

    def put(self, batch: LabelledBatch) -> None:
        """Never waits."""
        self._handover.put(self, batch)

    def status(self) -> OutletStatus:
        """What was not taken counts as dropped."""
        return self._handover.status_of(self)

    def facts(self) -> Mapping[str, object]:
        """As ``status``."""
        status = self.status()
        return {"written": status.written, "dropped": status.dropped}

    def close(self, timeout: float) -> None:
        """The reader takes what waits when he likes; nobody waits for him."""


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    way: _Way
    batch: LabelledBatch
    entry: Entry
    size: int
    """Bytes, about."""
