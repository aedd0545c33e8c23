"""The scheduler of live streams: whom, when, whom to drop. A pure state machine; the time is passed in."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable

from vidinfer.scheduling.closing import close, places
from vidinfer.scheduling.overload import Outcomes
from vidinfer.scheduling.patience import Patience
from vidinfer.scheduling.policies import Policy, Situation, Verdict, policy_of
from vidinfer.scheduling.service_times import ServiceTimes
from vidinfer.scheduling.settings import Settings
from vidinfer.scheduling.streams import Group, Stream
from vidinfer.scheduling.ticket import QUEUE_FULL, STALE, Decision, Dispatch, Ticket
from vidinfer.scheduling.turns import Turns

__all__ = ["Scheduler"]

NOTHING = Decision()
OVERLOADED = 0.05
"""Share of dropped frames, of all streams in the last seconds."""
SHAPES = 16
"""Shapes that are remembered when no stream has them any more."""
PROBE = 1.0
"""Seconds without a batch after which a frame that should be late is sent all the same, and then another whenever the
last one was in time: a budget that cannot be kept gives a label now and then, and service times that are wrong, as the
machine was busy with something else, are soon corrected."""


class Scheduler:
    """Batching across streams for one executor.

    Times are monotonic seconds and never go back. A frame leaves through exactly one of: ``decide`` (sent or dropped),
    ``arrived`` (evicted), ``leave``. Frames are dropped by age only when a batch closes.

    Thread rule: one caller at a time; nothing blocks.
    """

    def __init__(self, settings: Settings, service: ServiceTimes, policy: Policy | None = None) -> None:
        """Nobody has joined.

        Args:
            settings: may be changed at any time, see ``settings``.
            service: of the first shape that joins; every other learns its own.
            policy: instead of the one that the settings name.
        """
        self._settings = settings
        self._policy, self._given = policy or policy_of(settings), policy is not None
        self._first_service: ServiceTimes | None = service
        self._groups: dict[Hashable, Group] = {}
        self._streams: dict[int, Stream] = {}
        self._turns = Turns()
        self._running: tuple[Group, float] | None = None
        """And until when its labels would be in time though they should be late; where they should not: never."""
        self._better = False
        """The last batch should have been late and was in time."""
        self._ended = False
        self._contended = False
        self._trim = False
        self._last_sent = -math.inf
        self._outcomes = Outcomes()
        self._patience = Patience()
        self.free_since = -math.inf
        """When the executor last had nothing to do any more; from the beginning on: minus infinity."""

    @property
    def settings(self) -> Settings:
        """Assign others, and they count from the next decision on."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._trim = settings.queue_size < self._settings.queue_size or self._trim
        self._settings = settings
        if not self._given:
            self._policy = policy_of(settings)

    @property
    def queued(self) -> int:
        """Frames that wait."""
        return sum(group.frames for group in self._groups.values())

    @property
    def busy(self) -> bool:
        """A batch was sent and is not finished."""
        return self._running is not None

    def service(self, shape: Hashable) -> ServiceTimes | None:
        """Of a shape that has joined."""
        group = self._groups.get(shape)
        return group.service if group else None

    def join(self, stream: int, shape: Hashable, now: float, weight: float = 1.0) -> None:  # noqa: ARG002
        """A stream begins, or begins again after ``leave``; with ``weight`` 2 it gets twice the share under overload.

        Raises:
            ValueError: it has joined already, or the weight is not more than 0.
        """
        if stream in self._streams:
            raise ValueError(f"stream {stream} has joined already: it must leave before it joins again")
        if not 0 < weight < math.inf:
            raise ValueError(f"the weight of a stream is more than 0, got {weight}")
        group = self._group(shape)
        self._streams[stream] = group.streams[stream] = Stream(stream, weight, group)

    def leave(self, stream: int, now: float) -> list[Ticket]:  # noqa: ARG002
        """A stream goes away: its frames that wait, oldest first.

        Raises:
            KeyError: it has not joined.
        """
        one = self._streams.pop(stream)
        tickets = [one.pop() for _ in range(len(one.queue))]
        del one.group.streams[stream]
        return tickets

    def arrived(self, ticket: Ticket, now: float) -> Ticket | None:
        """A frame waits from now on. Returns the oldest of its stream if that had to make room. O(1).

        Raises:
            KeyError: its stream has not joined.
            ValueError: after ``end``.
        """
        if self._ended:
            raise ValueError(f"frame {ticket.number} of stream {ticket.stream} arrived after the end")
        stream = self._streams[ticket.stream]
        evicted = None
        if len(stream.queue) >= self._settings.queue_size:
            evicted = stream.pop()
            self._count([evicted], now, dropped=1)
        if not stream.queue:
            self._turns.waits(stream)
        stream.push(ticket)
        return evicted

    def decide(self, now: float) -> Decision:
        """What to do now that the executor is free, and it is busy if a batch is given.

        Cost: O(streams + max_batch_size · log streams), times log(max_batch_size) where frames would be late.
        """
        if self._running is not None:
            return NOTHING
        dropped = self._trimmed(now) if self._trim else []
        waiting = [group for group in self._groups.values() if group.frames]
        until = math.inf
        for group in self._in_order(waiting):
            verdict = self._verdict(group, now, contested=len(waiting) > 1)
            if verdict.reason is None:
                group.waited = True
                until = min(until, verdict.until)
                continue
            self._turns.overloaded = self._outcomes.dropped(now) > OVERLOADED
            keep_one = self._better or now - self._last_sent >= PROBE
            patience = None if self._ended else self._patience
            closed = close(group, self._settings, self._turns, patience, now, keep_one=keep_one)
            self._count(closed.dropped, now, dropped=1)
            dropped += [(ticket, STALE) for ticket in closed.dropped]
            if closed.tickets:
                return Decision(self._send(group, closed.tickets, verdict.reason, now), tuple(dropped))
            if closed.wait_until is not None:
                group.waited = True
                until = min(until, closed.wait_until)
        if not dropped and until == math.inf:
            return NOTHING
        return Decision(None, tuple(dropped), None if until == math.inf else until)

    def finished(self, now: float, frames: int, seconds: float) -> None:
        """The batch is done, or failed: the executor is free.

        Args:
            now: seconds.
            frames: in the batch; 0: it failed, and its time tells nothing.
            seconds: it took.

        Raises:
            ValueError: no batch was sent.
        """
        if self._running is None:
            raise ValueError("finished, but no batch was sent")
        group, deadline = self._running
        self._running, self._better = None, now <= deadline
        self.free_since = now
        if frames:
            group.service.observe(frames, seconds)
            self._patience.earn(seconds)

    def end(self) -> None:
        """Nothing more arrives: what waits goes out without waiting for company. Idempotent."""
        self._ended = True

    def overload(self, now: float) -> dict[int, float]:
        """By stream: the share of its frames, 0 to 1, that is too much for the model, of the last five seconds.

        What was dropped, or what would have been if those that lost frames had had equal shares of the labels (by
        weight): whichever is less. So bad luck of one is not taken for its load.
        """
        seen = {number: stream.outcomes.counts(now) for number, stream in self._streams.items()}
        dropped = {number: lost / (sent + lost) if lost else 0.0 for number, (sent, lost) in seen.items()}
        many = [number for number, share in dropped.items() if share > OVERLOADED]
        weight = sum(self._streams[number].weight for number in many)
        each = sum(seen[number][0] for number in many) / weight if many else 0.0
        for number in many:
            fair = 1 - each * self._streams[number].weight / sum(seen[number])
            dropped[number] = min(dropped[number], max(0.0, fair))
        return dropped

    def _group(self, shape: Hashable) -> Group:
        """Of this shape; the service times of a shape outlive its streams, as they may come back."""
        group = self._groups.get(shape)
        if group is None:
            empty = [one for one, group in self._groups.items() if not group.streams]
            for one in empty[: max(0, len(self._groups) - SHAPES + 1)]:
                del self._groups[one]
            service, self._first_service = self._first_service or ServiceTimes(), None
            group = self._groups[shape] = Group(shape, service)
        return group

    def _verdict(self, group: Group, now: float, *, contested: bool) -> Verdict:
        """Is this group's batch to be closed? ``idle`` instead of a reason to end a wait that never began."""
        if self._ended:
            return Verdict("flush")
        most = places(group, self._settings)
        if group.frames >= most:
            return Verdict("full")
        situation = Situation(
            self._settings, group, most, len(self._streams) == 1, contested, group.oldest_received()
        )
        verdict = self._policy.verdict(situation, now)
        return Verdict("idle") if verdict.reason is not None and not group.waited else verdict

    def _in_order(self, waiting: list[Group]) -> list[Group]:
        """By deadline; while frames had to be left behind, by whose turn it is."""
        if len(waiting) < 2:
            return waiting
        if not self._contended:
            return sorted(waiting, key=lambda group: group.oldest_received())
        order = Turns.order
        return sorted(waiting, key=lambda group: min(order(stream) for stream in group.waiting.values()))

    def _send(self, group: Group, tickets: list[Ticket], reason: str, now: float) -> Dispatch:
        self._count(tickets, now, sent=1)
        self._patience.sent(now)
        for other in self._groups.values():
            other.waited = False
        deadline = min(ticket.received for ticket in tickets) + (self._settings.latency_slo or math.inf)
        seconds = group.service.predict(len(tickets)) or 0.0
        self._running = group, deadline if now + seconds > deadline else -math.inf
        self._contended = any(other.frames for other in self._groups.values())
        self._last_sent = now
        return Dispatch(tuple(tickets), reason)

    def _count(self, tickets: Iterable[Ticket], now: float, *, sent: int = 0, dropped: int = 0) -> None:
        for ticket in tickets:
            self._streams[ticket.stream].outcomes.count(now, sent, dropped)
            self._outcomes.count(now, sent, dropped)

    def _trimmed(self, now: float) -> list[tuple[Ticket, str]]:
        """Queues became shorter by other settings."""
        self._trim = False
        most = self._settings.queue_size
        over = [s.pop() for s in self._streams.values() for _ in range(len(s.queue) - most)]
        self._count(over, now, dropped=1)
        return [(ticket, QUEUE_FULL) for ticket in over]
