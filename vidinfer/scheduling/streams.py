"""The streams that the scheduler serves, in groups of one picture shape."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable

from vidinfer.scheduling.arrivals import Activity, Arrivals
from vidinfer.scheduling.overload import Outcomes
from vidinfer.scheduling.service_times import ServiceTimes
from vidinfer.scheduling.ticket import Ticket

__all__ = ["Group", "Stream"]


class Stream:
    """One stream: what waits, when more will come, and its turn."""

    __slots__ = ("arrivals", "group", "lag", "number", "outcomes", "queue", "served", "tag", "weight")

    def __init__(self, number: int, weight: float, group: Group) -> None:
        self.number = number
        self.weight = weight
        self.group = group
        self.queue: deque[Ticket] = deque()
        self.arrivals = Arrivals()
        self.lag = 0.0
        """Seconds from received to queued, of its last frame."""
        self.tag = 0.0
        """Start tag of its next frame: see ``Turns``."""
        self.served = 0
        """The batch that it was last part of."""
        self.outcomes = Outcomes()

    def push(self, ticket: Ticket) -> None:
        """Queue a frame and learn from its arrival."""
        self.arrivals.seen(ticket.queued)
        self.lag = max(0.0, ticket.queued - ticket.received)
        self.queue.append(ticket)
        self.group.waiting[self.number] = self
        self.group.frames += 1

    def pop(self) -> Ticket:
        """The oldest frame leaves the queue."""
        ticket = self.queue.popleft()
        self.group.frames -= 1
        if not self.queue:
            del self.group.waiting[self.number]
        return ticket


class Group:
    """The streams of one shape: only their frames share a batch."""

    __slots__ = ("frames", "service", "shape", "streams", "waited", "waiting")

    def __init__(self, shape: Hashable, service: ServiceTimes) -> None:
        self.shape = shape
        self.service = service
        self.streams: dict[int, Stream] = {}
        self.waiting: dict[int, Stream] = {}
        """Those with frames queued."""
        self.frames = 0
        """Queued, of all its streams."""
        self.waited = False
        """The model is free and these frames were told to wait."""

    def oldest_received(self) -> float:
        """Of the frames queued; the group must have some."""
        return min(stream.queue[0].received for stream in self.waiting.values())

    def oldest_queued(self) -> float:
        """Of the frames queued; the group must have some."""
        return min(stream.queue[0].queued for stream in self.waiting.values())

    def expected(self, now: float, until: float) -> list[tuple[float, float]]:
        """Arrivals up to ``until``, one of each stream at most: when each will be queued and was then received."""
        found = []
        for stream in self.streams.values():
            if stream.arrivals.due <= until:
                at = stream.arrivals.expected(now)
                if at <= until and at != math.inf:
                    found.append((at, at - stream.lag))
        found.sort()
        return found

    def next_arrival(self, now: float) -> float:
        """When the first frame of any stream is expected; ``inf``: nobody knows."""
        return min((stream.arrivals.expected(now) for stream in self.streams.values()), default=math.inf)

    def unpredictable(self, now: float) -> bool:
        """Some stream delivers, and nobody knows when."""
        streams = self.streams.values()
        return any(
            s.arrivals.due == math.inf and s.arrivals.activity(now) is Activity.ACTIVE for s in streams
        )
