"""The policies that ours is compared with do what their systems do."""

from __future__ import annotations

import pytest

from tests.scheduling.driver import MS, line, play, regular, seeded
from vidinfer.scheduling import Eager, Policy, Rounds, Scheduler, Settings, Ticket

PERIOD = 40 * MS


def scheduler_with(policy: Policy, streams: int) -> Scheduler:
    scheduler = Scheduler(Settings(policy="fixed", max_batch_size=8), seeded(line()), policy)
    for stream in range(streams):
        scheduler.join(stream, "shape", 0.0)
    return scheduler


def test_eager_never_waits() -> None:
    tickets = regular(0, PERIOD, 20) + regular(1, PERIOD, 20, phase=MS)
    answers = play(scheduler_with(Eager(), 2), tickets, line())
    assert [answer.streams for answer in answers] == [[0], [1]] * 20


def test_rounds_wait_for_a_frame_of_each_live_stream() -> None:
    tickets = regular(0, PERIOD, 20) + regular(1, PERIOD, 20, phase=15 * MS)
    answers = play(scheduler_with(Rounds(), 3), tickets, line())[4:]
    assert {tuple(answer.streams) for answer in answers} == {(0, 1)}
    assert all(answer.at % PERIOD == pytest.approx(15 * MS) for answer in answers)


def test_rounds_wait_no_longer_than_the_period_leaves() -> None:
    """The other stream was seen a moment ago, so it counts as live, and does not come."""
    scheduler = scheduler_with(Rounds(), 2)
    for at in (0.0, PERIOD):
        for stream in (0, 1):
            scheduler.arrived(Ticket(stream, 0, at, at), at)
        assert scheduler.decide(at).dispatch is not None
        scheduler.finished(at + 6 * MS, 2, 6 * MS)
    scheduler.arrived(Ticket(0, 2, 2 * PERIOD, 2 * PERIOD), 2 * PERIOD)
    assert scheduler.decide(2 * PERIOD).wait_until == pytest.approx(3 * PERIOD - 5 * MS)


def test_settings_leave_a_policy_that_was_given_alone() -> None:
    scheduler = scheduler_with(Eager(), 1)
    scheduler.settings = Settings(policy="fixed")
    scheduler.arrived(Ticket(0, 0, 0.0, 0.0), 0.0)
    assert scheduler.decide(0.0).dispatch is not None
