"""Who gets how much, when there is not enough."""

from __future__ import annotations

import pytest

from benchmarks.live_simulation import MS, Camera, Model, Outcome, scheduler_of, simulate, spread, together
from vidinfer.scheduling import Scheduler, ServiceTimes, Settings, Ticket
from vidinfer.scheduling.patience import SHARE

SLO = 100 * MS
MODEL = Model(4 * MS, 8 * MS, noise=0.02)


def overloaded(cameras: list[Camera], seconds: float = 20.0) -> Outcome:
    chosen = Settings(max_batch_size=32, latency_slo=SLO, max_queue_size=8)
    return simulate(scheduler_of("ours", chosen, MODEL), cameras, MODEL, seconds=seconds, seed=5, skip=2.0)


def fair_shares(rates: list[float], total: float) -> list[float]:
    """Max-min: who asks for less than the rest could have gets it, and the others share alike."""
    shares, left = dict.fromkeys(range(len(rates)), 0.0), total
    for done, i in enumerate(sorted(shares, key=lambda i: rates[i])):
        shares[i] = min(rates[i], left / (len(rates) - done))
        left -= shares[i]
    return list(shares.values())


@pytest.mark.parametrize(
    "cameras",
    [
        spread(42, 15, 1),
        together(42, 15, jitter=MS),
        spread(14, 30, 1) + spread(14, 10, 2) + spread(14, 5, 3),
        spread(14, 30, 1, jitter=5 * MS) + spread(14, 15, 2, jitter=5 * MS) + spread(14, 2, 3, jitter=5 * MS),
    ],
    ids=["15 fps", "15 fps together", "30, 10 and 5 fps", "30, 15 and 2 fps, jitter"],
)
def test_three_times_too_much(cameras: list[Camera]) -> None:
    """Labels are in time, each camera keeps its share within 10 %, and what was dropped adds up."""
    assert sum(camera.rate for camera in cameras) > 2.9 * MODEL.within(SLO)
    outcome = overloaded(cameras)
    assert outcome.percentile(0.99) <= SLO / MS
    assert outcome.arrived == len(outcome.latencies) + sum(outcome.dropped.values())
    rates = [outcome.labelled.get(i, 0) / 18.0 for i in range(len(cameras))]
    assert sum(rates) > 0.85 * MODEL.within(SLO)
    for rate, fair in zip(rates, fair_shares([c.rate for c in cameras], sum(rates)), strict=True):
        assert rate == pytest.approx(fair, rel=0.1)


@pytest.mark.parametrize("seed", range(1, 9))
def test_phases_do_not_decide_who_is_labelled(seed: int) -> None:
    """A batch takes 45 to 63 ms of 100, some much more, and frames are 15 ms old when they come: fresh ones are
    rare, and some streams got two thirds more than others, or three times as much."""
    model = Model(37 * MS, 8 * MS, noise=0.4, tail=0.02)
    cameras = spread(6, 15, seed, jitter=2 * MS, lag=15 * MS)
    chosen = Settings(max_batch_size=8, latency_slo=SLO, max_queue_size=8)
    outcome = simulate(scheduler_of("ours", chosen, model), cameras, model, seconds=60.0, seed=seed, skip=2.0)
    counts = [outcome.labelled.get(i, 0) for i in range(6)]
    for count in counts:
        assert count == pytest.approx(sum(counts) / 6, rel=0.1)


HARD: dict[str, tuple[int, Model]] = {
    "in step": (7, Model(1 / 15 - 5 * MS, 5 * MS)),
    "few": (3, Model(55 * MS, 5 * MS, noise=0.1)),
    "many": (7, Model(55 * MS, 5 * MS, noise=0.1)),
    "pace": (7, Model(50 * MS, 5 * MS, noise=0.15, tail=0.02, pace=2.2, pace_lasts=0.5)),
}
"""Cameras at 15 frames/s; a batch takes most of the 100 ms, or all of it for a while."""


@pytest.mark.parametrize("row", HARD)
def test_a_model_that_is_in_step_with_a_camera_does_not_label_that_one_alone(row: str) -> None:
    """Labels cost at most a sixth for it, and are in time where the model keeps its pace."""
    count, model = HARD[row]
    for seed in (1, 3, 8):
        cameras = spread(count, 15, seed, jitter=2 * MS, lag=8 * MS)
        chosen = Settings(max_batch_size=16, latency_slo=SLO, max_queue_size=8)
        scheduler = scheduler_of("ours", chosen, model)
        outcome = simulate(scheduler, cameras, model, seconds=60.0, seed=seed, skip=2.0)
        counts = [outcome.labelled.get(i, 0) for i in range(count)]
        for one in counts:
            assert one == pytest.approx(sum(counts) / count, rel=0.1)
        if model.pace == 1.0:
            assert outcome.percentile(0.99) <= SLO / MS
            assert sum(counts) >= 58.0 / ((1 + SHARE) * model(1) * (1 + model.noise))


def test_weights_count_under_overload() -> None:
    scheduler = Scheduler(Settings(max_batch_size=3, max_queue_size=4), ServiceTimes())
    for stream in range(6):
        scheduler.join(stream, "shape", 0.0, weight=2.0 if stream < 2 else 1.0)
    served = dict.fromkeys(range(6), 0)
    for i in range(800):
        for stream in range(6):
            scheduler.arrived(Ticket(stream, i, i * MS, i * MS), i * MS)
        dispatch = scheduler.decide(i * MS).dispatch
        assert dispatch is not None
        for ticket in dispatch.tickets:
            served[ticket.stream] += 1
        scheduler.finished(i * MS, 3, MS)
    for stream, count in served.items():
        assert count == pytest.approx(600 if stream < 2 else 300, rel=0.02)


def test_no_weight_gives_a_stream_more_of_a_batch_than_is_allowed_while_others_wait() -> None:
    chosen = Settings(max_batch_size=4, max_queue_size=8, max_same_source_frames=2)
    scheduler = Scheduler(chosen, ServiceTimes())
    for stream in range(4):
        scheduler.join(stream, "shape", 0.0, weight=100.0 if stream == 0 else 1.0)
    for i in range(100):
        for stream in 4 * list(range(4)):
            scheduler.arrived(Ticket(stream, i, i * MS, i * MS), i * MS)
        dispatch = scheduler.decide(i * MS).dispatch
        assert dispatch is not None
        assert len(dispatch.tickets) == 4
        if i:  # at first all are alike
            assert sum(ticket.stream == 0 for ticket in dispatch.tickets) == 2
        scheduler.finished(i * MS, 4, MS)


def test_shapes_take_turns_by_what_their_streams_are_due() -> None:
    """One large camera beside eight small ones gets a ninth, not half."""
    scheduler = Scheduler(
        Settings(max_batch_size=4, max_queue_size=4, max_same_source_frames=1), ServiceTimes()
    )
    for stream in range(9):
        scheduler.join(stream, "large" if stream == 8 else "small", 0.0)
    served = dict.fromkeys(range(9), 0)
    for i in range(900):
        for stream in range(9):
            scheduler.arrived(Ticket(stream, i, i * MS, i * MS), i * MS)
        dispatch = scheduler.decide(i * MS).dispatch
        assert dispatch is not None
        assert len({ticket.stream == 8 for ticket in dispatch.tickets}) == 1
        for ticket in dispatch.tickets:
            served[ticket.stream] += 1
        scheduler.finished(i * MS, len(dispatch.tickets), MS)
    total = sum(served.values())
    for count in served.values():
        assert count == pytest.approx(total / 9, rel=0.1)


def test_bad_luck_of_a_stream_is_not_taken_for_its_load() -> None:
    """What a stream lost says whether its decoder should leave frames out; then it would get still less."""
    scheduler = Scheduler(Settings(max_batch_size=1, max_queue_size=1), ServiceTimes())
    for stream in range(4):
        scheduler.join(stream, "shape", 0.0)
    for i in range(10):
        for stream in (0, 1, 2, 3):
            for _ in range(1 if stream == 3 else 2):  # the first has to make room for the second
                scheduler.arrived(Ticket(stream, i, i * MS, i * MS), i * MS)
        for _ in range(4):
            if scheduler.decide(i * MS).dispatch is not None:
                scheduler.finished(i * MS, 1, 0.0)
    even = scheduler.overload(10 * MS)
    assert even[3] == 0.0
    assert even[0] == even[1] == even[2] == pytest.approx(0.5)
    for i in range(10, 20):  # the first is out of luck: all of its frames are dropped
        for _ in range(3):
            scheduler.arrived(Ticket(0, i, i * MS, i * MS), i * MS)
    unlucky = scheduler.overload(20 * MS)
    assert unlucky[1] == unlucky[2] == pytest.approx(0.5)
    assert unlucky[0] == pytest.approx(1 - 10 / 49), "as if it had got its third"
