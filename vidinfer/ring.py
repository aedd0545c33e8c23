"""The ring: batch slots allocated once, each frame written once into its place, back-pressure by blocking."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from numpy.typing import NDArray

from vidinfer.batcher import Decision, Fill
from vidinfer.clock import Clock
from vidinfer.errors import RingAborted

__all__ = ["BatchRing", "Batcher", "RingStatistics", "Slot"]

T = TypeVar("T")


class Batcher(Protocol):
    """Decides when the batch being filled closes."""

    def decide(self, fill: Fill, now: float) -> Decision:
        """Pure: called under the ring's lock, so it must neither block nor call back."""
        ...


@dataclass(slots=True, eq=False)
class Slot(Generic[T]):
    """One batch. Between ``take`` and ``release`` it belongs to the reader alone."""

    array: NDArray[Any]
    """``(places, ...)``: rows ``[0, rows)`` are filled."""
    entries: list[T] = field(default_factory=list)
    """What was committed, in order; some of it may have no row."""
    rows: int = 0
    closed_by: str = ""
    oldest: float | None = None

    def clear(self) -> None:
        self.entries = []  # a new list: the reader may have kept the old one
        self.rows = 0
        self.closed_by = ""
        self.oldest = None


@dataclass(frozen=True, slots=True)
class RingStatistics:
    """A snapshot, to see which side waits for which."""

    slots: int
    capacity: int
    """Entries per batch."""
    nbytes: int
    """Bytes allocated, once."""
    committed: int
    """Entries written so far."""
    taken: int
    """Batches read so far."""
    peak_ready: int
    """Most closed batches that ever waited for the reader; equal to ``slots``: the reader is the bottleneck."""


class BatchRing(Generic[T]):
    """Batch slots going round between one writer and one reader, in order, losing nothing.

    The writer asks for a place (``reserve``), fills it, and says what it is (``commit``). The batcher decides
    after each change whether the batch closes. The reader takes closed batches in order and gives each slot back.
    A slot is not reused before its reader released it. ``close()``: the writer is done, the reader drains.
    ``abort()``: either end gives up, both wake at once. Both idempotent.

    Invariant: every slot is in exactly one of: free, open (being filled), ready (closed), taken.

    Thread rule: one writer thread, one reader thread; ``close`` and ``abort`` from any.
    """

    def __init__(
        self, arrays: Sequence[NDArray[Any]], batcher: Batcher, clock: Clock, *, entries: int | None = None
    ) -> None:
        """Make the slots.

        Args:
            arrays: one per slot, each ``(places, ...)``, all of one shape; at least two let the ends overlap.
            batcher: decides when a batch closes.
            clock: of the batcher.
            entries: most entries in a batch, where many of them share a place; ``None``: as many as places.
        """
        if not arrays or len({(a.shape, a.dtype.str) for a in arrays}) != 1:
            raise ValueError(f"a ring needs slots of one shape, got {[a.shape for a in arrays]}")
        self._places = int(arrays[0].shape[0])
        self.capacity = self._places if entries is None else entries
        self._batcher = batcher
        self._clock = clock
        self._slots = len(arrays)
        self._nbytes = sum(a.nbytes for a in arrays)
        self._free: deque[Slot[T]] = deque(Slot(a) for a in arrays)
        self._ready: deque[Slot[T]] = deque()
        self._open: Slot[T] | None = None
        self._reserved = False
        self._taken: set[int] = set()
        self._ended = False
        self._aborted = False
        self._committed = self._taken_count = self._peak_ready = 0
        self._changed = threading.Condition()

    def reserve(self) -> NDArray[Any]:
        """The next place, to be written before ``commit``; blocks while every slot is in use.

        Raises:
            RingAborted: the reader gave up.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._aborted or self._open is not None or self._free)
            if self._aborted:
                raise RingAborted
            if self._ended:
                raise ValueError("reserve after close")
            if self._open is None:
                self._open = self._free.popleft()
            self._reserved = True
            place: NDArray[Any] = self._open.array[self._open.rows]
            return place

    def next_row(self) -> int:
        """The row that the reserved place has in its batch."""
        with self._changed:
            return 0 if self._open is None else self._open.rows

    def commit(self, entry: T, *, filled: bool) -> None:
        """Add ``entry`` to the batch; ``filled``: the reserved place was written and becomes its row.

        Raises:
            RingAborted: the reader gave up.
        """
        with self._changed:
            if self._aborted:
                raise RingAborted
            if self._open is None or not self._reserved:
                raise ValueError("commit without reserve")
            now = self._clock.now()
            slot = self._open
            if slot.oldest is None:
                slot.oldest = now
            slot.entries.append(entry)
            slot.rows += filled
            self._reserved = False
            self._committed += 1
            if self._consult(now) is not None or self._ready:  # else the reader has nothing to wake for
                self._changed.notify_all()

    def take(self) -> Slot[T] | None:
        """The next closed batch; ``None`` once the writer closed and all is drained. Blocks until either.

        Raises:
            RingAborted: the other end gave up.
        """
        with self._changed:
            while True:
                if self._aborted:
                    raise RingAborted
                wait_until = None if self._ready else self._consult(self._clock.now())
                if self._ready:
                    slot = self._ready.popleft()
                    self._taken.add(id(slot))
                    self._taken_count += 1
                    return slot
                if self._ended:
                    return None
                timeout = None if wait_until is None else max(0.0, wait_until - self._clock.now())
                self._changed.wait(timeout)

    def release(self, slot: Slot[T]) -> None:
        """Give a taken slot back to the writer; its array must not be read any more."""
        with self._changed:
            if id(slot) not in self._taken:
                raise ValueError("release of a slot that is not taken")
            self._taken.remove(id(slot))
            slot.clear()
            self._free.append(slot)
            self._changed.notify_all()

    def close(self) -> None:
        """The writer is done."""
        with self._changed:
            self._ended = True
            self._reserved = False
            self._consult(self._clock.now())
            self._changed.notify_all()

    def abort(self) -> None:
        """Give up: both ends wake with :class:`RingAborted`, and what was committed is dropped."""
        with self._changed:
            self._aborted = True
            for slot in self._ready:
                slot.clear()
            if self._open is not None:
                self._open.clear()
            self._changed.notify_all()

    def statistics(self) -> RingStatistics:
        """A frozen snapshot."""
        with self._changed:
            return RingStatistics(
                self._slots, self.capacity, self._nbytes, self._committed, self._taken_count, self._peak_ready
            )

    def _consult(self, now: float) -> float | None:
        """Ask the batcher; close the open batch if it says so. Returns when to ask again."""
        slot = self._open
        if slot is None or not slot.entries or self._reserved:
            return None  # nothing to close, or its next place is being written: the commit will ask again
        full = len(slot.entries) >= self.capacity or slot.rows >= self._places
        fill = Fill(len(slot.entries), self.capacity, full, self._ended, slot.oldest)
        decision = self._batcher.decide(fill, now)
        if decision.close or full:
            slot.closed_by = decision.closed_by
            self._ready.append(slot)
            self._open = None
            self._peak_ready = max(self._peak_ready, len(self._ready))
            return None
        return decision.wait_until
