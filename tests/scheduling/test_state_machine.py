"""Anything may happen in any order: invariants 1, 2, 3, 4, 5, 6, 10, 12, 13 and 16 of the batching notes.

(1) every frame leaves once, by name; (2) in the order of its stream; (3) batches are of 1 to ``max_batch_size`` frames
of one shape; (4) no frame waits for company longer than allowed; (5) with no delay allowed a free executor is never
idle while frames wait; (6) a full batch leaves at once; (10) only frames that would be late are dropped by age, and
before they are run; (12) after the end all is flushed, and then nothing happens any more; (13) queues are bounded;
(16) settings count from the next decision on.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.scheduling.driver import line, seeded
from vidinfer.scheduling import POLICIES, QUEUE_FULL, STALE, Decision, Scheduler, Settings, Ticket

STREAMS = 5
SHAPES = ("small", "large")
TICK = 1 / 1024  # exact in floating point, so that sums of them are
SECONDS = line(TICK, 4 * TICK)

settings_drawn = st.builds(
    Settings,
    policy=st.sampled_from(POLICIES),
    max_batch_size=st.integers(1, 6),
    max_queue_delay=st.sampled_from([0.0, 3 * TICK, 10 * TICK]),
    latency_slo=st.sampled_from([None, 6 * TICK, 20 * TICK, 100 * TICK]),
    max_queue_size=st.sampled_from([None, 1, 3]),
    max_staleness=st.sampled_from([20 * TICK, 500 * TICK]),
    max_same_source_frames=st.integers(1, 3),
)


class Streams(RuleBasedStateMachine):
    """A model of what must be true, next to the scheduler."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1.0
        self.settings = Settings(max_batch_size=4, max_queue_delay=10 * TICK)
        self.scheduler = Scheduler(self.settings, seeded(SECONDS))
        self.shape: dict[int, str] = {}
        self.waiting: dict[int, list[Ticket]] = {}
        self.running: tuple[Ticket, ...] = ()
        self.number = 0
        self.ended = False

    @rule(stream=st.integers(0, STREAMS - 1), shape=st.sampled_from(SHAPES))
    def join(self, stream: int, shape: str) -> None:
        if stream not in self.shape:
            self.scheduler.join(stream, shape, self.now)
            self.shape[stream], self.waiting[stream] = shape, []

    @precondition(lambda self: self.shape)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        stream = data.draw(st.sampled_from(sorted(self.shape)))
        if any(ticket.stream == stream for ticket in self.running):
            return  # it may, but the model below would have to remember it
        assert self.scheduler.leave(stream, self.now) == self.waiting.pop(stream)
        del self.shape[stream]

    @precondition(lambda self: self.shape and not self.ended)
    @rule(data=st.data(), decoding=st.integers(0, 8), count=st.integers(1, 4))
    def arrive(self, data: st.DataObject, decoding: int, count: int) -> None:
        for _ in range(count):
            stream = data.draw(st.sampled_from(sorted(self.shape)))
            queue = self.waiting[stream]
            received = max(self.now - decoding * TICK, queue[-1].received if queue else 0.0)
            ticket = Ticket(stream, self.number, received, self.now)
            self.number += 1
            evicted = self.scheduler.arrived(ticket, self.now)
            full = len(queue) >= self.settings.queue_size
            assert evicted == (queue.pop(0) if full else None)  # 13, and the oldest goes
            queue.append(ticket)

    @rule(ticks=st.sampled_from([0, 1, 2, 3, 5, 8, 13, 50, 2000]))
    def time_passes(self, ticks: int) -> None:
        self.now += ticks * TICK

    @precondition(lambda self: self.running)
    @rule(slower=st.sampled_from([1.0, 1.0, 1.25]), failed=st.booleans())
    def finish(self, slower: float, failed: bool) -> None:
        count = len(self.running)
        seconds = SECONDS(count) * slower
        self.now += seconds
        self.scheduler.finished(self.now, 0 if failed else count, seconds)
        assert self.scheduler.free_since == self.now
        self.running = ()

    @rule(settings=settings_drawn)
    def change_settings(self, settings: Settings) -> None:
        self.scheduler.settings = self.settings = settings  # 16: what follows is held against the new ones

    @rule()
    def end(self) -> None:
        self.scheduler.end()
        self.ended = True

    @rule()
    def decide(self) -> None:
        before = {stream: list(queue) for stream, queue in self.waiting.items()}
        busy = bool(self.running)
        decision = self.scheduler.decide(self.now)
        if busy:
            assert decision == Decision()
            return
        self._dropped(decision, before)
        if decision.dispatch is not None:
            self._sent(decision, before)
        else:
            self._waits(decision)

    def _dropped(self, decision: Decision, before: dict[int, list[Ticket]]) -> None:
        settings = self.settings
        allowed = settings.max_staleness if settings.latency_slo is None else settings.latency_slo
        for ticket, reason in decision.dropped:
            queue = self.waiting[ticket.stream]
            assert queue.pop(0) == ticket  # 1, 2
            age = self.now - ticket.received
            if reason == QUEUE_FULL:
                assert len(before[ticket.stream]) > settings.queue_size
                continue
            assert reason == STALE
            if settings.latency_slo is not None:
                service = self.scheduler.service(self.shape[ticket.stream])
                assert service is not None
                age += service.predict(settings.max_batch_size, high=True) or 0.0
            assert age > allowed  # 10

    def _sent(self, decision: Decision, before: dict[int, list[Ticket]]) -> None:
        assert decision.dispatch is not None
        tickets = decision.dispatch.tickets
        assert 1 <= len(tickets) <= self.settings.max_batch_size  # 3
        assert len({self.shape[ticket.stream] for ticket in tickets}) == 1  # 3
        for ticket in tickets:
            assert self.waiting[ticket.stream].pop(0) == ticket  # 1, 2
        assert decision.wait_until is None
        if self.ended:
            assert decision.dispatch.closed_by == "flush"
        most = self.settings.max_same_source_frames
        for stream in {ticket.stream for ticket in tickets}:  # 11, its second half
            others = any(
                self.waiting[other] and self.shape[other] == self.shape[stream]
                for other in self.shape
                if other != stream and not any(ticket.stream == other for ticket in tickets)
            )
            if others and self.settings.latency_slo is None:
                assert sum(ticket.stream == stream for ticket in tickets) <= most
        self.running = tickets

    def _waits(self, decision: Decision) -> None:
        queued = {shape: [] for shape in SHAPES}
        for stream, queue in self.waiting.items():
            queued[self.shape[stream]] += queue
        if not any(queued.values()):
            assert decision.wait_until is None
            return
        assert not self.ended  # 12
        assert self.settings.max_queue_delay > 0  # 5
        assert decision.wait_until is not None
        assert decision.wait_until > self.now
        for tickets in queued.values():
            if not tickets:
                continue
            assert len(tickets) < self.settings.max_batch_size  # 6
            oldest = min(ticket.queued for ticket in tickets)
            assert decision.wait_until <= oldest + self.settings.max_queue_delay  # 4
            if self.settings.latency_slo is not None:
                received = min(ticket.received for ticket in tickets)
                assert (
                    decision.wait_until + SECONDS(len(tickets)) <= received + self.settings.latency_slo
                )  # 4

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.scheduler.queued == sum(map(len, self.waiting.values()))  # 1
        assert self.scheduler.busy == bool(self.running)

    def teardown(self) -> None:
        """12: whatever happened, it ends."""
        if self.running:
            self.finish(1.0, False)
        self.end()
        while self.scheduler.queued:
            before = self.scheduler.queued
            self.decide()
            assert self.scheduler.queued < before
            if self.running:
                self.finish(1.0, False)
        assert self.scheduler.decide(self.now) == Decision()


class TestStreams(Streams.TestCase):  # type: ignore[name-defined,misc]
    settings = hypothesis_settings(max_examples=150, stateful_step_count=40)


def test_settings_that_make_queues_shorter_evict_the_oldest_at_the_next_decision() -> None:
    """16, and nothing is lost unseen."""
    settings = Settings(max_batch_size=4, max_queue_size=6, policy="fixed", max_queue_delay=1.0)
    scheduler = Scheduler(settings, seeded(SECONDS))
    scheduler.join(0, "shape", 0.0)
    tickets = [Ticket(0, i, 0.0, 0.0) for i in range(3)]
    for ticket in tickets:
        scheduler.arrived(ticket, 0.0)
    scheduler.settings = replace(settings, max_queue_size=2)
    decision = scheduler.decide(0.0)
    assert decision.dropped == ((tickets[0], QUEUE_FULL),)
    assert decision.wait_until == 1.0
