"""Which frames are dropped when a batch closes, and which never."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.live_simulation import TIGHT, tight
from tests.scheduling.driver import MS, line, play, regular, scheduler_with
from vidinfer.scheduling import STALE, Scheduler, ServiceTimes, Settings, Ticket


def ask(
    scheduler: Scheduler, ages: dict[int, list[float]], now: float
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(stream, number) of the frames sent and of those dropped, given the ages in ms of what each stream has."""
    for stream, some in ages.items():
        for i, age in enumerate(some):
            scheduler.arrived(Ticket(stream, i, now - age * MS, now - age * MS), now)
    decision = scheduler.decide(now)
    assert all(reason == STALE for _, reason in decision.dropped)
    dispatch = decision.dispatch
    return (
        [(t.stream, t.number) for t in dispatch.tickets] if dispatch else [],
        [(t.stream, t.number) for t, _ in decision.dropped],
    )


def sent_before(scheduler: Scheduler, now: float) -> None:
    """So that nothing is sent just to see whether it works."""
    scheduler.arrived(Ticket(0, -1, now, now), now)
    assert scheduler.decide(now).dispatch is not None
    scheduler.finished(now, 0, 0.0)


def within(slo: float | None, streams: int = 3, most: int = 4) -> Scheduler:
    scheduler = scheduler_with(
        Settings(max_batch_size=most, latency_slo=None if slo is None else slo * MS, max_staleness=500 * MS),
        line(10 * MS, 10 * MS),
        streams,
    )
    sent_before(scheduler, 10.0)
    return scheduler


def test_a_late_frame_makes_room_for_a_newer_one() -> None:
    assert ask(within(100), {0: [90, 20]}, 10.1) == ([(0, 1)], [(0, 0)])


def test_a_frame_that_would_be_late_whatever_is_done_is_dropped() -> None:
    assert ask(within(100), {0: [95], 1: [5]}, 10.1) == ([(1, 0)], [(0, 0)])


def test_a_smaller_batch_first_is_better_than_a_drop() -> None:
    """Three together take 40 ms, one takes 20: the old one is in time alone, and the others after it."""
    assert ask(within(120), {0: [95], 1: [5], 2: [6]}, 10.1) == ([(0, 0)], [])


def test_without_a_budget_only_the_age_counts() -> None:
    assert ask(within(None), {0: [600, 490], 1: [501]}, 10.1) == ([(0, 1)], [(0, 0), (1, 0)])


def test_a_budget_that_cannot_be_kept_gives_a_label_now_and_then() -> None:
    seconds = line(100 * MS, 100 * MS)
    scheduler = scheduler_with(Settings(latency_slo=0.1, max_queue_delay=0.0), seconds, 2)
    answers = play(scheduler, regular(0, 0.1, 100) + regular(1, 0.1, 100, phase=0.05), seconds)
    sizes = [answer.size for answer in answers if answer.size]
    assert 8 <= len(sizes) <= 10  # in ten seconds
    assert set(sizes) == {1}


def test_a_service_time_that_was_wrong_is_corrected() -> None:
    """Else nothing would ever be sent, and nothing ever learned."""
    service = ServiceTimes()
    service.seed([(1, 5.0), (2, 5.0)] * 10)
    scheduler = Scheduler(Settings(latency_slo=0.1), service)
    scheduler.join(0, "shape", 0.0)
    answers = play(scheduler, regular(0, 0.05, 2000), line(1 * MS, 4 * MS))
    assert sum(answer.size for answer in answers if answer.at > 50.0) >= 995


@given(
    slo=st.floats(30, 300),
    ages=st.lists(st.lists(st.floats(0, 400), min_size=1, max_size=6), min_size=1, max_size=5),
)
def test_who_is_sent_is_in_time_and_who_is_dropped_would_not_be(slo: float, ages: list[list[float]]) -> None:
    scheduler = within(slo, streams=5)
    queued = {stream: sorted(some, reverse=True) for stream, some in enumerate(ages)}
    sent, dropped = ask(scheduler, queued, 10.1)
    seconds = line(10, 10)
    for stream, number in sent:
        assert queued[stream][number] + seconds(len(sent)) <= slo + 1e-6
    for stream, number in dropped:
        assert queued[stream][number] + seconds(4) > slo - 1e-6
        newer = number + 1 < len(queued[stream])
        assert newer or queued[stream][number] + seconds(max(1, len(sent))) > slo - 1e-6
    for stream in queued:  # in order, without holes: dropped ones first
        gone = [n for s, n in dropped if s == stream] + [n for s, n in sent if s == stream]
        assert gone == list(range(len(gone)))


def test_a_model_that_takes_too_long_at_times_labels_all_the_same() -> None:
    """One batch in thirty takes 300 ms, which no budget of 100 ms can bear; the others take 20."""
    random = Random(1)

    def seconds(frames: int) -> float:
        return (290 * MS if random.random() < 1 / 30 else 10 * MS) + 10 * MS * frames

    service = ServiceTimes()
    service.seed((n, seconds(n)) for _ in range(100) for n in (1, 2, 3, 4))
    scheduler = Scheduler(Settings(max_batch_size=4, latency_slo=0.1, max_queue_delay=0.0), service)
    for stream in range(2):
        scheduler.join(stream, "shape", 0.0)
    answers = play(scheduler, regular(0, 0.05, 400) + regular(1, 0.05, 400, phase=0.02), seconds)
    assert (service.predict(1, high=True) or 0.0) > 0.1
    # During each of some 20 long ones 12 frames come, and only the last four are still in time when it ends.
    assert sum(answer.size for answer in answers) > 0.7 * 800


@pytest.mark.parametrize("row", TIGHT)
def test_a_budget_that_is_hard_to_keep_is_missed_half_as_often_as_without_dropping(row: str) -> None:
    """Frames were dropped here because they might be late, which was true of every frame: nine in ten were lost."""
    late = {}
    for policy in ("eager", "ours"):
        outcomes = tight(policy, row, seconds=40.0, seeds=2)
        late[policy] = sum(one.overtime(100) for one in outcomes) / len(outcomes)
    assert late["ours"] <= late["eager"] / 2
