"""The lobby: every frame leaves once, in the order of its stream, with its own pixels, whatever is dropped."""

from __future__ import annotations

import threading
from collections import defaultdict
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidinfer.arrival import Arrival, TimeSource
from vidinfer.errors import RingAborted
from vidinfer.frame import FrameStamp, Gap
from vidinfer.live.lobby import Batch, Lobby
from vidinfer.record import Entry, Outcome
from vidinfer.scheduling import Scheduler, ServiceTimes, Settings
from vidinfer.stages import ModelInput
from vidinfer.testing import VirtualClock

BASE = Fraction(1, 90000)
SPEC = ModelInput((2, 3, 3), np.dtype(np.uint8), np.copyto)
LARGER = ModelInput((4, 5, 3), np.dtype(np.uint8), np.copyto)


def allocate(frames: int, spec: ModelInput) -> NDArray[Any]:
    return np.zeros((frames, *spec.place), spec.dtype)


class Room:
    """A lobby with its clock, and what has left it."""

    def __init__(self, streams: int = 2, *, max_batch_size: int = 4, max_queue_size: int = 3) -> None:
        self.clock = VirtualClock(100.0)
        settings = Settings(max_batch_size=max_batch_size, max_queue_delay=0.0, max_queue_size=max_queue_size)
        self.lobby = Lobby(
            Scheduler(settings, ServiceTimes()),
            self.clock,
            allocate,
            max_batch_size=max_batch_size,
            max_queue_size=max_queue_size,
        )
        self.next = defaultdict[int, int](int)
        self.left = defaultdict[int, list[Entry]](list)
        for stream in range(streams):
            self.lobby.join(stream, SPEC, 30, 20)

    def frame(self, stream: int) -> None:
        """Its pixels are its stream and number."""
        index = self.next[stream]
        self.next[stream] += 1
        self.lobby.reserve(stream)[:] = (16 * stream + index) % 256
        self.lobby.commit(stream, entry(index, self.clock.now()))

    def damaged(self, stream: int) -> None:
        index = self.next[stream]
        self.next[stream] += 1
        self.lobby.record(stream, entry(index, self.clock.now(), Outcome.CORRUPT))

    def take(self) -> Batch:
        """The next batch, whose pixels are those of its entries; the model is done with it at once."""
        batch = self.lobby.take()
        assert batch is not None
        for stream, entries in batch.entries.items():
            for one in entries:
                if one.row >= 0:
                    assert batch.array is not None
                    assert isinstance(one.at, FrameStamp)
                    assert (batch.array[one.row] == (16 * stream + one.at.index) % 256).all()
            self.left[stream] += entries
        if batch.rows:
            self.clock.advance(0.01)
            self.lobby.finished(batch.rows)
        return batch


def entry(index: int, now: float, outcome: Outcome = Outcome.LABELLED) -> Entry:
    arrival = Arrival(1, now, 1e9 + now, None, TimeSource.RECEIVED)
    return Entry(outcome, FrameStamp(index, 3000 * index, BASE), arrival=arrival)


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["frame", "frame", "frame", "damaged", "take"]), st.integers(0, 2)), max_size=60
)


@given(ACTIONS)
def test_every_frame_leaves_once_and_in_order(actions: list[tuple[str, int]]) -> None:
    room = Room(3)
    for action, stream in actions:
        room.clock.advance(0.001)
        if action == "frame":
            room.frame(stream)
        elif action == "damaged":
            room.damaged(stream)
        elif any(room.lobby.depths().values()):
            room.take()
    room.lobby.close()
    while (batch := room.lobby.take()) is not None:
        for stream, entries in batch.entries.items():
            room.left[stream] += entries
        if batch.rows:
            room.lobby.finished(batch.rows)
    for stream in range(3):
        left = [one.at.index for one in room.left[stream] if isinstance(one.at, FrameStamp)]
        assert left == list(range(room.next[stream]))


def test_a_full_queue_drops_its_oldest_and_says_so() -> None:
    room = Room(1)
    for _ in range(5):
        room.frame(0)
    room.take()
    assert [(one.outcome.value, one.reason) for one in room.left[0]] == [
        ("dropped", "queue_full"),
        ("dropped", "queue_full"),
        *[("labelled", None)] * 3,
    ]
    assert all(one.picture is None for one in room.left[0][:2])


def test_rows_of_a_stream_lie_side_by_side() -> None:
    room = Room(2)
    for stream in (0, 1, 0, 1):
        room.frame(stream)
    batch = room.take()
    assert {stream: [one.row for one in entries] for stream, entries in batch.entries.items()} == {
        0: [0, 1],
        1: [2, 3],
    }


@given(ACTIONS)
def test_the_rows_of_a_stream_are_one_slice_in_its_order(actions: list[tuple[str, int]]) -> None:
    room = Room(3, max_batch_size=6, max_queue_size=6)
    for action, stream in [*actions, *[("take", 0)] * 60]:
        room.clock.advance(0.001)
        if action == "frame":
            room.frame(stream)
        elif action == "take" and any(room.lobby.depths().values()):
            for entries in room.take().entries.values():
                rows = [one.row for one in entries if one.row >= 0]
                assert rows == list(range(rows[0], rows[0] + len(rows))) if rows else True


def test_times_are_taken_down() -> None:
    room = Room(1)
    room.frame(0)
    room.clock.advance(0.25)
    batch = room.take()
    (one,) = batch.entries[0]
    assert one.arrival is not None
    assert one.arrival.queued == 100.0
    assert one.arrival.dispatched == 100.25
    assert one.arrival.batch_size == 1
    assert one.arrival.closed_by
    assert sum(one.arrival.seconds().values()) == pytest.approx(0.25)


def test_pictures_of_another_size_are_another_batch_and_old_ones_are_dropped() -> None:
    room = Room(2)
    room.frame(0)
    room.frame(1)
    room.lobby.join(0, LARGER, 60, 40)
    room.frame(0)
    shapes = [room.take().shape for _ in range(2)]
    assert {(shape.width, shape.height) for shape in shapes if shape is not None} == {(30, 20), (60, 40)}
    assert [(one.outcome.value, one.reason) for one in room.left[0]] == [
        ("dropped", "stream_changed"),
        ("labelled", None),
    ]


def test_what_needs_no_model_does_not_wait_for_one() -> None:
    room = Room(1)
    gap = Gap(None, None, BASE, 2, "lost")
    room.lobby.record(0, Entry(Outcome.GAP, gap, reason="lost"))
    batch = room.take()
    assert batch.rows == 0
    assert [one.outcome for one in batch.entries[0]] == [Outcome.GAP]


def test_closing_lets_what_waits_be_labelled_and_nothing_more_come() -> None:
    room = Room(1)
    room.frame(0)
    place = room.lobby.reserve(0)
    place[:] = 0
    room.lobby.close()
    with pytest.raises(RingAborted):
        room.lobby.commit(0, entry(7, 100.0))
    with pytest.raises(RingAborted):
        room.lobby.reserve(0)
    assert room.take().rows == 1
    assert room.lobby.take() is None


def test_aborting_wakes_who_takes() -> None:
    room, raised = Room(1), threading.Event()

    def take() -> None:
        try:
            room.lobby.take()
        except RingAborted:
            raised.set()

    taker = threading.Thread(target=take)
    taker.start()
    room.lobby.abort()
    taker.join(10)
    assert raised.is_set()
