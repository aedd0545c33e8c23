from __future__ import annotations

import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.source.rtcp import Report, SenderClock, read_report

WALL = 1_795_000_000.0


def clock_with(*reports: tuple[float, float, float], ssrc: int = 7) -> SenderClock:
    """Each: seconds on the sender's wall clock, on its media clock, on ours."""
    clock = SenderClock(Fraction(90000))
    for wall, media, ours in reports:
        clock.report(Report(ssrc, WALL + wall, int(media * 90000) % 2**32), ours)
    return clock


def test_side_data_is_read_in_this_machines_byte_order() -> None:
    data = struct.pack("=I4xQIII", 7, (2_208_988_800 + 100) << 32 | 1 << 31, 5, 0, 0)
    assert read_report(data) == Report(7, 100.5, 5)


def test_one_report_is_not_enough_and_two_that_agree_are() -> None:
    assert clock_with((0, 0, 0)).why == "one sender report is not enough"
    assert clock_with((0, 0, 0), (5, 5, 5.1)).trusted


def test_the_same_report_twice_is_one() -> None:
    clock = clock_with((0, 0, 0), (0, 0, 0.04))
    assert (clock.reports, clock.trusted) == (1, False)


def test_a_media_clock_may_begin_again_at_zero() -> None:
    turn = 2**32 / 90000
    assert clock_with((0, turn - 2, 0), (5, turn + 3, 5)).trusted


@pytest.mark.parametrize(
    ("last", "why"),
    [
        ((3605, 10, 10), "jumped"),
        ((-3595, 10, 10), "jumped"),
        ((10, 11, 10), "jumped"),
        ((10, 10, 15), "jumped"),
        ((-WALL + 10, 10, 10), "not set"),
    ],
)
def test_reports_that_do_not_fit_are_not_believed(last: tuple[float, float, float], why: str) -> None:
    clock = clock_with((0, 0, 0), (5, 5, 5), last)
    assert not clock.trusted
    assert why in clock.why


def test_after_a_jump_two_that_agree_are_believed_and_the_jump_counts() -> None:
    clock = clock_with((0, 0, 0), (5, 5, 5), (110, 10, 10), (115, 15, 15))
    assert clock.trusted
    assert clock.jumps == 1
    assert clock.correction == pytest.approx(100)


def test_another_sender_is_not_believed_any_more() -> None:
    clock = clock_with((0, 0, 0), (5, 5, 5))
    for at in (10, 15, 20):
        clock.report(Report(8, WALL + at, at * 90000), at)
    assert not clock.trusted
    assert "another" in clock.why


@given(st.floats(-400, 400), st.lists(st.floats(0, 0.3), min_size=12, max_size=12))
def test_a_drift_is_corrected_and_told(ppm: float, delays: list[float]) -> None:
    reports = [(i * 5.0 * (1 + ppm / 1e6), i * 5.0, i * 5.0 + delay) for i, delay in enumerate(delays)]
    clock = clock_with(*reports)
    assert clock.trusted
    assert clock.drift_ppm == pytest.approx(ppm, abs=5)
    assert clock.correction == pytest.approx(55 * ppm / 1e6, abs=1e-4)
