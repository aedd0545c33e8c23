"""What is left out of a queue in front of a sink: pure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.sink_live.cases import BASE, CAM, MODEL, NOTHING, arrival
from vidinfer.detections import Results, Segments
from vidinfer.frame import FrameStamp
from vidinfer.live.waiting import Beginning, Limits, Waiting, size_of, without_pictures
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.testing import ArrayPicture

BEGINNING = Beginning(CAM, MODEL)
PIXELS = np.zeros((48, 64, 3), np.uint8)


def batch(first: int, entries: int, *, pictures: bool = False) -> LabelledBatch:
    picture = ArrayPicture(PIXELS) if pictures else None
    return LabelledBatch(
        [
            Entry(Outcome.LABELLED, FrameStamp(first + i, None, BASE), picture=picture, arrival=arrival())
            for i in range(entries)
        ],
        NOTHING,
    )


def frames(one: LabelledBatch) -> list[int]:
    return [entry.at.index for entry in one.entries if isinstance(entry.at, FrameStamp)]


def pictures_of(one: LabelledBatch) -> int:
    return sum(entry.picture is not None for entry in one.entries)


def test_what_is_left_out_in_the_end_is_counted() -> None:
    waiting = Waiting(Limits(records=100, nbytes=1 << 20))
    for i in range(3):
        waiting.add(BEGINNING, batch(2 * i, 2, pictures=i > 0))
    assert waiting.clear() == (6, 4)
    assert (len(waiting), waiting.records, waiting.nbytes, waiting.with_pictures) == (0, 0, 0, 0)


def test_what_is_queued_stays_and_what_comes_is_left_out() -> None:
    waiting = Waiting(Limits(records=4, nbytes=1 << 20))
    assert [waiting.add(BEGINNING, batch(3 * i, 3)) for i in range(3)] == [(0, 0), (3, 0), (3, 0)]
    assert waiting.add(BEGINNING, batch(9, 1)) == (0, 0)
    assert [frames(waiting.take()[1]) for _ in range(len(waiting))] == [[0, 1, 2], [9]]


def test_the_newest_pictures_win() -> None:
    waiting = Waiting(Limits(records=100, nbytes=1 << 20, pictures=2, newest_wins=True))
    left_out = [waiting.add(BEGINNING, batch(i, 1, pictures=True)) for i in range(4)]
    assert left_out == [(0, 0), (0, 0), (1, 1), (1, 1)]
    assert waiting.add(BEGINNING, batch(4, 1)) == (0, 0), "without a picture it takes nobody's place"
    assert [frames(waiting.take()[1]) for _ in range(len(waiting))] == [[2], [3], [4]]


def test_bytes_are_bounded_pictures_and_columns_alike() -> None:
    one = batch(0, 2, pictures=True)
    assert size_of(one) >= 2 * PIXELS.nbytes
    assert size_of(without_pictures(one)) < PIXELS.nbytes
    maps = LabelledBatch(
        [], Results(1, MODEL.categories, segments=Segments(np.zeros((1, 500, 500), np.uint8)))
    )
    assert size_of(maps) >= 250_000
    shared = Segments(np.zeros((4, 500, 500), np.uint8)).rows(1, 2)
    assert size_of(replace(maps, results=replace(maps.results, segments=shared))) >= 1_000_000
    waiting = Waiting(Limits(records=100, nbytes=2 * size_of(one), newest_wins=True))
    for i in range(5):
        waiting.add(BEGINNING, batch(2 * i, 2, pictures=True))
        assert waiting.nbytes <= 2 * size_of(one)
    assert len(waiting) == 2


def test_a_batch_larger_than_everything_is_taken_where_nothing_waits() -> None:
    for newest_wins in (True, False):
        waiting = Waiting(Limits(records=1, nbytes=1, pictures=0, newest_wins=newest_wins))
        assert waiting.add(BEGINNING, batch(0, 5, pictures=True)) == (0, 0)
        assert waiting.add(BEGINNING, batch(5, 5, pictures=True)) == (5, 5)
        assert frames(waiting.take()[1]) == ([5, 6, 7, 8, 9] if newest_wins else [0, 1, 2, 3, 4])


@given(
    steps=st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 5), st.booleans()))),
    records=st.integers(0, 12),
    kilobytes=st.integers(0, 60),
    pictures=st.one_of(st.none(), st.integers(0, 4)),
    newest_wins=st.booleans(),
)
def test_nothing_is_lost_without_being_counted(
    steps: list[tuple[int, bool] | None],
    records: int,
    kilobytes: int,
    pictures: int | None,
    newest_wins: bool,
) -> None:
    """Steps: a batch of so many records, with pictures or not, or ``None``: the sink takes one."""
    waiting = Waiting(Limits(records, 1024 * kilobytes, pictures, newest_wins))
    put = lost = shown = unseen = 0
    taken: list[int] = []
    for step in steps:
        if step is not None:
            left_out = waiting.add(BEGINNING, batch(put, step[0], pictures=step[1]))
            lost += left_out.records
            unseen += left_out.pictures
            put += step[0]
            shown += step[0] * step[1]
        elif len(waiting):
            one = waiting.take()[1]
            taken += frames(one)
            shown -= pictures_of(one)
        assert put == len(taken) + lost + waiting.records
        within = (waiting.records <= records, waiting.nbytes <= 1024 * kilobytes)
        assert len(waiting) <= 1 or all(within)
        assert len(waiting) <= 1 or pictures is None or waiting.with_pictures <= pictures
    while len(waiting):
        one = waiting.take()[1]
        taken += frames(one)
        shown -= pictures_of(one)
    assert shown == unseen, "every picture was taken or counted as left out"
    assert taken == sorted(set(taken))
    assert waiting.nbytes == waiting.records == waiting.with_pictures == 0
    assert put == len(taken) + lost
