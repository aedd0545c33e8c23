"""Percentiles in bins: never too small, too large by 2 % at most."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.latency import ENOUGH_FOR_P99, Latencies


def latencies(samples: list[float]) -> Latencies:
    found = Latencies()
    for sample in samples:
        found.add(sample)
    return found


@given(st.lists(st.floats(1e-4, 1000.0), min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_that_of_the_sorted_samples(samples: list[float], share: float) -> None:
    exact = sorted(samples)[math.ceil(share * len(samples)) - 1]
    told = latencies(samples).percentile(share)
    assert told is not None
    assert exact <= told * (1 + 1e-9)
    assert told <= exact * 1.02 * (1 + 1e-9)


@given(st.lists(st.floats(1e-4, 10.0), max_size=20), st.lists(st.floats(1e-4, 10.0), max_size=20))
def test_merged_is_as_seen_together(one: list[float], other: list[float]) -> None:
    merged = latencies(one)
    merged.merge(latencies(other))
    assert merged.percentiles() == latencies(one + other).percentiles()
    assert len(merged) == len(one) + len(other)


def test_what_is_not_known_is_not_told() -> None:
    assert latencies([]).percentiles().as_dict() == {
        "count": 0,
        "p50": None,
        "p95": None,
        "p99": None,
        "max": None,
    }
    assert latencies([0.01] * (ENOUGH_FOR_P99 - 1)).percentiles().p99 is None
    assert latencies([0.01] * ENOUGH_FOR_P99).percentiles().p99 == pytest.approx(10, rel=1e-6)


def test_what_is_beyond_the_bins_is_counted() -> None:
    found = latencies([0.0, -1.0, 1e6])
    assert len(found) == 3
    assert found.percentile(1.0) == pytest.approx(7000, rel=0.2)  # the last bin
    assert found.percentiles().max == 1e9


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        latencies([1.0]).percentile(0.0)
