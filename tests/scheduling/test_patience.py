"""Whom the model waits for under overload, how long, and when it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.live_simulation import MS, Model, scheduler_of, simulate, spread
from vidinfer.scheduling import Settings
from vidinfer.scheduling.patience import MOST, SHARE, Patience


@given(
    batches=st.lists(st.tuples(st.floats(0.001, 0.2), st.floats(0.0, 1.0)), max_size=100),
)
def test_it_is_idle_for_others_no_longer_than_its_share(batches: list[tuple[float, float]]) -> None:
    """``batches``: what each took, and how much of what is left is waited before the next."""
    patience, now, busy, idle = Patience(), 0.0, 0.0, 0.0
    longest = 0.0
    for took, share in batches:
        now, busy, longest = now + took, busy + took, max(longest, took)
        patience.earn(took)
        waits = share * max(0.0, patience.left(now))
        if waits:
            patience.begin(now)
        now, idle = now + waits, idle + waits
        patience.sent(now)
        assert waits <= MOST * longest + 1e-9
        assert idle <= SHARE * busy + 1e-9


def test_what_was_waited_too_long_is_paid_back() -> None:
    patience = Patience()
    patience.earn(1.0)
    patience.begin(0.0)
    patience.sent(1.0)
    assert patience.left(2.0) == pytest.approx(SHARE - 1.0)
    for _ in range(4):
        patience.earn(1.0)
    assert patience.left(3.0) == pytest.approx(5 * SHARE - 1.0)


def test_nobody_is_waited_for_where_no_delay_is_allowed() -> None:
    """Three cameras for whom the model takes 60 of 100 ms: whoever is there goes."""
    model = Model(55 * MS, 5 * MS, noise=0.1)
    labels = {}
    for delay in (0.0, 10 * MS):
        cameras = spread(3, 15, 8, jitter=2 * MS, lag=8 * MS)
        chosen = Settings(max_batch_size=16, latency_slo=0.1, max_queue_size=8, max_queue_delay=delay)
        outcome = simulate(
            scheduler_of("ours", chosen, model), cameras, model, seconds=30.0, seed=8, skip=2.0
        )
        labels[delay] = [outcome.labelled.get(i, 0) for i in range(3)]
    assert min(labels[0.0]) < 0.5 * max(labels[0.0])
    assert min(labels[10 * MS]) > 0.9 * max(labels[10 * MS])
