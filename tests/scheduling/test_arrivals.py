"""When the next frame comes."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.scheduling.arrivals import KEPT, RESTART, TRUSTED, Activity, Arrivals

PERIOD = 1 / 30


def after(times: list[float]) -> Arrivals:
    arrivals = Arrivals()
    for at in times:
        arrivals.seen(at)
    return arrivals


def regular(count: int, period: float = PERIOD) -> list[float]:
    return [i * period for i in range(count)]


def test_nothing_is_expected_before_there_are_enough() -> None:
    arrivals = Arrivals()
    assert arrivals.activity(0.0) is Activity.STALLED
    for at in regular(TRUSTED - 1):
        arrivals.seen(at)
        assert arrivals.due == math.inf
        assert arrivals.expected(at) == math.inf
        assert arrivals.activity(at) is Activity.ACTIVE
    arrivals.seen((TRUSTED - 1) * PERIOD)
    assert arrivals.due == pytest.approx(TRUSTED * PERIOD)


@given(period=st.floats(0.005, 1.0), jitter=st.floats(0.0, 0.1), seed=st.integers(0, 999))
def test_the_next_frame_is_due_a_period_after_the_last(period: float, jitter: float, seed: int) -> None:
    random_ = random.Random(seed)
    times = [at + random_.uniform(0, jitter * period) for at in regular(200, period)]
    arrivals = after(times)
    assert arrivals.period == pytest.approx(period, rel=0.1)
    assert arrivals.due == pytest.approx(times[-1] + arrivals.period)  # type: ignore[operator]
    assert arrivals.slack <= 1.25 * (2 * jitter + 0.01) * period + 0.0005


def test_bursts_do_not_fool_the_period() -> None:
    """Every two seconds nothing comes for half a second, and then all that was held back at once."""
    times = []
    for at in regular(60 * 15, 1 / 15):
        since = at % 2.0
        times.append(at - since + 0.5 if since < 0.5 else at)
    assert after(times).period == pytest.approx(1 / 15, rel=0.15)


def test_frames_that_are_late_are_waited_for_as_long_as_such_frames_took() -> None:
    random_ = random.Random(1)
    times = [at + random_.choice([0.0, 0.0, 0.0, 0.004]) for at in regular(100)]
    arrivals = after(times)
    due = arrivals.due
    assert 0.004 < arrivals.slack < 0.006
    assert arrivals.expected(due - 0.02) == due
    assert due + 0.001 < arrivals.expected(due + 0.001) <= due + arrivals.slack
    assert arrivals.expected(due + arrivals.slack + 1e-6) == pytest.approx(due + PERIOD, abs=1e-6)


@given(missed=st.floats(0.0, 10.0), jitter=st.floats(0.0, 0.1), seed=st.integers(0, 99))
def test_what_is_expected_is_never_past_and_ends_after_three_periods(
    missed: float, jitter: float, seed: int
) -> None:
    random_ = random.Random(seed)
    times = [at + random_.uniform(0, jitter * PERIOD) for at in regular(100)]
    arrivals = after(times)
    now = times[-1] + missed * PERIOD
    expected = arrivals.expected(now)
    assert expected >= now
    assert arrivals.period is not None
    if now >= times[-1] + 3 * arrivals.period:
        assert expected == math.inf
        assert arrivals.activity(now) is Activity.STALLED
    else:
        assert arrivals.activity(now) is Activity.ACTIVE
        assert expected < times[-1] + 3 * arrivals.period or expected == math.inf


def test_a_frame_that_the_camera_leaves_out_is_no_error_of_the_prediction() -> None:
    times = [at for i, at in enumerate(regular(200)) if i % 10]
    assert after(times).slack < 0.2 * PERIOD


def test_a_stream_that_comes_at_any_time_is_not_predicted() -> None:
    random_ = random.Random(2)
    assert after(sorted(random_.uniform(0, 10) for _ in range(300))).due == math.inf


def test_a_long_silence_starts_anew() -> None:
    arrivals = after(regular(100))
    begin = 100 * PERIOD + RESTART + 1
    for at in regular(TRUSTED - 1, 1 / 10):
        arrivals.seen(begin + at)
        assert arrivals.due == math.inf
    arrivals.seen(begin + (TRUSTED - 1) / 10)
    assert arrivals.period == pytest.approx(0.1)
    assert arrivals.due == pytest.approx(begin + TRUSTED / 10)


def test_another_pace_is_learned_within_the_stamps_that_are_kept() -> None:
    arrivals = after(regular(100) + [100 * PERIOD + i / 15 for i in range(KEPT)])
    assert arrivals.period == pytest.approx(1 / 15)


def test_frames_at_one_moment_are_no_period() -> None:
    arrivals = after([1.0] * 100)
    assert arrivals.due == math.inf
    assert arrivals.expected(1.0) == math.inf
