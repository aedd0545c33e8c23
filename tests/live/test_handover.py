"""The queue between all streams and one reader: bounded, the oldest goes, and every frame is counted once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from tests.sink_live.cases import BASE, NOTHING, arrival, labelled, pictured
from vidinfer.frame import Gap
from vidinfer.live.handover import Handed, HandOver
from vidinfer.record import Entry, LabelledBatch, Outcome

SECONDS = 20.0
"""More than anything here takes; who waits so long has failed."""


def told(handed: Handed | None) -> tuple[str, int]:
    assert handed is not None
    return handed.stream, handed.entry.at.index  # type: ignore[union-attr]


def rest(handover: HandOver) -> list[tuple[str, int]]:
    """All that can still be taken."""
    handover.close()
    found = []
    while (handed := handover.take()) is not None:
        found.append(told(handed))
    return found


def test_frames_come_in_the_order_in_which_they_were_labelled() -> None:
    handover = HandOver()
    (one,), (two,) = handover.of_stream(0, "one"), handover.of_stream(1, "two")
    one.put(pictured(0, arrival()))
    two.put(pictured(7, arrival()))
    one.put(labelled(1, arrival()))
    assert rest(handover) == [("one", 0), ("two", 7), ("one", 1)]
    assert handover.left_out == 0


def test_beyond_the_bound_the_oldest_give_way_whatever_their_stream() -> None:
    handover = HandOver(pictures=2)
    (one,), (two,) = handover.of_stream(0, "one"), handover.of_stream(1, "two")
    one.put(pictured(0, arrival()))
    for i in range(10, 14):
        two.put(pictured(i, arrival()))
    assert handover.left_out == 1
    assert (one.status().dropped, two.status().dropped) == (1, 0)
    assert two.status().waiting == 4
    two.put(pictured(14, arrival()))
    assert two.status().dropped == 1
    assert rest(handover) == [("two", i) for i in range(11, 15)]
    assert two.facts() == {"written": 4, "dropped": 1}


def test_frames_without_pictures_take_no_places_of_those_with() -> None:
    handover = HandOver(pictures=2, records=100)
    (way,) = handover.of_stream(0, "one")
    way.put(pictured(0, arrival()))
    for i in range(1, 50):
        way.put(labelled(i, arrival()))  # as dropped ones are
    way.put(pictured(50, arrival()))
    assert handover.left_out == 0
    way.put(pictured(51, arrival()))  # a third picture: the first frame goes
    assert rest(handover) == [("one", i) for i in range(1, 52)]
    assert handover.left_out == 1


def test_records_and_bytes_are_bounded_too() -> None:
    few = HandOver(records=3)
    (way,) = few.of_stream(0, "one")
    for i in range(5):
        way.put(labelled(i, arrival()))
    assert rest(few) == [("one", i) for i in (2, 3, 4)]
    small = HandOver(nbytes=1)
    (way,) = small.of_stream(0, "one")
    for i in range(3):
        way.put(pictured(i, arrival()))
    assert rest(small) == [("one", 2)]  # a single one is taken whatever its size
    assert small.left_out == 2


def test_a_gap_is_no_frame() -> None:
    handover = HandOver()
    (way,) = handover.of_stream(0, "one")
    gap = Entry(Outcome.GAP, Gap(0, 9, BASE, 10, "lost"), reason="lost", arrival=arrival())
    way.put(LabelledBatch([gap], NOTHING))
    way.put(LabelledBatch([gap, *pictured(3, arrival()).entries], NOTHING))
    assert rest(handover) == [("one", 3)]
    assert way.status().written == 1


def test_a_reader_that_has_gone_holds_nothing_and_stops_nobody() -> None:
    handover = HandOver()
    (way,) = handover.of_stream(0, "one")
    way.put(pictured(0, arrival()))
    handover.abort()
    way.put(pictured(1, arrival()))
    assert handover.take() is None
    status = way.status()
    assert (status.written, status.dropped, status.waiting) == (0, 2, 0)
    assert handover.left_out == 0  # he was not too slow: he did not want them


def test_a_reader_that_waits_is_woken_by_a_frame_and_by_the_end() -> None:
    handover = HandOver()
    (way,) = handover.of_stream(0, "one")
    begun = threading.Event()

    def read() -> list[Handed | None]:
        begun.set()
        return [handover.take(), handover.take()]

    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(read)
        assert begun.wait(SECONDS)
        way.put(pictured(0, arrival()))
        handover.close()
        first, second = found.result(SECONDS)
    assert told(first) == ("one", 0)
    assert second is None


@given(st.lists(st.sampled_from(["picture one", "picture two", "record one", "take"]), max_size=60))
def test_every_frame_is_counted_once_and_the_bound_holds(steps: list[str]) -> None:
    handover = HandOver(pictures=2, records=6)
    ways = {name: handover.of_stream(i, name)[0] for i, name in enumerate(("one", "two"))}
    put = dict.fromkeys(ways, 0)
    taken: dict[str, list[int]] = {name: [] for name in ways}
    for step in steps:
        if step == "take":
            if any(way.status().waiting for way in ways.values()):
                name, index = told(handover.take())
                taken[name].append(index)
            continue
        kind, name = step.split()
        ways[name].put((pictured if kind == "picture" else labelled)(put[name], arrival()))
        put[name] += 1
        assert sum(way.status().waiting for way in ways.values()) <= 6
    for name, index in rest(handover):
        taken[name].append(index)
    for name, way in ways.items():
        status = way.status()
        assert status.waiting == 0
        assert put[name] == status.written + status.dropped
        assert status.written == len(taken[name])
        assert taken[name] == sorted(taken[name])
    assert handover.left_out == sum(way.status().dropped for way in ways.values())
