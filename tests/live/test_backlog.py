from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.live.backlog import JUDGED_AFTER, Backlog, Pace


class Stream:
    """A camera on a virtual clock."""

    def __init__(self, *, rate: float = 25.0, jitter: float = 0.0, seed: int = 0) -> None:
        self.watch = Backlog()
        self.rate, self.jitter = rate, jitter
        self.random = random.Random(seed)
        self.seconds, self.now, self.arrived = 1000.0, 50.0, 0.0

    def run(self, seconds: float, *, pace: float = 1.0, late: float = 0.0) -> list[float]:
        """``seconds`` of its clock; each takes ``1 / pace`` of ours. The jumps that were noticed."""
        jumps = []
        for _ in range(round(seconds * self.rate)):
            self.seconds += 1 / self.rate
            self.now += 1 / self.rate / pace
            self.arrived = max(self.arrived, self.now + late + self.random.random() * self.jitter)
            jump = self.watch.frame(self.seconds, self.arrived)
            if jump is not None:
                jumps.append(jump)
        return jumps


def test_a_camera_that_keeps_time_is_never_behind() -> None:
    stream = Stream(jitter=0.2)
    for _ in range(60):
        stream.run(1)
        assert stream.watch.behind < 0.15
    assert stream.watch.pace is Pace.TRUE


def test_a_backlog_that_grows_is_told_and_so_is_its_end() -> None:
    stream = Stream(jitter=0.05)
    stream.run(15)
    stream.run(10, pace=0.8)
    assert stream.watch.behind == pytest.approx(2.5, abs=0.3)
    stream.run(9, pace=1.35)
    stream.run(2)
    assert stream.watch.behind < 0.3
    assert stream.watch.jumps == 0


def test_a_pause_that_is_not_made_up_for_is_a_backlog() -> None:
    stream = Stream()
    stream.run(15)
    stream.run(5, late=3.0)
    assert stream.watch.behind == pytest.approx(3.0, abs=0.2)


def test_a_camera_that_claims_25_and_sends_21_has_another_clock_and_no_backlog() -> None:
    stream = Stream(jitter=0.05)
    stream.run(12, pace=21 / 25)
    assert stream.watch.pace is Pace.OTHER
    assert stream.watch.rate == pytest.approx(21 / 25, abs=0.01)
    for _ in range(60):
        stream.run(1, pace=21 / 25)
        assert stream.watch.behind < 0.3


def test_and_its_backlog_is_told_all_the_same() -> None:
    stream = Stream()
    stream.run(30, pace=21 / 25)
    stream.run(5, pace=21 / 25, late=2.0)
    assert stream.watch.behind == pytest.approx(2.0, abs=0.2)


def test_a_right_clock_or_our_own_slowness_is_not_put_down_to_the_camera() -> None:
    for flag in ("true_clock", "lagging"):
        stream = Stream()
        setattr(stream.watch, flag, True)
        stream.run(20, pace=21 / 25)
        assert stream.watch.pace is Pace.TRUE
        assert stream.watch.behind > 2


@pytest.mark.parametrize("hour", [3600.0, -3600.0])
def test_a_clock_that_jumps_an_hour_is_a_jump_once_and_no_backlog(hour: float) -> None:
    stream = Stream(jitter=0.05)
    stream.run(15)
    stream.seconds += hour
    jumps = stream.run(15)
    assert jumps == [pytest.approx(hour, abs=0.2)]
    assert stream.watch.behind < 0.1


def test_cameras_that_pause_before_each_keyframe_are_not_behind() -> None:
    stream = Stream()
    for _ in range(20):
        stream.run(0.5, late=0.5)
        stream.run(1.5)
        assert stream.watch.behind < 0.6
    assert stream.watch.pace is Pace.TRUE


@given(
    st.lists(
        st.tuples(st.floats(-100, 5000), st.floats(0, 30)),
        min_size=1,
        max_size=80,
    )
)
def test_whatever_times_come_the_answers_are_sound(steps: list[tuple[float, float]]) -> None:
    watch, seconds, now = Backlog(), 0.0, 0.0
    for step, passed in steps:
        seconds, now = seconds + step, now + passed
        watch.frame(seconds, now)
        assert 0 <= watch.behind < 1e6
        assert watch.rate > 0


@given(st.floats(0.5, 1.5), st.floats(0, 0.03), st.integers(0, 1000))
def test_any_steady_pace_is_told_within_a_percent(pace: float, jitter: float, seed: int) -> None:
    stream = Stream(jitter=jitter, seed=seed)
    stream.run(1.5 * JUDGED_AFTER * max(1, pace), pace=pace)
    expected = 1.0 if abs(1 / pace - 1) <= 0.009 else pace
    assert stream.watch.rate == pytest.approx(expected, abs=0.012)
