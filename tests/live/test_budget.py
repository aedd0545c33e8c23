"""A budget that cannot be kept: when that is said, and in which words."""

from __future__ import annotations

import pytest

from vidinfer.live.budget import Budget

TOOK = [(1, 0.041), (1, 0.031), (1, 0.034), (2, 0.06), (2, 0.06), (8, 0.2)]
"""One frame: 34 ms in the median."""


def told(slo: float | None, took: list[tuple[int, float]] = TOOK, device: str = "cpu") -> tuple[str, ...]:
    budget = Budget(slo)
    assert budget.warnings == ()
    budget.measured(took, device)
    return budget.warnings


def test_it_says_what_was_given_what_it_takes_and_what_to_do() -> None:
    (text,) = told(0.020)
    assert text == (
        "latency-slo 20 ms cannot be kept: the model alone takes 34 ms (31 to 41) for one frame here. Frames are "
        "dropped, but for about one a second of all streams together, which is labelled late. Give a budget "
        "well above 41 ms, a smaller model (see `vidinfer models`), or a GPU"
    )


def test_who_has_a_gpu_is_not_told_to_get_one() -> None:
    assert told(0.020, device="cuda:0")[0].endswith("a smaller model (see `vidinfer models`)")


@pytest.mark.parametrize("slo", [None, 0.034, 0.035, 1.0])
def test_a_budget_that_a_frame_fits_in_at_least_half_the_time_is_no_matter(slo: float | None) -> None:
    assert told(slo) == ()


def test_what_larger_batches_take_does_not_count() -> None:
    assert told(0.04) == ()
    assert told(0.001, [(2, 0.06)]) == ()


def test_small_times_are_told_too() -> None:
    assert (
        "0.001 ms cannot be kept: the model alone takes 0.052 ms for one" in told(1e-6, [(1, 0.0000521)])[0]
    )


def test_the_first_finding_stays_whatever_other_sizes_of_pictures_come() -> None:
    budget = Budget(0.020)
    budget.measured([(1, 0.010)], "cpu")
    assert budget.warnings == ()
    budget.measured(TOOK, "cpu")
    first = budget.warnings
    budget.measured([(1, 0.080)], "cpu")
    assert budget.warnings == first != ()


def test_a_stream_whose_frames_come_too_late_to_the_model_is_told_of_once() -> None:
    budget = Budget(0.060)
    budget.prepared("gate", 0.5)  # while the model is being made ready, everything is slow
    budget.measured([(1, 0.012)], "cpu")
    budget.prepared("yard", 0.048)
    assert budget.warnings == ()
    budget.prepared("gate", 0.0501)
    budget.prepared("gate", 0.3)
    (text,) = budget.warnings
    assert text == (
        "gate: latency-slo 60 ms cannot be kept: half of its frames take 50 ms or more to be decoded and prepared "
        "here, before the model's 12 ms. Most are dropped, or labelled late. Give a budget well above 62 ms, smaller "
        "pictures (many cameras have a second stream), a stream without B-frames, or fewer streams"
    )
    assert (budget.warnings_of("gate"), budget.warnings_of("yard")) == ((text,), ())


def test_where_the_model_alone_takes_longer_no_stream_is_blamed() -> None:
    budget = Budget(0.020)
    budget.measured(TOOK, "cpu")
    budget.prepared("gate", 0.5)
    assert budget.warnings == budget.warnings_of("yard") == told(0.020)


def test_without_a_budget_nothing_is_too_late() -> None:
    budget = Budget(None)
    budget.measured(TOOK, "cpu")
    budget.prepared("gate", 5.0)
    assert budget.warnings == ()
