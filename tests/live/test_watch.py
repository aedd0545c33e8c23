"""What is left out before decoding, and what a person is told of a stream."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from vidinfer.arrival import Received, Shed
from vidinfer.frame import Frame, FrameStamp
from vidinfer.live.watch import StreamWatch
from vidinfer.testing import ArrayPicture, VirtualClock

PICTURE = ArrayPicture(np.zeros((24, 32, 3), np.uint8))
RATE = 25


def watched(
    seconds: float, gop: int, dropped: float, *, late: float = 0.0, after: float = 0.0
) -> StreamWatch:
    """A stream of 25 frames a second of which ``dropped`` are dropped, and which falls ``late`` from ``after`` on."""
    clock = VirtualClock(1000.0)
    watch = StreamWatch(clock)
    watch.begin(clock.now())
    for i in range(round(seconds * RATE)):
        clock.advance(1 / RATE)
        behind = min(late, max(0.0, 0.5 * (i / RATE - after)))
        stamp = FrameStamp(i, i - round(behind * RATE), Fraction(1, RATE), keyframe=i % gop == 0)
        watch.frame(Received(Frame(stamp, PICTURE), clock.now()), clock.now(), lambda: dropped, lambda: 0.5)
    return watch


def test_nothing_is_left_out_where_nothing_is_dropped() -> None:
    watch = watched(60, 25, 0.0)
    assert watch.level is Shed.NOTHING
    assert watch.flags == ()


def test_lasting_overload_leaves_out_what_no_other_frame_needs() -> None:
    watch = watched(20, 25, 0.6)
    assert watch.level is Shed.NON_REFERENCE
    assert watch.flags == ("overload, reference frames only",)


def test_keyframes_alone_where_hardly_anything_is_labelled_and_they_are_enough() -> None:
    assert watched(30, 5, 0.95).level is Shed.NON_KEY


def test_keyframes_that_are_seconds_apart_are_not_enough() -> None:
    assert watched(30, 250, 0.95).level is Shed.NON_REFERENCE


def test_a_stream_that_falls_behind_skips_to_live() -> None:
    watch = watched(40, 25, 0.0, late=3.0, after=30.0)
    assert watch.level is Shed.NON_KEY
    assert "behind, skipping to live" in watch.flags
    assert watch.facts()["skips_to_live"] == 1
