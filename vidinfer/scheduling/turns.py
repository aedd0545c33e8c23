"""Whose frames go into a batch, when not all fit: each stream its fair share."""

from __future__ import annotations

import math
from heapq import heapify, heappop, heapreplace

from vidinfer.scheduling.streams import Group, Stream
from vidinfer.scheduling.ticket import Ticket

__all__ = ["Turns"]


CREDIT = 8.0
"""Turns. With 2, streams whose frames are seldom fresh when the model is free had forgotten what they were owed."""
AHEAD = 2.0
"""Turns. A stream that is further ahead of another may be passed over for it under overload."""


class Turns:
    """Start-time fair queueing (Goyal, Vin, Cheng 1996), a frame being a packet of size 1.

    Each frame has a start tag: that of the one before it plus 1 / weight, or the virtual time where the stream had
    nothing waiting. Frames leave by ascending tag; equal tags by who was served longest ago, then by the oldest head.
    The virtual time is the largest tag that was served. So streams that always have frames waiting get places in
    proportion to their weights, those that ask for less get all they ask for, and nobody saves up turns.

    One thing is added. Under overload frames get too old while they wait, so a stream may have none when its turn
    comes, and another, which always has fresh ones, would get the place. So a stream comes back up to ``CREDIT`` turns
    early then: shares stay within some percent of what is fair, where they would stray by 20
    (benchmarks/live_simulation.py). Where a batch takes about as long as its budget allows, frames are fresh for a
    moment only, and whoever is in step with the model would get all the places: ``awaited`` says whom to wait for.

    With equal weights no stream is passed over twice by another, so each is served within ceil(streams / places)
    batches; under overload within ``CREDIT`` + 1 times as many.
    """

    def __init__(self) -> None:
        self._virtual = 0.0
        self._batch = 0
        self.overloaded = False
        """Frames had to be dropped of late."""

    def waits(self, stream: Stream) -> None:
        """To be called before the first frame of a stream that has none waiting."""
        credit = CREDIT / stream.weight if self.overloaded else 0.0
        stream.tag = max(stream.tag, self._virtual - credit)

    def awaited(self, group: Group, now: float, until: float) -> float:
        """When, up to ``until``, the first stream is expected that has no frames and is behind all that have some, by
        more than ``AHEAD`` turns; ``inf``: none is. The group has frames. O(streams)."""
        first = min(self._tag(stream) for stream in group.waiting.values())
        return min(
            (
                at
                for stream in group.streams.values()
                if not stream.queue
                and stream.arrivals.due <= until
                and self._tag(stream) + AHEAD / stream.weight < first
                and (at := stream.arrivals.expected(now)) <= until
            ),
            default=math.inf,
        )

    def _tag(self, stream: Stream) -> float:
        """Its start tag under overload, were its next frame to come now."""
        return max(stream.tag, self._virtual - CREDIT / stream.weight)

    @staticmethod
    def order(stream: Stream) -> tuple[float, int, float, int]:
        """Who is next: the smallest."""
        return stream.tag, stream.served, stream.queue[0].received, stream.number

    def take(self, group: Group, places: int, most_of_one: int) -> list[Ticket]:
        """The next frames of a group, at least one, in O((streams + places) log streams).

        A stream gets more than ``most_of_one`` only if places are left when nobody else has frames.
        """
        self._batch += 1
        if group.frames <= places:
            tickets = [self._serve(s) for s in list(group.waiting.values()) for _ in range(len(s.queue))]
            tickets.sort(key=lambda ticket: ticket.received)
            return tickets
        tickets = self._fill(group, places, most_of_one)
        if len(tickets) < places:
            tickets += self._fill(group, places - len(tickets), places)
        return tickets

    def take_oldest(self, group: Group, places: int) -> list[Ticket]:
        """The frames that were received first, whoever's they are."""
        self._batch += 1
        heap = [(s.queue[0].received, s.number, s) for s in group.waiting.values()]
        heapify(heap)
        tickets: list[Ticket] = []
        while heap and len(tickets) < places:
            stream = heap[0][2]
            tickets.append(self._serve(stream))
            if stream.queue:
                heapreplace(heap, (stream.queue[0].received, stream.number, stream))
            else:
                heappop(heap)
        return tickets

    def _fill(self, group: Group, places: int, most_of_one: int) -> list[Ticket]:
        heap = [(self.order(s), s, most_of_one) for s in group.waiting.values()]
        heapify(heap)
        tickets: list[Ticket] = []
        while heap and len(tickets) < places:
            _, stream, left = heap[0]
            tickets.append(self._serve(stream))
            if stream.queue and left > 1:
                heapreplace(heap, (self.order(stream), stream, left - 1))
            else:
                heappop(heap)
        return tickets

    def _serve(self, stream: Stream) -> Ticket:
        self._virtual = max(self._virtual, stream.tag)
        stream.tag += 1 / stream.weight
        stream.served = self._batch
        return stream.pop()
