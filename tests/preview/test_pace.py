"""Who is drawn when: never too often, never more than its share, and everybody in turn."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.preview.pace import Pace


@given(
    streams=st.integers(1, 6),
    rate=st.sampled_from([1.0, 5.0, 15.0]),
    share=st.sampled_from([0.2, 0.5, 1.0]),
    cost=st.floats(0.001, 0.05),
)
def test_rate_share_and_turns_are_kept(streams: int, rate: float, share: float, cost: float) -> None:
    pace = Pace(streams, rate, share)
    now, busy, drawn = 0.0, 0.0, Counter[int]()
    begun: dict[int, float] = {}
    while now < 10.0:
        stream, seconds = pace.choose(range(streams), now)
        if stream is None:
            assert seconds is not None
            assert seconds > 0
            now += seconds + 1e-9
            continue
        assert now - begun.get(stream, -1e9) >= 1 / rate - 1e-9
        begun[stream] = now
        pace.drew(stream, now, now + cost)
        now += cost
        busy += cost
        drawn[stream] += 1
    assert busy <= share * now + 2 * cost
    assert max(drawn.values()) - min(drawn[i] for i in range(streams)) <= 1
    if streams * rate * cost < 0.9 * share:  # there is enough for all
        assert min(drawn.values()) >= 0.8 * 10 * rate


def test_waits_for_nothing_where_nothing_is_ready() -> None:
    assert Pace(3).choose([], 5.0) == (None, None)


@given(st.lists(st.sets(st.integers(0, 3)), max_size=40))
def test_chooses_only_what_is_ready(rounds: list[set[int]]) -> None:
    pace, now = Pace(4), 0.0
    for ready in rounds:
        stream, seconds = pace.choose(ready, now)
        assert (stream is None) or stream in ready
        assert (stream, seconds) != (None, None) or not ready
        if stream is not None:
            pace.drew(stream, now, now + 0.01)
        now += 0.02


@pytest.mark.parametrize(("rate", "share"), [(0.0, 0.5), (15.0, 0.0), (15.0, 1.1)])
def test_refuses_senseless_limits(rate: float, share: float) -> None:
    with pytest.raises(ValueError, match="a share is in"):
        Pace(1, rate, share)
