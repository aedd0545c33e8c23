"""The ring, as invariants: nothing lost, nothing twice, order kept, no slot read while it is written."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from vidinfer.batcher import Decision, Fill, OfflineBatcher
from vidinfer.clock import MonotonicClock
from vidinfer.errors import RingAborted
from vidinfer.ring import BatchRing, Slot
from vidinfer.testing import VirtualClock


def make_ring(slots: int = 3, capacity: int = 4) -> BatchRing[int]:
    arrays = [np.zeros((capacity, 2), np.int64) for _ in range(slots)]
    return BatchRing(arrays, OfflineBatcher(), VirtualClock())


class RingMachine(RuleBasedStateMachine):
    """The ring against a plain list: one thread, so no call may be made that would have to wait."""

    @initialize(slots=st.integers(1, 4), capacity=st.integers(1, 5))
    def start(self, slots: int, capacity: int) -> None:
        self.ring = make_ring(slots, capacity)
        self.slots, self.capacity = slots, capacity
        self.written: list[tuple[int, bool]] = []
        self.read: list[int] = []
        self.taken: list[Slot[int]] = []
        self.closed = False

    def _open_entries(self) -> int:
        return len(self.written) % self.capacity

    def _waiting(self) -> int:
        """Batches that the reader may take."""
        full, rest = divmod(len(self.written), self.capacity)
        batches = full + (1 if self.closed and rest else 0)
        return batches - self._batches_read

    @property
    def _batches_read(self) -> int:
        return self.ring.statistics().taken

    def _writer_may_write(self) -> bool:
        in_use = self._waiting() + len(self.taken) + (1 if self._open_entries() and not self.closed else 0)
        return not self.closed and (self._open_entries() > 0 or in_use < self.slots)

    @precondition(lambda self: self._writer_may_write())
    @rule(filled=st.booleans())
    def write(self, filled: bool) -> None:
        number = len(self.written)
        place = self.ring.reserve()
        if filled:
            place[:] = number
        self.ring.commit(number, filled=filled)
        self.written.append((number, filled))

    @precondition(lambda self: self._waiting() > 0)
    @rule()
    def take(self) -> None:
        slot = self.ring.take()
        assert slot is not None
        filled = [n for n in slot.entries if self.written[n][1]]
        assert slot.array[: slot.rows, 0].tolist() == filled
        assert slot.closed_by == ("full" if len(slot.entries) == self.capacity else "end")
        self.read += slot.entries
        self.taken.append(slot)

    @precondition(lambda self: self.taken)
    @rule()
    def release(self) -> None:
        self.ring.release(self.taken.pop(0))

    @rule()
    def close(self) -> None:
        self.ring.close()
        self.closed = True

    @precondition(lambda self: self.closed and self._waiting() == 0)
    @rule()
    def drained(self) -> None:
        assert self.ring.take() is None
        assert self.read == [n for n, _ in self.written]

    @invariant()
    def order_is_kept_and_nothing_comes_twice(self) -> None:
        if hasattr(self, "ring"):
            assert self.read == list(range(len(self.read)))
            assert self.ring.statistics().committed == len(self.written)


TestRingMachine = RingMachine.TestCase


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 4), st.integers(1, 9))
def test_entries_that_share_places(filled: list[bool], places: int, entries: int) -> None:
    """Clips: many frames, few of which fill a place; a batch is full when either runs out."""
    arrays = [np.zeros((places, 2), np.int64) for _ in range(len(filled) + 1)]
    ring: BatchRing[int] = BatchRing(arrays, OfflineBatcher(), VirtualClock(), entries=entries)
    for number, full in enumerate(filled):
        ring.reserve()[:] = number
        ring.commit(number, filled=full)
    ring.close()
    read = []
    while (slot := ring.take()) is not None:
        rows = [n for n in slot.entries if filled[n]]
        assert slot.array[: slot.rows, 0].tolist() == rows
        assert slot.closed_by == "end" or len(rows) == places or len(slot.entries) == entries
        assert 1 <= len(slot.entries) <= entries
        assert len(rows) <= places
        read += slot.entries
    assert read == list(range(len(filled)))


@given(frames=st.integers(0, 60), slots=st.integers(1, 4), capacity=st.integers(1, 9))
def test_every_frame_crosses_two_threads_once_in_order(frames: int, slots: int, capacity: int) -> None:
    ring = make_ring(slots, capacity)

    def write() -> None:
        for i in range(frames):
            ring.reserve()[:] = i
            ring.commit(i, filled=True)
        ring.close()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        seen: list[int] = []
        sizes: list[int] = []
        while (slot := ring.take()) is not None:
            assert slot.array[: slot.rows, 0].tolist() == slot.entries
            seen += slot.entries
            sizes.append(slot.rows)
            ring.release(slot)
        writer.result()
    assert seen == list(range(frames))
    full, rest = divmod(frames, capacity)
    assert sizes == [capacity] * full + [rest] * (rest > 0)


def test_the_writer_waits_while_every_slot_is_in_use() -> None:
    ring = make_ring(slots=1, capacity=1)
    ring.reserve()
    ring.commit(0, filled=True)
    slot = ring.take()
    assert slot is not None
    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(ring.reserve)
        assert not blocked.done()
        slot.array[:] = 7  # still ours
        ring.release(slot)
        assert blocked.result() is not None


@pytest.mark.parametrize("end", ["reader", "writer"])
def test_abort_wakes_the_other_end(end: str) -> None:
    ring = make_ring(slots=1, capacity=1)
    if end == "writer":
        ring.reserve()
        ring.commit(0, filled=True)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ring.reserve if end == "writer" else ring.take)
        ring.abort()
        ring.abort()
        with pytest.raises(RingAborted):
            waiting.result()
    with pytest.raises(RingAborted):
        ring.take()
    with pytest.raises(RingAborted):
        ring.reserve()


def test_a_released_slot_never_changes_what_the_reader_kept() -> None:
    ring = make_ring(slots=1, capacity=2)
    for i in range(2):
        ring.reserve()
        ring.commit(i, filled=True)
    slot = ring.take()
    assert slot is not None
    kept = slot.entries
    ring.release(slot)
    ring.reserve()
    ring.commit(9, filled=True)
    assert kept == [0, 1]


def test_misuse_is_told() -> None:
    ring = make_ring()
    with pytest.raises(ValueError, match="commit without reserve"):
        ring.commit(1, filled=True)
    with pytest.raises(ValueError, match="not taken"):
        ring.release(Slot(np.zeros((4, 2))))
    ring.close()
    ring.close()
    with pytest.raises(ValueError, match="after close"):
        ring.reserve()
    with pytest.raises(ValueError, match="slots of one shape"):
        BatchRing([np.zeros((2, 1)), np.zeros((3, 1))], OfflineBatcher(), VirtualClock())


def test_memory_is_what_was_allocated_whatever_the_length() -> None:
    ring = make_ring(slots=2, capacity=3)
    before = ring.statistics()
    assert before.nbytes == 2 * 3 * 2 * 8
    with ThreadPoolExecutor(1) as pool:

        def write() -> None:
            for i in range(5000):
                ring.reserve()
                ring.commit(i, filled=i % 7 != 0)
            ring.close()

        writer = pool.submit(write)
        while (slot := ring.take()) is not None:
            assert len(slot.entries) <= 3
            ring.release(slot)
        writer.result()
    after = ring.statistics()
    assert after.nbytes == before.nbytes
    assert after.peak_ready <= after.slots == 2


class DelayBatcher:
    """Closes a batch when its oldest entry is ``delay`` seconds old: the seam for live mode."""

    def __init__(self, delay: float) -> None:
        self.delay = delay

    def decide(self, fill: Fill, now: float) -> Decision:
        assert fill.oldest is not None
        due = fill.oldest + self.delay
        return Decision(close=now >= due or fill.ended, closed_by="delay", wait_until=due)


def test_a_timed_batcher_closes_a_partial_batch_while_the_writer_is_idle() -> None:
    ring: BatchRing[int] = BatchRing(
        [np.zeros((8, 1)) for _ in range(2)], DelayBatcher(0.01), MonotonicClock()
    )
    ring.reserve()
    ring.commit(0, filled=True)
    slot = ring.take()
    assert slot is not None
    assert (slot.entries, slot.closed_by) == ([0], "delay")


def test_a_batch_does_not_close_under_the_writers_hands() -> None:
    clock = VirtualClock()
    ring: BatchRing[int] = BatchRing([np.zeros((8, 1)) for _ in range(2)], DelayBatcher(1.0), clock)
    ring.reserve()
    ring.commit(0, filled=True)
    place = ring.reserve()  # being written when the delay is over
    clock.advance(5)
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(ring.take)
        place[:] = 42
        ring.commit(1, filled=True)
        slot = reader.result()
    assert slot is not None
    assert slot.entries == [0, 1]
    assert slot.array[1, 0] == 42
