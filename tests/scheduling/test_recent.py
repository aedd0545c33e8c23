"""The last values, against sorting them each time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.scheduling.recent import Recent


@given(
    st.lists(st.floats(-10, 10), max_size=60), st.integers(1, 20), st.floats(0.01, 1.0), st.floats(-10, 10)
)
def test_quantiles_and_means_of_the_last(values: list[float], size: int, share: float, bound: float) -> None:
    recent = Recent(size)
    for value in values:
        recent.add(value)
    last = sorted(values[-size:])
    assert len(recent) == len(last)
    if last:
        assert recent.quantile(share) == last[math.ceil(share * len(last)) - 1]
    above = [value for value in last if value > bound]
    assert recent.mean_above(bound) == (pytest.approx(sum(above) / len(above)) if above else None)
    recent.clear()
    assert len(recent) == 0
