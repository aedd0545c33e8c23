"""Invariants 5 to 9, 11, 12, 15, 16, 17 and 18 of the batching notes, each by itself.

14 (a frame's outputs do not depend on its batch) belongs to the models: tests/integration/test_invariance.py and the
``batches_of_any_size`` tests of each task in tests/model. 15 (files: composition by input order alone) belongs to the
offline batcher: tests/unit/test_ring.py and tests/integration/test_invariance.py; here is what it means live.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.live_simulation import Camera, Model, scheduler_of, simulate
from tests.scheduling.driver import MS, Answer, line, play, regular, scheduler_with, seeded
from vidinfer.scheduling import POLICIES, Scheduler, Settings, Ticket
from vidinfer.scheduling.policies import TICK

milliseconds = st.floats(0.5, 60.0).map(lambda value: value * MS)


def sent(answers: list[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.decision.dispatch is not None]


def scattered(streams: int, count: int, seed: int, within: float = 1.0) -> list[Ticket]:
    """Frames at any time, stream by stream in order."""
    random_ = random.Random(seed)
    found = []
    for stream in range(streams):
        times = sorted(random_.uniform(0, within) for _ in range(count))
        found += [Ticket(stream, i, at, at) for i, at in enumerate(times)]
    return found


@given(seed=st.integers(0, 999), streams=st.integers(1, 6), policy=st.sampled_from(POLICIES))
def test_5_with_no_delay_the_executor_is_never_idle_while_a_frame_waits(
    seed: int, streams: int, policy: str
) -> None:
    chosen = Settings(policy=policy, max_batch_size=4, max_queue_delay=0.0, max_staleness=100.0)
    seconds = line()
    answers = sent(play(scheduler_with(chosen, seconds, streams), scattered(streams, 20, seed), seconds))
    free = 0.0
    for answer in answers:
        assert answer.decision.dispatch is not None
        oldest = min(ticket.queued for ticket in answer.decision.dispatch.tickets)
        assert answer.at == max(free, oldest)
        free = answer.at + seconds(answer.size)


@given(policy=st.sampled_from(POLICIES), most=st.integers(1, 6))
def test_6_a_full_batch_leaves_at_once(policy: str, most: int) -> None:
    scheduler = scheduler_with(Settings(policy=policy, max_batch_size=most, max_queue_delay=1.0), line(), 8)
    for stream in range(most):
        assert scheduler.decide(0.0).dispatch is None
        scheduler.arrived(Ticket(stream, 0, 0.0, 0.0), 0.0)
        decision = scheduler.decide(0.0)
        if decision.dispatch is not None:
            break
    assert decision.dispatch is not None
    if policy != "latency":  # that one does not wait for strangers
        assert len(decision.dispatch.tickets) == most
        assert decision.dispatch.closed_by == "full"


@given(
    period=milliseconds,
    share=st.floats(0.05, 0.95),
    fixed=st.floats(0.0, 1.0),
    jitter=st.floats(0.0, 0.04),
    slo=st.booleans(),
    seed=st.integers(0, 999),
)
def test_7_one_stream_is_never_waited_with(
    period: float, share: float, fixed: float, jitter: float, slo: bool, seed: int
) -> None:
    """The trap of the 10 ms window: with l(1) < T it would treble the latency and gain nothing."""
    seconds = line(share * period * (1 - fixed), share * period * fixed)
    random_ = random.Random(seed)
    tickets = []
    for i in range(100):
        at = i * period + random_.uniform(0, jitter * period)
        tickets.append(Ticket(0, i, at, at))
    chosen = Settings(latency_slo=4 * period if slo else None)
    answers = sent(play(scheduler_with(chosen, seconds, 1), tickets, seconds))
    assert [answer.size for answer in answers] == [1] * 100
    assert all(answer.decision.dispatch.closed_by == "idle" for answer in answers)  # type: ignore[union-attr]
    for answer, before, ticket in zip(answers, [None, *answers], tickets, strict=False):
        free = -math.inf if before is None else before.at + seconds(1)
        assert answer.at == max(free, ticket.queued)


@given(period=milliseconds, marginal=st.floats(0.0, 1.0), fixed=st.floats(0.5, 4.0))
def test_7_nor_where_the_model_is_slower_than_the_stream(
    period: float, marginal: float, fixed: float
) -> None:
    """The queue makes the batches by itself."""
    seconds = line(marginal * period, fixed * period)
    scheduler = scheduler_with(Settings(max_staleness=1e6), seconds, 1)
    free = -math.inf
    for answer in sent(play(scheduler, regular(0, period, 100), seconds)):
        assert answer.decision.dispatch is not None
        assert answer.at == max(free, answer.decision.dispatch.tickets[0].queued)
        free = answer.at + seconds(answer.size)


@given(streams=st.integers(2, 12), period=st.floats(20.0, 100.0), seed=st.integers(0, 999))
def test_8_streams_in_phase_go_together_and_a_lost_one_is_not_waited_for(
    streams: int, period: float, seed: int
) -> None:
    """Their frames come 0.1 ms after each other, in any order; then one is lost."""
    period *= MS
    seconds = line(0.3 * MS, 4 * MS)
    random_ = random.Random(seed)
    tickets = []
    for i in range(60):
        for place, stream in enumerate(random_.sample(range(streams), streams)):
            if stream > 0 or i < 40:
                at = i * period + place * 0.1 * MS
                tickets.append(Ticket(stream, i, at, at))
    chosen = Settings(max_batch_size=streams)
    answers = sent(play(scheduler_with(chosen, seconds, streams), tickets, seconds))
    warm = [answer for answer in answers if 20 * period <= answer.at < 39.5 * period]
    assert [answer.size for answer in warm] == [streams] * 20
    assert all(answer.at % period <= streams * 0.1 * MS + 1e-9 for answer in warm)
    lost = [answer for answer in answers if answer.at >= 42.5 * period]
    assert len(lost) <= 17 + (streams == 2) * 17
    for answer in lost:
        assert answer.decision.dispatch is not None
        last = max(ticket.queued for ticket in answer.decision.dispatch.tickets)
        assert answer.at == last  # sent the moment the last of those that live has come


@given(
    policy=st.sampled_from(["throughput", "fixed"]),
    arrives=st.floats(0.0, 5.0),
    asked=st.lists(st.floats(0.0, 0.2), max_size=20),
    delay=st.floats(1.0, 60.0),
)
def test_9_the_delay_counts_from_the_oldest_frame_whoever_asks_in_between(
    policy: str, arrives: float, asked: list[float], delay: float
) -> None:
    chosen = Settings(policy=policy, max_batch_size=8, max_queue_delay=delay * MS, max_staleness=100.0)
    scheduler = scheduler_with(chosen, line(), 2)
    tickets = [
        Ticket(0, 0, arrives, arrives),
        Ticket(1, 0, arrives + 0.25 * delay * MS, arrives + 0.25 * delay * MS),
    ]
    answers = play(scheduler, tickets, line(), asked_at=[arrives + late for late in asked])
    assert [answer.at for answer in answers] == [arrives + delay * MS]
    assert answers[0].decision.dispatch is not None
    assert answers[0].decision.dispatch.closed_by == "delay"


@given(seed=st.integers(0, 999), slo=st.sampled_from([None, 0.015, 0.1]))
def test_4_and_9_look_ahead_never_passes_the_ceiling_or_the_deadline(seed: int, slo: float | None) -> None:
    random_ = random.Random(seed)
    seconds = line()
    tickets = [
        ticket
        for stream in range(4)
        for ticket in regular(stream, 33 * MS, 60, phase=random_.uniform(0, 33 * MS))
    ]
    scheduler = scheduler_with(Settings(max_batch_size=4, latency_slo=slo), seconds, 4)
    asked = [random_.uniform(0, 2) for _ in range(200)]
    free = 0.0
    for answer in sent(play(scheduler, tickets, seconds, asked_at=asked)):
        assert answer.decision.dispatch is not None
        oldest = min(answer.decision.dispatch.tickets, key=lambda ticket: ticket.queued)
        assert answer.at <= max(free, oldest.queued + 10 * MS) + 1e-9
        if slo is not None and answer.at > free:
            assert (
                answer.at + seconds(answer.size)
                <= max(oldest.received + slo, oldest.queued + seconds(1)) + 1e-9
            )
        free = answer.at + seconds(answer.size)


@given(
    streams=st.integers(1, 12),
    most=st.integers(1, 6),
    of_one=st.integers(1, 3),
    policy=st.sampled_from(POLICIES),
    data=st.data(),
)
def test_11_nobody_starves(streams: int, most: int, of_one: int, policy: str, data: st.DataObject) -> None:
    """Each stream with a frame waiting is served within ceil(streams / places) batches, however fast the others are."""
    chosen = Settings(
        policy, most, max_queue_delay=0.0, max_queue_size=50, max_staleness=1e6, max_same_source_frames=of_one
    )
    scheduler = scheduler_with(chosen, line(), streams)
    number, now = 0, 0.0
    passed_over: Counter[int] = Counter()
    waiting: Counter[int] = Counter()
    for _ in range(30):
        for stream in data.draw(st.lists(st.integers(0, streams - 1), max_size=12)):
            now += MS
            number += 1
            waiting[stream] += scheduler.arrived(Ticket(stream, number, now, now), now) is None
        decision = scheduler.decide(now)
        if decision.dispatch is None:
            assert not waiting.total()
            continue
        scheduler.finished(now, len(decision.dispatch.tickets), line()(len(decision.dispatch.tickets)))
        served = Counter(ticket.stream for ticket in decision.dispatch.tickets)
        waiting -= served
        left_out = {stream for stream in waiting if stream not in served}
        for stream in range(streams):
            passed_over[stream] = passed_over[stream] + 1 if stream in left_out else 0
        assert max(passed_over.values()) < math.ceil(streams / most)
        if left_out:
            assert max(served.values()) <= of_one


@given(seed=st.integers(0, 999), policy=st.sampled_from(POLICIES))
def test_12_the_end_flushes_what_waits_once(seed: int, policy: str) -> None:
    chosen = Settings(policy=policy, max_batch_size=4, max_queue_delay=10.0)
    scheduler = scheduler_with(chosen, line(), 3)
    tickets = scattered(3, random.Random(seed).randint(1, 3), seed, within=0.01)
    for ticket in sorted(tickets, key=lambda one: one.queued):
        scheduler.arrived(ticket, ticket.queued)
    scheduler.end()
    scheduler.end()
    out = []
    while (decision := scheduler.decide(0.02)).dispatch is not None:
        assert decision.dispatch.closed_by == "flush"
        out += decision.dispatch.tickets
        assert scheduler.decide(0.02).dispatch is None  # busy
        scheduler.finished(0.02, 0, 0.0)
    assert decision.wait_until is None
    assert sorted(out, key=lambda one: one.queued) == sorted(tickets, key=lambda one: one.queued)


@given(seed=st.integers(0, 99), policy=st.sampled_from(POLICIES))
def test_15_the_same_events_give_the_same_batches(seed: int, policy: str) -> None:
    chosen = Settings(policy=policy, max_batch_size=4, latency_slo=0.05)
    runs = [play(scheduler_with(chosen, line(), 4), scattered(4, 40, seed), line()) for _ in range(2)]
    assert runs[0] == runs[1]


def test_16_settings_count_from_the_next_decision() -> None:
    chosen = Settings(policy="fixed", max_batch_size=8, max_queue_delay=1.0)
    scheduler = scheduler_with(chosen, line(), 4)
    for stream in range(3):
        scheduler.arrived(Ticket(stream, 0, 0.0, 0.0), 0.0)
    assert scheduler.decide(0.0).wait_until == 1.0
    scheduler.settings = replace(chosen, max_queue_delay=0.5)
    assert scheduler.decide(0.1).wait_until == 0.5
    scheduler.settings = replace(chosen, max_batch_size=2)
    decision = scheduler.decide(0.2)
    assert decision.dispatch is not None
    assert (len(decision.dispatch.tickets), decision.dispatch.closed_by) == (2, "full")
    scheduler.finished(0.3, 2, 0.1)
    scheduler.settings = replace(chosen, policy="latency")
    assert scheduler.decide(0.3).dispatch is not None


@given(seed=st.integers(0, 99), policy=st.sampled_from(POLICIES), hours=st.sampled_from([1, 24, 9000]))
def test_17_only_differences_of_the_clock_count(seed: int, policy: str, hours: int) -> None:
    """Whatever moment it counts from; the wall clock is never read (tests/test_architecture.py)."""
    tick, moved = 1 / 4096, 3600.0 * hours
    tickets = scattered(
        3, 40, seed
    )  # at no round times: where two answers are equally good, rounding chooses
    later = [Ticket(t.stream, t.number, t.received + moved, t.queued + moved) for t in tickets]
    chosen = Settings(policy=policy, max_batch_size=4, max_queue_delay=40 * tick, max_staleness=2000 * tick)
    seconds = line(4 * tick, 16 * tick)
    here, there = (
        [(answer.at, answer.streams) for answer in play(scheduler_with(chosen, seconds, 3), some, seconds)]
        for some in (tickets, later)
    )
    assert [streams for _, streams in here] == [streams for _, streams in there]
    assert all(abs(a + moved - b) < TICK + 1e-6 for (a, _), (b, _) in zip(here, there, strict=True))


@settings(max_examples=20)
@given(
    a=st.floats(0.5, 20.0),
    share=st.floats(0.02, 0.2),
    slo=st.floats(60.0, 200.0),
    rate=st.sampled_from([10, 15, 30]),
    seed=st.integers(0, 99),
)
def test_18_p99_keeps_the_budget_at_nine_tenths_of_the_capacity(
    a: float, share: float, slo: float, rate: int, seed: int
) -> None:
    """Load up to 0.9 · (1 - 2b/L) / a, and service times with 2 % of noise.

    That capacity is one of arrivals that are spread; so are these, though each by up to a whole place to either side.
    """
    model = Model(a * MS, share * slo * MS, noise=0.02)
    count = math.floor(0.9 * model.within(slo * MS) / rate)
    assume(6 <= count <= 60)
    random_ = random.Random(seed)
    phases = [(place + random_.uniform(0, 1)) / count / rate for place in range(count)]
    cameras = [Camera(rate, phase, jitter=1 / count / rate) for phase in phases]
    chosen = Settings(max_batch_size=64, latency_slo=slo * MS)
    scheduler = scheduler_of("ours", chosen, model)
    outcome = simulate(scheduler, cameras, model, seconds=6.0, seed=seed, skip=1.5)
    assert outcome.percentile(0.99) <= slo
    assert outcome.overtime(slo) <= 0.01


def test_service_times_and_arrivals_that_nobody_knows_yet_mean_no_waiting() -> None:
    scheduler = Scheduler(Settings(latency_slo=0.1), seeded(line()))
    scheduler.join(0, "shape", 0.0)
    scheduler.join(1, "other", 0.0)  # a shape without service times
    scheduler.join(2, "other", 0.0)
    for stream in range(3):
        scheduler.arrived(Ticket(stream, 0, 0.0, 0.0), 0.0)
        decision = scheduler.decide(0.0)
        assert decision.dispatch is not None
        assert decision.dispatch.closed_by == "idle"
        scheduler.finished(0.0, 1, 0.005)
