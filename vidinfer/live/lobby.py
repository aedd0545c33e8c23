"""Where the frames of all streams wait for the model; the one place where frames are dropped.

Each stream has places of its own, allocated when it connects. A camera writes a frame straight into one (``reserve``,
``commit``) and never waits: where too many wait, the oldest frame of the same stream gives way. The scheduler says
which frames make the next batch, and which came too late for it. Whatever becomes of a frame, its entry leaves in the
order of its stream.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vidinfer.clock import Clock
from vidinfer.errors import RingAborted
from vidinfer.record import Entry, Outcome
from vidinfer.scheduling import Dispatch, Scheduler, Ticket
from vidinfer.stages import ModelInput

__all__ = ["Allocate", "Batch", "Lobby", "Shape"]

Allocate: TypeAlias = Callable[[int, ModelInput], NDArray[Any]]

SETTLING = 5.0
"""Seconds after the model was made ready, in which frames that were dropped meanwhile still count as overload."""
CHANGED = "stream_changed"
"""Why a frame was dropped that waited in a shape that its stream has no more."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What frames must have in common to share a batch."""

    width: int
    """Of the displayed pictures."""
    height: int
    place: tuple[int, ...]
    dtype: str


@dataclass(slots=True, eq=False)
class Batch:
    """What the model gets at once, and the entries of all streams that leave with it."""

    entries: dict[int, list[Entry]]
    """By stream, in its order; ``row`` points into ``array``."""
    shape: Shape | None = None
    """``None``: there is nothing for the model, only entries."""
    array: NDArray[Any] | None = None
    """``(n, *place)``; good until ``finished``."""
    closed_by: str = ""

    @property
    def rows(self) -> int:
        """Frames for the model."""
        return 0 if self.array is None else len(self.array)


@dataclass(slots=True, eq=False)
class _Waiting:
    entry: Entry
    place: int | None
    """Where its pixels are; ``None`` once it only waits for its turn in the record."""


class _Places:
    """Memory of so many frames of one shape, and its bytes."""

    __slots__ = ("_bytes", "_size", "array")

    def __init__(self, array: NDArray[Any]) -> None:
        """``array``: ``(n, *place)``, contiguous."""
        self.array = array
        self._bytes = array.view(np.uint8).reshape(-1).data
        self._size = array.nbytes // len(array)

    def copy(self, row: int, other: _Places, place: int) -> None:
        """Into ``row`` from a place of ``other``.

        By a memoryview, which keeps the GIL: a copy takes some 20 µs, while numpy gives the GIL away for it, and among
        many cameras it takes ten times as long to come back.
        """
        size = self._size
        self._bytes[row * size : (row + 1) * size] = other._bytes[place * size : (place + 1) * size]


@dataclass(slots=True, eq=False)
class _Stream:
    shape: Shape
    places: _Places
    free: list[int]
    waiting: deque[_Waiting] = field(default_factory=deque)
    by_number: dict[int, _Waiting] = field(default_factory=dict)
    """Frames that the scheduler knows."""
    reserved: int | None = None


class Lobby:
    """Thread rule: one thread for each stream, one that takes; ``close``, ``abort`` and what is read from any."""

    def __init__(
        self,
        scheduler: Scheduler,
        clock: Clock,
        allocate: Allocate,
        *,
        max_batch_size: int,
        max_queue_size: int,
    ) -> None:
        """``allocate(frames, spec)`` gives memory as the model wants it; ``max_queue_size``: frames of a stream."""
        self._scheduler = scheduler
        self._clock = clock
        self._allocate = allocate
        self._max_batch_size = max_batch_size
        self._max_queue_size = max_queue_size
        self._streams: dict[int, _Stream] = {}
        self._slots: dict[Shape, _Places] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._aborted = False
        self._learnt_at = clock.now()
        self._sent = clock.now()
        """When the last batch was."""

    def join(self, stream: int, spec: ModelInput, width: int, height: int) -> None:
        """A stream has connected; what waits of it in another shape is dropped."""
        shape = Shape(width, height, spec.place, spec.dtype.str)
        with self._changed:
            known = self._streams.get(stream)
            if known is None or known.shape != shape:
                now = self._clock.now()
                if known is not None:
                    self._drop(known, [(t.number, CHANGED) for t in self._scheduler.leave(stream, now)])
                # As many as may wait, as many as may be on their way into a batch, and one that is being written.
                places = self._allocate(2 * self._max_queue_size + 1, spec)
                joined = _Stream(shape, _Places(places), list(range(len(places))))
                if known is not None:
                    joined.waiting = known.waiting
                self._streams[stream] = joined
                self._scheduler.join(stream, shape, now)
                if shape not in self._slots:
                    self._slots[shape] = _Places(self._allocate(self._max_batch_size, spec))
                self._forget_shapes()

    def reserve(self, stream: int) -> NDArray[Any]:
        """A place to write the next frame of ``stream`` into; never blocks.

        Raises:
            RingAborted: the lobby is closed.
        """
        with self._changed:
            self._check_open()
            mine = self._streams[stream]
            mine.reserved = mine.free.pop()
            place: NDArray[Any] = mine.places.array[mine.reserved]
            return place

    def commit(self, stream: int, entry: Entry) -> None:
        """The reserved place is written and ``entry``, which has an arrival, may go to the model.

        Raises:
            RingAborted: the lobby is closed; the frame is not in it.
        """
        arrival = entry.arrival
        assert arrival is not None
        with self._changed:
            mine = self._streams[stream]
            place, mine.reserved = mine.reserved, None
            if place is None:
                raise ValueError("commit without reserve")
            if self._closed or self._aborted:
                mine.free.append(place)
                raise RingAborted
            now = self._clock.now()
            number = _number(entry)
            waiting = _Waiting(replace(entry, arrival=replace(arrival, queued=now)), place)
            mine.waiting.append(waiting)
            mine.by_number[number] = waiting
            evicted = self._scheduler.arrived(Ticket(stream, number, arrival.received, now), now)
            if evicted is not None:
                self._drop(mine, [(evicted.number, "queue_full")])
            self._changed.notify_all()

    def record(self, stream: int, entry: Entry) -> None:
        """An entry that needs no model: a damaged frame, a gap. It leaves in its turn.

        Raises:
            RingAborted: the lobby is closed.
        """
        with self._changed:
            self._check_open()
            self._streams[stream].waiting.append(_Waiting(entry, None))
            self._changed.notify_all()

    def take(self) -> Batch | None:
        """The next batch, once the scheduler says so, or entries that wait for nothing; ``None`` after ``close``.

        Raises:
            RingAborted: ``abort`` was called.
        """
        with self._changed:
            while True:
                if self._aborted:
                    raise RingAborted
                decision = self._scheduler.decide(self._clock.now())
                for ticket, reason in decision.dropped:
                    self._drop(self._streams[ticket.stream], [(ticket.number, reason)])
                if decision.dispatch is not None:
                    entries, sources = self._leave(decision.dispatch)
                    break
                entries = self._finished_entries()
                if entries:
                    return Batch(entries)
                if self._closed:
                    return None
                wait = decision.wait_until
                self._changed.wait(None if wait is None else max(0.0, wait - self._clock.now()))
        return self._gathered(decision.dispatch, entries, sources)

    def finished(self, frames: int) -> None:
        """The model is free again; the last batch held ``frames``; 0: it failed.

        What it took counts from when it was sent: copying it together is part of what a frame has to wait for.
        """
        with self._changed:
            now = self._clock.now()
            self._scheduler.finished(now, frames, now - self._sent)
            self._changed.notify_all()

    def learn(self, shape: Shape, measured: Iterable[tuple[int, float]]) -> None:
        """The model runs frames of this shape otherwise from now on; ``measured``: frames in a batch, and seconds."""
        with self._changed:
            service = self._scheduler.service(shape)
            if service is not None:
                service.restart(measured)
            self._learnt_at = self._clock.now()

    def overload(self, stream: int) -> float:
        """The share of the frames of ``stream`` that was dropped of late; 0 while the model was not ready."""
        with self._changed:
            now = self._clock.now()
            if now < self._learnt_at + SETTLING:
                return 0.0
            return self._scheduler.overload(now).get(stream, 0.0)

    def line(self) -> tuple[float, float] | None:
        """a and b of l(n) = a·n + b in seconds, of the shape that most streams have; ``None``: not known yet."""
        with self._changed:
            shapes = Counter(one.shape for one in self._streams.values())
            service = self._scheduler.service(shapes.most_common(1)[0][0]) if shapes else None
            return None if service is None else service.line

    def close(self) -> None:
        """Nothing more comes in; what waits is labelled. Idempotent."""
        with self._changed:
            if not self._closed:
                self._closed = True
                self._scheduler.end()
            self._changed.notify_all()

    def abort(self) -> None:
        """Give up: both ends wake. Idempotent."""
        with self._changed:
            self._aborted = True
            self._changed.notify_all()

    def depths(self) -> Mapping[int, int]:
        """Frames that wait for the model, by stream."""
        with self._changed:
            return {stream: len(one.by_number) for stream, one in self._streams.items()}

    def _check_open(self) -> None:
        if self._closed or self._aborted:
            raise RingAborted

    def _drop(self, mine: _Stream, dropped: list[tuple[int, str]]) -> None:
        for number, reason in dropped:
            waiting = mine.by_number.pop(number)
            waiting.entry = replace(
                waiting.entry, outcome=Outcome.DROPPED, reason=reason, row=-1, picture=None
            )
            self._free(mine, waiting)

    @staticmethod
    def _free(mine: _Stream, waiting: _Waiting) -> None:
        if waiting.place is not None:
            mine.free.append(waiting.place)
            waiting.place = None

    def _leave(self, dispatch: Dispatch) -> tuple[dict[int, list[Entry]], list[tuple[_Stream, _Waiting]]]:
        """The entries of the batch in the order of their streams, and where the pixels of each row are."""
        now, free = self._clock.now(), self._scheduler.free_since
        self._sent = now
        sources = []
        # Side by side by stream, so that each stream's results are one slice.
        for row, ticket in enumerate(sorted(dispatch.tickets, key=lambda one: (one.stream, one.number))):
            mine = self._streams[ticket.stream]
            waiting = mine.by_number.pop(ticket.number)
            arrival = waiting.entry.arrival
            assert arrival is not None
            times = replace(
                arrival,
                free=min(now, max(free, ticket.queued)),
                dispatched=now,
                batch_size=len(dispatch.tickets),
                closed_by=dispatch.closed_by,
            )
            waiting.entry = replace(waiting.entry, row=row, arrival=times)
            sources.append((mine, waiting))
        leaving = {id(waiting) for _, waiting in sources}
        entries = {}
        for number, mine in self._streams.items():
            if mine.waiting and (out := _ready(mine.waiting, leaving)):
                entries[number] = out
        if sum(entry.row >= 0 for out in entries.values() for entry in out) != len(sources):
            raise ValueError("the scheduler sent a frame before an older one of its stream")
        return entries, sources

    def _finished_entries(self) -> dict[int, list[Entry]]:
        """What waits behind no frame."""
        found = {number: _ready(one.waiting, set()) for number, one in self._streams.items() if one.waiting}
        return {number: entries for number, entries in found.items() if entries}

    def _gathered(
        self, dispatch: Dispatch, entries: dict[int, list[Entry]], sources: list[tuple[_Stream, _Waiting]]
    ) -> Batch:
        """Copy the pixels together, outside the lock: nobody writes a place that has not been given back."""
        shape = sources[0][0].shape
        slot = self._slots[shape]
        for row, (mine, waiting) in enumerate(sources):
            assert waiting.place is not None
            slot.copy(row, mine.places, waiting.place)
        with self._changed:
            for mine, waiting in sources:
                self._free(mine, waiting)
        return Batch(entries, shape, slot.array[: len(sources)], dispatch.closed_by)

    def _forget_shapes(self) -> None:
        """A batch that is with the model keeps its own memory alive."""
        used = {one.shape for one in self._streams.values()}
        self._slots = {shape: slot for shape, slot in self._slots.items() if shape in used}


def _ready(waiting: deque[_Waiting], leaving: set[int]) -> list[Entry]:
    """Take what is at the front and waits for nothing, or leaves now."""
    out = []
    while waiting and (waiting[0].place is None or id(waiting[0]) in leaving):
        out.append(waiting.popleft().entry)
    return out


def _number(entry: Entry) -> int:
    index = getattr(entry.at, "index", None)
    assert index is not None
    return int(index)
