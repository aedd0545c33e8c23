"""The time of a batch, learned while running."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.scheduling import ServiceTimes
from vidinfer.scheduling.service_times import KEPT, SKIPPED


def test_nothing_is_known_at_first() -> None:
    service = ServiceTimes()
    assert service.line is None
    assert service.predict(4) is None
    assert service.largest(1.0, 8) is None


def test_the_first_batches_of_a_size_are_warm_up() -> None:
    service = ServiceTimes()
    for _ in range(SKIPPED):
        service.observe(2, 9.0)
        assert service.predict(2) is None
    service.observe(2, 0.02)
    assert service.predict(2) == pytest.approx(0.02)
    service.observe(4, 9.0)
    assert service.predict(4) == pytest.approx(0.04)


def test_a_size_that_was_seeded_needs_none() -> None:
    service = ServiceTimes()
    service.seed([(1, 0.010), (4, 0.016)])
    assert service.line == pytest.approx((0.002, 0.008))
    for _ in range(3):
        service.observe(1, 0.012)
    assert service.predict(1) == pytest.approx(0.012, rel=0.1)


@given(a=st.floats(1e-4, 0.1), b=st.floats(0, 0.1), seed=st.integers(0, 999))
def test_the_line_is_found_and_the_high_quantile_is_above_it(a: float, b: float, seed: int) -> None:
    random_ = random.Random(seed)
    service = ServiceTimes()
    for _ in range(300):
        frames = random_.choice([1, 2, 3, 5, 8])
        service.observe(frames, (a * frames + b) * random_.uniform(1.0, 1.2))
    for frames in (1, 2, 3, 4, 5, 6, 8, 12):
        exact = a * frames + b
        middle, high = service.predict(frames), service.predict(frames, high=True)
        assert middle is not None
        assert high is not None
        assert 0.9 * exact < middle < 1.3 * exact
        assert high >= middle
        assert 1.1 * exact < high < 1.5 * exact


def test_one_hiccup_is_no_high_quantile() -> None:
    service = ServiceTimes()
    for i in range(KEPT):
        service.observe(2, 5.0 if i == 60 else 0.020)
    assert service.predict(2) == pytest.approx(0.020)
    assert service.predict(2, high=True) == pytest.approx(0.020)


def test_a_machine_that_slows_down_is_followed() -> None:
    service = ServiceTimes()
    service.seed((n, 0.004 + 0.001 * n) for n in (1, 2, 4, 8) for _ in range(KEPT))
    for _ in range(KEPT):
        for frames in (1, 2, 4, 8):
            service.observe(frames, 0.008 + 0.002 * frames)
    assert service.line == pytest.approx((0.002, 0.008))


def test_sizes_that_do_not_come_any_more_are_forgotten() -> None:
    service = ServiceTimes()
    service.seed([(16, 1.0)] * 20)
    for _ in range(700):
        service.observe(1, 0.001)
        service.observe(2, 0.002)
    assert service.predict(16) == pytest.approx(0.016, rel=0.01)


@given(budget=st.floats(0.0, 0.2), most=st.integers(1, 64))
def test_the_largest_batch_within_a_budget(budget: float, most: int) -> None:
    service = ServiceTimes()
    service.seed((n, 0.004 + 0.001 * n) for n in (1, 2, 4, 8, 16) for _ in range(40))
    largest = service.largest(budget, most)
    assert largest is not None
    assert 0 <= largest <= most
    if largest:
        assert service.predict(largest, high=True) <= budget  # type: ignore[operator]
    if largest < most:
        assert service.predict(largest + 1, high=True) > budget  # type: ignore[operator]


@pytest.mark.parametrize(("frames", "seconds"), [(0, 1.0), (1, -1.0)])
def test_impossible_batches_are_refused(frames: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="at least 1 frame"):
        ServiceTimes().observe(frames, seconds)


def test_chances_and_quantiles_tell_the_same() -> None:
    service = ServiceTimes()
    service.seed((1, 0.001 * i) for i in range(1, 101))
    assert service.chance(1, 0.0804) == pytest.approx(0.8)
    assert service.quantile(1, 0.8) == pytest.approx(0.080)
    assert service.quantile(1, 0.3) == service.predict(1)
    assert service.largest(0.0804, 1) == 0
    assert service.largest_usually(0.0804, 1) == 1


def test_chances_of_a_size_that_never_ran_follow_from_the_others() -> None:
    service = ServiceTimes()
    assert service.chance(4, 0.001) == 1.0
    assert service.quantile(4, 0.9) is None
    service.seed((1, 0.010) for _ in range(8))
    assert [service.chance(2, seconds) for seconds in (0.019, 0.021, 0.026)] == [0.0, 0.5, 1.0]
    for i in range(20):
        service.observe(1, 0.010 * (1 + (i % 10) / 10))
    assert service.predict(2) == pytest.approx(0.020, rel=0.5)
    middle = service.predict(2)
    assert middle is not None
    assert 0.0 < service.chance(2, 1.3 * middle) < 1.0
    assert service.chance(2, 3 * middle) == 1.0
