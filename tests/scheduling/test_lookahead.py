"""How many arrivals are worth waiting for, against trying every answer."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from vidinfer.scheduling.lookahead import worth_waiting_for


def latencies(
    k: int, received: list[float], expected: list[tuple[float, float]], a: float, b: float
) -> list[float]:
    """Of every frame, if the batch is sent after the k-th arrival and the rest goes next; now is 0."""
    first = (expected[k - 1][0] if k else 0.0) + a * (len(received) + k) + b
    rest = expected[k:]
    second = max(first, expected[-1][0] if expected else 0.0) + a * len(rest) + b
    return (
        [first - r for r in received] + [first - r for _, r in expected[:k]] + [second - r for _, r in rest]
    )


@given(
    received=st.lists(st.floats(-20, 0), min_size=1, max_size=5),
    gaps=st.lists(st.floats(0, 5), max_size=6),
    lag=st.floats(0, 3),
    a=st.floats(0.1, 5),
    b=st.floats(0, 20),
    most=st.integers(1, 12),
    limit=st.floats(0, 20),
)
def test_no_other_answer_has_a_smaller_largest_latency(
    received: list[float], gaps: list[float], lag: float, a: float, b: float, most: int, limit: float
) -> None:
    expected = [(sum(gaps[: i + 1]), sum(gaps[: i + 1]) - lag) for i in range(len(gaps))]
    k = worth_waiting_for(
        0.0,
        (len(received), min(received)),
        expected,
        lambda n: a * n + b,
        lambda _: limit,
        most,
    )
    allowed = [
        j
        for j in range(len(expected) + 1)
        if j == 0 or (len(received) + j <= most and expected[j - 1][0] <= limit)
    ]
    assert k in allowed
    worst = {j: max(latencies(j, received, expected, a, b)) for j in allowed}
    # the first frame of those expected is taken for the oldest of them, which it is unless decoding took longer
    assert worst[k] <= min(worst.values()) + 1e-5


def test_frames_that_come_together_are_waited_for_and_others_are_not() -> None:
    def answer(*arrivals: float) -> int:
        expected = [(at, at) for at in arrivals]
        return worth_waiting_for(0.0, (1, 0.0), expected, lambda n: n + 4.0, lambda _: math.inf, 8)

    assert answer() == 0
    assert answer(0.5, 0.6, 0.7) == 3
    assert answer(4.9) == 0
    assert answer(0.5, 4.5) == 1
