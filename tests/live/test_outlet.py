"""An output in a thread of its own: what it takes, what it leaves out, how it fails and how it ends."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sink_live.cases import CAM, MODEL, arrival, labelled, pictured
from vidinfer.errors import SinkError
from vidinfer.frame import SourceInfo
from vidinfer.live.outlet import LONGEST_PAUSE, Outlet
from vidinfer.live.waiting import Limits
from vidinfer.record import LabelledBatch
from vidinfer.sink import SharedStream, label_sink
from vidinfer.stages import ModelInfo
from vidinfer.testing import CollectSink, VirtualClock

SECONDS = 20.0
"""More than anything here takes; who waits so long has failed."""


class Door:
    """Holds a sink up, from when it comes to the door until it is opened."""

    def __init__(self) -> None:
        self.came = threading.Semaphore(0)
        self._open = threading.Semaphore(0)

    def __call__(self, _number: int) -> None:
        self.came.release()
        assert self._open.acquire(timeout=SECONDS)

    def wait(self) -> None:
        """Until the sink is at the door."""
        assert self.came.acquire(timeout=SECONDS)

    def open(self, times: int = 1) -> None:
        self._open.release(times)


@contextmanager
def outlet_of(sink: Any, clock: VirtualClock | None = None, **options: Any) -> Iterator[Outlet]:
    outlet = Outlet(sink, "labels", clock or VirtualClock(), **options)
    try:
        outlet.open(CAM, MODEL)
        yield outlet
    finally:
        outlet.close(0)


def indices(sink: CollectSink) -> list[int]:
    return [entry.at.index for entry in sink.entries]  # type: ignore[union-attr]


def settled(outlet: Outlet, condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds; the outlet tells of every change."""
    with outlet._changed:
        assert outlet._changed.wait_for(condition, SECONDS)


def test_what_is_put_is_written_in_order() -> None:
    sink = CollectSink()
    with outlet_of(sink) as outlet:
        for i in range(100):
            outlet.put(labelled(i, arrival(i)))
        outlet.close(SECONDS)
        status = outlet.status()
    assert indices(sink) == list(range(100))
    assert sink.state == "closed"
    assert (status.name, status.written, status.dropped, status.waiting, status.error) == (
        "labels",
        100,
        0,
        0,
        "",
    )
    assert outlet.facts() == {"written": 100, "dropped": 0}


def test_a_slow_sink_never_holds_up_who_puts() -> None:
    door = Door()
    sink = CollectSink(door)
    with outlet_of(sink, limits=Limits(records=10, nbytes=1 << 20)) as outlet:
        outlet.put(labelled(0, arrival()))
        door.wait()
        for i in range(1, 50):
            outlet.put(labelled(i, arrival(i)))
        status = outlet.status()
        assert (status.written, status.waiting, status.dropped) == (0, 11, 39)
        door.open(11)
        outlet.close(SECONDS)
        assert outlet.status().written == 11
    assert indices(sink) == list(range(11))


def test_of_pictures_the_newest_win_and_they_are_not_kept_for_labels() -> None:
    door = Door()
    sink = CollectSink(door, needs_pictures=True)
    with outlet_of(sink) as outlet:
        outlet.put(pictured(0, arrival()))
        door.wait()
        for i in range(1, 20):
            outlet.put(pictured(i, arrival(i)))
        assert outlet.nbytes >= 8 * 64 * 48 * 3
        door.open(9)
        outlet.close(SECONDS)
        assert outlet.facts() == {"written": 9, "dropped": 11, "pictures_dropped": 11}
    assert indices(sink) == [0, *range(12, 20)]
    assert all(entry.picture is not None for entry in sink.entries)
    labels = CollectSink()
    with outlet_of(labels) as outlet:
        outlet.put(pictured(0, arrival()))
        outlet.close(SECONDS)
    assert labels.entries[0].picture is None


def test_a_sink_that_fails_is_tried_again_after_a_pause_that_doubles() -> None:
    clock = VirtualClock()
    attempts: list[float] = []

    def fail(_number: int) -> None:
        attempts.append(clock.now())
        raise SinkError("the disk is full")

    with outlet_of(CollectSink(fail), clock) as outlet:
        for i in range(9):
            outlet.put(labelled(i, arrival(i)))
        for i in range(8):
            settled(outlet, lambda i=i: len(attempts) == i + 1 and outlet._in_hand == 0)  # type: ignore[misc]
            assert outlet.status().error == "the disk is full"
            assert outlet.status().dropped == outlet.status().failed == i + 1
            clock.advance(LONGEST_PAUSE)
            outlet.open(replace(CAM, name=f"wakes it up {i}"), MODEL)
    assert attempts[0] == 0
    pauses = np.diff(attempts)
    assert (pauses == LONGEST_PAUSE).all()


def test_the_pauses() -> None:
    clock = VirtualClock()
    with outlet_of(CollectSink(), clock) as outlet:
        pauses = []
        for _ in range(9):
            with outlet._changed:
                outlet._failed(SinkError("no"))
                pauses.append(outlet._pause_left())
        with outlet._changed:
            outlet._settle("", 0.5, None)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_it_goes_on_when_there_is_room_again() -> None:
    clock = VirtualClock()
    full = [True]
    tried = threading.Semaphore(0)

    def maybe(_number: int) -> None:
        tried.release()
        if full[0]:
            raise OSError("no room")

    sink = CollectSink(maybe)
    with outlet_of(sink, clock) as outlet:
        outlet.put(labelled(0, arrival()))
        assert tried.acquire(timeout=SECONDS)
        settled(outlet, lambda: outlet._dropped == 1)
        outlet.put(labelled(1, arrival(1)))
        assert outlet.status().error == "OSError: no room"
        assert outlet.status().waiting == 1, "nothing is tried during the pause"
        full[0] = False
        clock.advance(0.5)
        outlet.put(labelled(2, arrival(2)))
        settled(outlet, lambda: outlet._written == 2)
        assert outlet.status().error == ""
    assert indices(sink) == [1, 2]


class Opening(CollectSink):
    """Refuses to open a few times, and remembers what it was opened for."""

    def __init__(self, refuse: int = 0) -> None:
        super().__init__()
        self.refuse = refuse
        self.opened: list[SourceInfo] = []

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        if self.refuse:
            self.refuse -= 1
            raise SinkError("not there")
        self.opened.append(source)
        super().open(source, model)


def test_a_failed_open_loses_nothing() -> None:
    clock = VirtualClock()
    sink = Opening(refuse=1)
    with outlet_of(sink, clock) as outlet:
        settled(outlet, lambda: outlet._error == "not there")
        outlet.put(labelled(0, arrival()))
        assert outlet.status().waiting == 1
        clock.advance(0.5)
        outlet.put(labelled(1, arrival(1)))
        outlet.close(SECONDS)
        assert outlet.status().dropped == 0
    assert indices(sink) == [0, 1]


def test_a_stream_that_comes_back_with_another_size_opens_the_sink_again_in_its_place() -> None:
    door = Door()
    sink = Opening()
    sink._before = door
    other = replace(CAM, width=32)
    with outlet_of(sink) as outlet:
        outlet.put(labelled(0, arrival()))
        door.wait()
        outlet.open(CAM, MODEL)
        outlet.put(labelled(1, arrival(1)))
        outlet.open(other, MODEL)
        outlet.put(labelled(2, arrival(2)))
        door.open()
        door.wait()
        assert sink.opened == [CAM], "there are records of the old size to be written"
        door.open(2)
        outlet.close(SECONDS)
    assert sink.opened == [CAM, other]
    assert indices(sink) == [0, 1, 2]


def test_when_its_time_is_over_it_gives_up() -> None:
    door = Door()
    sink = CollectSink(door)
    with outlet_of(sink) as outlet, ThreadPoolExecutor(1) as pool:
        for i in range(5):
            outlet.put(labelled(i, arrival(i)))
        door.wait()
        closing = pool.submit(outlet.close, 0)
        settled(outlet, lambda: outlet._giving_up)
        door.open()
        closing.result(SECONDS)
        outlet.close(0)
        status = outlet.status()
    assert sink.state == "aborted"
    assert (status.written, status.dropped, status.waiting, status.failed) == (1, 4, 0, 0)


def test_at_the_end_a_failing_sink_is_tried_once_and_not_waited_for() -> None:
    def fail(_number: int) -> None:
        raise SinkError("no")

    sink = CollectSink(fail)
    with outlet_of(sink) as outlet:
        for i in range(5):
            outlet.put(labelled(i, arrival(i)))
        outlet.close(SECONDS)
        status = outlet.status()
    assert sink.state == "aborted"
    assert (status.written, status.dropped, status.waiting, status.error) == (0, 5, 0, "no")
    assert status.failed == 5


def test_a_sink_that_cannot_be_closed_is_aborted() -> None:
    class Broken(CollectSink):
        def close(self) -> None:
            raise SinkError("cannot finish")

    sink = Broken()
    with outlet_of(sink) as outlet:
        outlet.close(SECONDS)
        assert outlet.status().error == "cannot finish"
    assert sink.state == "aborted"


def test_a_stuck_sink_is_told() -> None:
    clock = VirtualClock()
    door = Door()
    with outlet_of(CollectSink(door), clock) as outlet:
        outlet.put(labelled(0, arrival()))
        door.wait()
        assert outlet.status().error == ""
        clock.advance(12)
        assert outlet.status().error == "no progress for 12 s"
        door.open()
        settled(outlet, lambda: outlet._written == 1)
        assert outlet.status().error == ""


def test_misuse_is_told_and_what_comes_late_is_counted() -> None:
    outlet = Outlet(CollectSink(), "labels", VirtualClock())
    with pytest.raises(ValueError, match="put before open"):
        outlet.put(labelled(0, arrival()))
    outlet.close(SECONDS)
    outlet.open(CAM, MODEL)
    outlet.put(labelled(0, arrival()))
    assert outlet.status().dropped == 1


def test_a_reader_of_standard_output_that_stops_reading_does_not_hold_up_the_end() -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(writing, "wb", buffering=0) as stream:
        sink = label_sink("jsonl", None, stream=SharedStream(stream))  # type: ignore[arg-type] # unbuffered
        with outlet_of(sink) as outlet:
            for i in range(200):
                outlet.put(labelled(i, arrival(i)))
            settled(outlet, lambda: outlet._written > 0)
            outlet.close(0)
            status = outlet.status()
    assert 0 < status.written < 200
    assert status.written + status.dropped == 200
    with os.fdopen(reading, "rb") as out:
        lines = out.read().splitlines()
    assert [json.loads(line)["frame"] for line in lines[: status.written]] == list(range(status.written))


class Counting(CollectSink):
    """Counts the frames that it is given, whether it takes them or not."""

    given = 0

    def write(self, batch: LabelledBatch) -> None:
        self.given += len(batch.entries)
        super().write(batch)


@settings(max_examples=40)
@given(
    batches=st.lists(st.integers(1, 4), max_size=60),
    failing=st.sets(st.integers(0, 60)),
    records=st.integers(1, 20),
    pictures=st.booleans(),
    timeout=st.sampled_from([0.0, SECONDS]),
)
def test_put_is_written_and_dropped_and_waiting(
    batches: list[int], failing: set[int], records: int, pictures: bool, timeout: float
) -> None:
    clock = VirtualClock()
    calls = [0]

    def maybe(_number: int) -> None:
        calls[0] += 1
        if calls[0] - 1 in failing:
            raise SinkError("now and then")

    sink = Counting(maybe, needs_pictures=pictures)
    limits = Limits(records=records, nbytes=1 << 20, pictures=3 if pictures else None, newest_wins=pictures)
    put = 0
    with outlet_of(sink, clock, limits=limits) as outlet:
        for count in batches:
            one = [pictured(put + i, arrival(put + i)).entries[0] for i in range(count)]
            outlet.put(LabelledBatch(one, pictured(0, None).results))
            put += count
            clock.advance(1.0)
            status = outlet.status()
            assert put == status.written + status.dropped + status.waiting
        outlet.close(timeout)
        status = outlet.status()
        facts = outlet.facts()
    assert put == status.written + status.dropped
    assert status.waiting == 0
    assert len(sink.entries) == status.written
    if pictures:
        assert put == sink.given + facts["pictures_dropped"], "each was given to the sink or counted"
    else:
        assert "pictures_dropped" not in facts
    assert indices(sink) == sorted(set(indices(sink)))
