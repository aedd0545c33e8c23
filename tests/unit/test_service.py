"""The line through the times of batches, and what is picked by it."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vidinfer.service import (
    ENOUGH,
    Curve,
    Service,
    Timed,
    cameras,
    fastest,
    fit,
    largest_within,
    smallest_enough,
    sustained,
    within,
)

SIZES = (1, 2, 4, 8, 16)
milliseconds = st.floats(0.01, 1000)
rates = st.dictionaries(st.integers(1, 64), st.floats(0.1, 1e5), min_size=1, max_size=8)


def curve(
    times: dict[int, float], *, name: str = "openvino", exact: bool = True, rate: float | None = None
) -> Curve:
    timed = tuple(Timed(n, ms, rate or 1000 * n / ms) for n, ms in sorted(times.items()))
    return Curve(name, "fp32", timed, exact=exact)


def straight(a: float, b: float, sizes: tuple[int, ...] = SIZES) -> Curve:
    return curve({n: a * n + b for n in sizes})


@given(milliseconds, st.floats(-5, 1000), st.sets(st.integers(1, 256), min_size=3))
def test_an_exact_line_is_found_again(a: float, b: float, sizes: set[int]) -> None:
    line = fit([(n, a * n + b) for n in sizes])
    # Sums of a few hundred float64 values of this size lose nine digits at most.
    assert line.marginal == pytest.approx(a, rel=1e-6, abs=1e-6)
    assert line.fixed == pytest.approx(b, rel=1e-6, abs=1e-4)
    assert line.quality == pytest.approx(1.0, abs=1e-6)


@given(st.lists(st.tuples(st.integers(1, 64), milliseconds), min_size=3, unique_by=lambda one: one[0]))
def test_no_other_line_is_nearer(points: list[tuple[int, float]]) -> None:
    line = fit(points)

    def apart(a: float, b: float) -> float:
        return sum((a * n + b - ms) ** 2 for n, ms in points)

    least = apart(line.marginal, line.fixed)
    for da, db in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01)):
        assert least <= apart(line.marginal + da, line.fixed + db) * (1 + 1e-9)
    assert line.quality is not None
    assert line.quality <= 1 + 1e-9


def test_few_points_say_nothing_of_the_quality() -> None:
    assert fit([(2, 10.0)]) == Service(5.0, 0.0, None)
    assert fit([(1, 10.0), (3, 20.0)]) == Service(5.0, 5.0, None)
    for points in ([], [(2, 1.0), (2, 3.0)]):
        with pytest.raises(ValueError, match="points"):
            fit(points)


def test_half_of_the_peak() -> None:
    assert Service(2.0, 8.0, 1.0).half == 4
    assert Service(2.0, -3.0, 1.0).half == 0
    assert Service(0.0, 3.0, 1.0).half == math.inf


@given(rates)
def test_the_smallest_that_is_fast_enough(by_size: dict[int, float]) -> None:
    size, best = smallest_enough(by_size), max(by_size.values())
    assert by_size[size] >= ENOUGH * best
    assert all(rate < ENOUGH * best for other, rate in by_size.items() if other < size)


def test_the_fastest_is_exact() -> None:
    slow, fast, wrong = (straight(a, 1.0) for a in (9.0, 3.0, 1.0))
    wrong = curve({1: 1.0}, exact=False)
    nothing = Curve("compile", "fp32", exact=True)
    assert fastest([slow, wrong, fast, nothing]) is fast
    assert fastest([wrong, nothing]) is None


@given(milliseconds, st.floats(0, 100), st.floats(0.01, 5000))
def test_the_largest_batch_within_a_budget(a: float, b: float, budget: float) -> None:
    found = largest_within(straight(a, b), budget)
    assert 0 <= found <= SIZES[-1]
    # Where n is right at the budget the last bits decide.
    assert not found or a * found + b <= budget * (1 + 1e-9)
    assert found == SIZES[-1] or a * (found + 1) + b > budget * (1 - 1e-9)


def test_a_crooked_curve_is_not_interpolated_nor_contradicted() -> None:
    crooked = curve({1: 5.0, 2: 50.0, 4: 20.0, 8: 200.0})
    assert largest_within(crooked, 30.0) == 4
    nearly = curve({1: 10.0, 2: 19.0, 4: 45.0, 8: 80.0, 16: 161.0})
    assert largest_within(nearly, 41.0) == 3  # the line would allow 4, which was measured at 45
    assert largest_within(nearly, 9.0) == 0
    assert largest_within(nearly, 1e9) == 16


def test_the_best_within_a_budget_is_the_one_that_does_most() -> None:
    quick, deep, wrong = straight(4.0, 1.0), straight(2.0, 20.0), curve({1: 0.1, 16: 0.2}, exact=False)
    found = within([quick, deep, wrong], 33.0)
    assert found is not None
    assert (found.curve, found.frames) == (quick, 8)
    found = within([quick, deep, wrong], 51.0)
    assert found is not None
    assert (found.curve, found.frames) == (deep, 15)
    assert found.milliseconds == pytest.approx(50.0)
    assert within([quick, deep], 3.0) is None


@given(st.floats(0.1, 50), st.floats(0, 50), st.floats(1, 500))
def test_what_is_sustained_keeps_the_budget(a: float, b: float, budget: float) -> None:
    rate = sustained(Service(a, b, 1.0), budget) / 1000
    if 2 * (a + b) > budget:
        assert rate == 0
        return
    assume(rate * a < 1 - 1e-9)  # without any fixed cost the device is simply full
    batch = max(1.0, rate * b / (1 - rate * a))
    assert 2 * (a * batch + b) <= budget * (1 + 1e-6)


def test_cameras_by_throughput_by_latency_and_one_alone() -> None:
    line = Service(1.0, 4.0, 1.0)
    # (1 - 2·4/33)/1 = 757 frames a second keep to 33 ms; notes of a simulation say the same.
    assert cameras(10_000, line, 33.0, 30) == 25
    assert cameras(120, line, 33.0, 30) == 4
    assert cameras(20, line, 33.0, 30) == 0
    slow = Service(20.0, 5.0, 1.0)
    assert cameras(60, slow, 33.0, 30) == 1  # two would wait for each other
    assert cameras(60, slow, 20.0, 30) == 0


def test_a_curve_answers_for_itself() -> None:
    one = curve({1: 10.0, 2: 16.0, 4: 30.0})
    assert one.best == pytest.approx(4000 / 30)
    assert one.batch_size == 4
    assert one.name == "openvino fp32"
    assert one.at(2) is one.timed[1]
    assert one.at(3) is None
    empty = Curve("compile", "fp32", failure="no compiler")
    assert (empty.best, empty.service) == (0.0, None)
