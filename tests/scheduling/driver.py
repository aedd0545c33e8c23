"""An executor on a virtual clock that asks a scheduler, and keeps what it was answered."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vidinfer.scheduling import Decision, Scheduler, ServiceTimes, Settings, Ticket

MS = 0.001


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision that sent or dropped something."""

    at: float
    decision: Decision

    @property
    def size(self) -> int:
        """Frames sent."""
        return len(self.decision.dispatch.tickets) if self.decision.dispatch else 0

    @property
    def streams(self) -> list[int]:
        """Of the frames sent, sorted."""
        return sorted(t.stream for t in self.decision.dispatch.tickets) if self.decision.dispatch else []


def line(a: float = 1 * MS, b: float = 4 * MS) -> Callable[[int], float]:
    """l(n) in seconds."""
    return lambda frames: a * frames + b


def seeded(seconds: Callable[[int], float], most: int = 8) -> ServiceTimes:
    """Service times that were measured before: no spread, and enough of them to know that."""
    service = ServiceTimes()
    service.seed((n, seconds(n)) for n in range(1, most + 1) for _ in range(32))
    return service


def scheduler_with(settings: Settings, seconds: Callable[[int], float], streams: int) -> Scheduler:
    """Streams 0, 1, ... of one shape."""
    scheduler = Scheduler(settings, seeded(seconds, settings.max_batch_size))
    for stream in range(streams):
        scheduler.join(stream, "shape", 0.0)
    return scheduler


def regular(stream: int, period: float, count: int, phase: float = 0.0) -> list[Ticket]:
    """Frames on the dot."""
    times = [phase + i * period for i in range(count)]
    return [Ticket(stream, i, at, at) for i, at in enumerate(times)]


def play(
    scheduler: Scheduler,
    tickets: Iterable[Ticket],
    seconds: Callable[[int], float],
    *,
    asked_at: Iterable[float] = (),
) -> list[Answer]:
    """Let it all happen; ``asked_at``: moments at which the executor wakes up for no reason."""
    events = sorted(
        [(t.queued, 0, t) for t in tickets] + [(at, 1, None) for at in asked_at], key=lambda e: e[:2]
    )
    answers: list[Answer] = []
    done = wake = math.inf
    size = 0
    while events or min(done, wake) < math.inf:
        now = min(events[0][0] if events else math.inf, done, wake)
        if now == done:
            scheduler.finished(now, size, seconds(size))
            done = math.inf
        elif events and now == events[0][0]:
            _, _, ticket = events.pop(0)
            if ticket is not None:
                evicted = scheduler.arrived(ticket, now)
                if evicted is not None:
                    answers.append(Answer(now, Decision(dropped=((evicted, "queue_full"),))))
        decision = scheduler.decide(now)
        wake = math.inf
        if decision.dispatch is not None or decision.dropped:
            answers.append(Answer(now, decision))
        if decision.dispatch is not None:
            size = len(decision.dispatch.tickets)
            done = now + seconds(size)
        elif decision.wait_until is not None:
            assert decision.wait_until > now, "asked to be asked again at once"
            wake = decision.wait_until
    return answers
