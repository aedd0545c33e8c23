"""The rest of what the scheduler promises."""

from __future__ import annotations

import pytest

from tests.scheduling.driver import MS, line, play, regular, scheduler_with, seeded
from vidinfer.errors import UsageError
from vidinfer.scheduling import Decision, Scheduler, ServiceTimes, Settings, Ticket
from vidinfer.scheduling.scheduler import SHAPES


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"policy": "best"}, "choose latency, throughput, fixed"),
        ({"max_batch_size": 0}, "max_batch_size is at least 1, got 0"),
        ({"max_queue_size": 0}, "max_queue_size is at least 1"),
        ({"max_same_source_frames": 0}, "max_same_source_frames is at least 1"),
        ({"max_queue_delay": -0.001}, "max_queue_delay is 0 or more"),
        ({"latency_slo": 0.0}, "latency_slo is more than 0"),
        ({"max_staleness": -1.0}, "max_staleness is more than 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Settings(**wrong)  # type: ignore[arg-type]


def test_misuse_is_told() -> None:
    scheduler = Scheduler(Settings(), ServiceTimes())
    scheduler.join(0, "shape", 0.0)
    with pytest.raises(ValueError, match="joined already"):
        scheduler.join(0, "shape", 0.0)
    with pytest.raises(ValueError, match="weight"):
        scheduler.join(1, "shape", 0.0, weight=0.0)
    with pytest.raises(KeyError):
        scheduler.arrived(Ticket(5, 0, 0.0, 0.0), 0.0)
    with pytest.raises(KeyError):
        scheduler.leave(5, 0.0)
    with pytest.raises(ValueError, match="no batch was sent"):
        scheduler.finished(0.0, 1, 0.1)
    scheduler.end()
    with pytest.raises(ValueError, match="after the end"):
        scheduler.arrived(Ticket(0, 0, 0.0, 0.0), 0.0)


def test_a_stream_that_leaves_takes_its_frames_along_and_may_come_back_in_another_shape() -> None:
    scheduler = Scheduler(Settings(policy="fixed"), seeded(line()))
    scheduler.join(0, "small", 0.0)
    tickets = [Ticket(0, i, 0.0, 0.0) for i in range(3)]
    for ticket in tickets:
        scheduler.arrived(ticket, 0.0)
    assert scheduler.leave(0, 0.0) == tickets
    assert scheduler.decide(0.0) == Decision()
    scheduler.join(0, "large", 0.0)
    scheduler.arrived(tickets[0], 0.0)
    assert scheduler.decide(0.01).dispatch is not None


def test_a_stream_may_leave_while_its_frame_is_being_labelled() -> None:
    scheduler = scheduler_with(Settings(), line(), 1)
    scheduler.arrived(Ticket(0, 0, 0.0, 0.0), 0.0)
    assert scheduler.decide(0.0).dispatch is not None
    assert scheduler.leave(0, 0.0) == []
    scheduler.finished(0.1, 1, 0.1)
    assert scheduler.free_since == 0.1
    assert scheduler.decide(0.1) == Decision()


def test_only_so_many_shapes_are_remembered() -> None:
    scheduler = Scheduler(Settings(), seeded(line()))
    for shape in range(10 * SHAPES):
        scheduler.join(0, shape, 0.0)
        scheduler.leave(0, 0.0)
    known = [shape for shape in range(10 * SHAPES) if scheduler.service(shape) is not None]
    assert known == list(range(9 * SHAPES, 10 * SHAPES))


def test_the_times_of_a_batch_are_learned_by_shape_and_failures_are_not() -> None:
    scheduler = Scheduler(Settings(), ServiceTimes())
    scheduler.join(0, "small", 0.0)
    scheduler.join(1, "large", 0.0)
    for i, (stream, frames, seconds) in enumerate([(0, 1, 0.01), (1, 1, 0.05), (0, 0, 9.0)] * 5):
        scheduler.arrived(Ticket(stream, i, float(i), float(i)), float(i))
        assert scheduler.decide(float(i)).dispatch is not None
        scheduler.finished(i + seconds, frames, seconds)
    for shape, seconds in [("small", 0.01), ("large", 0.05)]:
        service = scheduler.service(shape)
        assert service is not None
        assert service.predict(1) == pytest.approx(seconds)


def test_overload_is_told_stream_by_stream_and_passes() -> None:
    scheduler = scheduler_with(Settings(max_queue_size=1, max_batch_size=1), line(), 2)
    for i in range(10):
        scheduler.arrived(Ticket(0, i, 0.1 * i, 0.1 * i), 0.1 * i)
    scheduler.arrived(Ticket(1, 0, 1.0, 1.0), 1.0)
    for _ in range(2):
        assert scheduler.decide(1.0).dispatch is not None
        scheduler.finished(1.0, 1, 0.005)
    assert scheduler.overload(1.0) == {0: 0.9, 1: 0.0}
    assert scheduler.overload(20.0) == {0: 0.0, 1: 0.0}


def test_throughput_waits_for_a_full_batch_until_the_last_safe_moment() -> None:
    chosen = Settings(policy="throughput", max_batch_size=8, latency_slo=0.1, max_queue_delay=1.0)
    scheduler = scheduler_with(chosen, line(), 3)
    answers = play(scheduler, [Ticket(0, 0, 0.0, 0.01), Ticket(1, 0, 0.02, 0.02)], line())
    assert len(answers) == 1
    assert answers[0].at == pytest.approx(0.1 - line()(2) - 0.001)
    assert answers[0].decision.dispatch.closed_by == "deadline"  # type: ignore[union-attr]


def test_another_shape_is_not_kept_waiting() -> None:
    """Look-ahead waits for company only while nobody else could use the model."""
    scheduler = scheduler_with(Settings(max_batch_size=4), line(), 3)
    tickets = [t for stream in range(3) for t in regular(stream, 0.033, 30, phase=stream * 0.4 * MS)]
    play(scheduler, tickets, line())
    scheduler.join(9, "other", 1.0)
    at = 30 * 0.033
    scheduler.arrived(Ticket(0, 30, at, at), at)
    assert scheduler.decide(at).wait_until is not None
    scheduler.arrived(Ticket(9, 0, at, at), at)
    decision = scheduler.decide(at)
    assert decision.dispatch is not None


def test_throughput_waits_for_nobody_who_is_not_expected() -> None:
    """Three streams within 2 ms, then nobody for 31: the third closes the batch."""
    chosen = Settings(policy="throughput", max_batch_size=8, max_queue_delay=20 * MS)
    scheduler = scheduler_with(chosen, line(), 4)
    tickets = [t for stream in range(3) for t in regular(stream, 33 * MS, 40, phase=stream * MS)]
    answers = [answer for answer in play(scheduler, tickets, line()) if answer.at > 20 * 33 * MS]
    assert {tuple(answer.streams) for answer in answers} == {(0, 1, 2)}
    for answer in answers:
        assert answer.decision.dispatch is not None
        assert answer.decision.dispatch.closed_by == "lookahead"
        assert answer.at % (33 * MS) == pytest.approx(2 * MS, abs=1e-6)
