"""Times: exact where MP4 can hold them, strictly increasing always, and every change told."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.frame import FrameStamp
from vidinfer.sink.timeline import Increasing, VideoTimeline, start_shift, track_time_base

MS = Fraction(1, 1000)


def place(stamps: list[tuple[int | None, int | None]], rate: Fraction | None = None) -> VideoTimeline:
    timeline = VideoTimeline(MS, rate)
    for index, (pts, duration) in enumerate(stamps):
        timeline.place(FrameStamp(index, pts, MS, duration))
    return timeline


@given(st.integers(1, 10_000_000), st.integers(1, 5000), st.integers(-(10**12), 10**12))
def test_the_track_holds_every_time_of_the_source(ticks: int, numerator: int, pts: int) -> None:
    base = Fraction(numerator, ticks)
    track, exact = track_time_base(base)
    assert exact
    assert (pts * base / track).denominator == 1
    assert track.denominator >= 10_000


@pytest.mark.parametrize("base", [Fraction(1, 10**9), Fraction(0), Fraction(-1, 25)])
def test_a_unit_that_does_not_fit_is_replaced_and_told(base: Fraction) -> None:
    assert track_time_base(base) == (Fraction(1, 90_000), False)


@pytest.mark.parametrize(
    ("video", "audio", "shift"),
    [
        (0, None, 0),
        (5, 5, 0),
        (10, None, 0),
        (Fraction(-2, 25), 0, Fraction(2, 25)),
        (3600, None, -3600),
        (3600, Fraction(7199, 2), Fraction(-7199, 2)),
        (3600, 0, 0),
    ],
)
def test_only_a_start_that_cannot_be_played_is_moved(
    video: Fraction, audio: Fraction | None, shift: Fraction
) -> None:
    assert start_shift(Fraction(video), audio) == shift


@given(st.lists(st.integers(-5000, 5000), min_size=1, max_size=50))
def test_ticks_come_out_strictly_increasing(ticks: list[int]) -> None:
    increasing = Increasing(MS)
    out = [increasing.next(tick, 40) for tick in ticks]
    assert all(b > a for a, b in pairwise(out))


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=50, unique=True))
def test_increasing_ticks_stay_as_they_are(ticks: list[int]) -> None:
    increasing = Increasing(MS)
    assert [increasing.next(tick, 40) for tick in sorted(ticks)] == sorted(ticks)
    assert increasing.changed == increasing.resets == 0


def test_a_duplicate_moves_alone() -> None:
    increasing = Increasing(MS)
    assert [increasing.next(t, 40) for t in (0, 40, 40, 80)] == [0, 40, 41, 80]
    assert increasing.changed == 1


def test_a_clock_that_starts_anew_is_joined_up() -> None:
    increasing = Increasing(MS)
    assert [increasing.next(t, 40) for t in (90_000, 90_040, 0, 40)] == [90_000, 90_040, 90_080, 90_120]
    assert increasing.resets == 1


def test_a_missing_time_is_filled_from_the_neighbours() -> None:
    timeline = VideoTimeline(MS, None)
    pts = [timeline.place(FrameStamp(i, p, MS)).pts for i, p in enumerate([0, 40, None, None, 160])]
    assert [p * timeline.time_base for p in pts] == [0, 40 * MS, 80 * MS, 120 * MS, 160 * MS]
    assert timeline.missing == 2
    assert "frames without a timestamp: 2" in timeline.warnings()[0]


@pytest.mark.parametrize(
    ("stamps", "rate", "end"),
    [
        ([(0, 40), (40, 100)], None, 140),
        ([(0, None), (40, None), (80, None)], None, 120),
        ([(0, None), (40, None), (5000, None)], None, 5040),
        ([(0, None), (40, None), (5000, None)], Fraction(50), 5020),
        ([(7, None)], Fraction(10), 107),
        ([(0, 0), (40, 0)], None, None),
    ],
)
def test_the_last_frame_has_a_length(
    stamps: list[tuple[int | None, int | None]], rate: Fraction | None, end: int | None
) -> None:
    timeline = place(stamps, rate)
    if end is None:
        assert timeline.end > stamps[-1][0] * MS / timeline.time_base  # type: ignore[operator]
    else:
        assert timeline.end * timeline.time_base == end * MS


def test_a_shift_never_puts_a_frame_before_zero() -> None:
    timeline = VideoTimeline(Fraction(1, 25), None)
    timeline.begin(start_shift(Fraction(-1, 3), None))
    assert timeline.place(FrameStamp(0, None, Fraction(1, 25))).pts >= Fraction(1, 3) / timeline.time_base
