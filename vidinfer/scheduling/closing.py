"""A batch closes: how many frames, which, and which are not worth it any more."""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

from vidinfer.scheduling.patience import Patience
from vidinfer.scheduling.policies import MARGIN, TICK, Situation
from vidinfer.scheduling.settings import Settings
from vidinfer.scheduling.streams import Group, Stream
from vidinfer.scheduling.ticket import Ticket
from vidinfer.scheduling.turns import Turns

__all__ = ["Closing", "close", "places"]

SURE = 0.99
"""As likely in time as is asked where there is a choice."""
LIKELY = 0.5
"""And where there is none: a label that is rather in time than not is better than no label."""
SOON = 0.25
"""Of a batch's time: while frames are too many, the model may wait so long for one that is surely in time."""


def places(group: Group, settings: Settings) -> int:
    """Frames of the largest batch that is allowed now.

    Under a budget a frame that comes right after a batch was sent waits for that one and then for its own: twice the
    time of a batch must fit in (Nexus, SOSP 2019), in the usual case: where the model takes long now and then, batches
    that would bear that twice could be too small to keep up at all, and which frames are late is seen when a batch
    closes. Frames that came together, one of each stream, are no reason for that: nobody comes while they are being
    labelled.
    """
    most = settings.max_batch_size
    if settings.latency_slo is None or group.frames <= 1:
        return most
    if group.frames == len(group.waiting) and _done_before_the_next(group, min(most, group.frames)):
        return most
    within = group.service.largest_usually((settings.latency_slo - MARGIN) / 2, most)
    return most if within is None else max(1, within)


class Closing(NamedTuple):
    """What became of the frames that waited."""

    tickets: list[Ticket]
    """Of the batch; empty: nothing is sent now."""
    dropped: list[Ticket]
    wait_until: float | None = None
    """The others wait for a stream that is owed a turn, but not longer."""


def close(
    group: Group, settings: Settings, turns: Turns, patience: Patience | None, now: float, *, keep_one: bool
) -> Closing:
    """The frames of the batch, and those that are dropped because they would be late.

    ``patience``: ``None`` where nobody is to be waited for. ``keep_one``: never leave nothing to send.
    O(streams · log places + places · log streams + frames dropped).
    """
    size = min(group.frames, places(group, settings))
    lateness = _Lateness(group, settings, now, turns)
    dropped: list[Ticket] = []
    if lateness.any(size):
        first = lateness.saving_all(size)
        if first:
            return Closing(turns.take_oldest(group, first), [])
        size = lateness.size_that_loses_least(size)
        dropped = lateness.drop(size, keep_one=keep_one)
        if not group.frames:
            return Closing([], dropped)
    if patience is not None and turns.overloaded and not keep_one:
        waits = _for_one_that_is_owed(group, settings, turns, patience, now)
        if waits is not None:
            return waits._replace(dropped=dropped + waits.dropped)
    return Closing(turns.take(group, min(group.frames, size), settings.max_same_source_frames), dropped)


def _for_one_that_is_owed(
    group: Group, settings: Settings, turns: Turns, patience: Patience, now: float
) -> Closing | None:
    """Wait for a stream that is behind, as far as the patience goes; ``None``: do not.

    Frames that are there wait with it as long as they may. Those that may not, and might be late in its batch, are
    passed over: dropped, where a large batch would be too long for them even now. If any would not, it is sent instead.
    """
    slo = settings.latency_slo
    if slo is None or not settings.max_queue_delay or patience.left(now) <= 0:
        return None
    at = turns.awaited(group, now, now + patience.left(now))
    if at == math.inf:
        return None
    limit = Situation(settings, group, settings.max_batch_size, False, False, group.oldest_received()).limit()
    if now + TICK < limit.until and group.frames < settings.max_batch_size:
        patience.begin(now)
        return Closing([], [], min(max(at, now) + TICK, limit.until))
    predict = group.service.predict
    done = now + (predict(settings.max_batch_size, high=True) or 0.0)
    after = at + (predict(group.frames + 1, high=True) or 0.0)
    if any(stream.queue[-1].received + slo >= min(done, after) for stream in group.waiting.values()):
        return None
    patience.begin(now)
    return Closing([], [s.pop() for s in list(group.waiting.values()) for _ in range(len(s.queue))])


class _Lateness:
    """Which frames would be late if a batch of so many were sent now.

    Each frame must be in time with some likelihood to get a place. Of a stream's frames but the newest much is asked,
    as what comes after them is worth more; not more, though, than a frame can have that comes just now. The newest is
    to be dropped only where that makes a label of another: not while all get their turn, and then where the likely
    label now is worth less than the likelier one after waiting for the next frame to come (a choice between rewards
    per time, as in renewal theory). Under overload, where frames come soon, a budget that can be kept is kept.
    """

    def __init__(self, group: Group, settings: Settings, now: float, turns: Turns) -> None:
        self._group, self._now, self._slo = group, now, settings.latency_slo
        self._service = group.service
        self._turns = turns
        self._limits_by_size: dict[int, tuple[float, float]] = {}
        self._allowed = settings.max_staleness if self._slo is None else self._slo

    def any(self, size: int) -> bool:
        """Is anything in question?"""
        return self._group.oldest_received() + self._allowed < self._now + self._seconds(size, high=True)

    def saving_all(self, size: int) -> int:
        """Frames for a smaller batch, oldest first, after which the rest is in time too; 0: that cannot be done."""
        frames = self._group.frames
        if self._slo is None or frames > size:
            return 0
        deadlines = sorted(t.received + self._allowed for s in self._group.waiting.values() for t in s.queue)
        first = self._service.largest(deadlines[0] - self._now, frames - 1) if frames > 1 else 0
        if not first:
            return 0
        rest = self._now + self._seconds(first, high=True) + self._seconds(frames - first, high=True)
        return first if rest <= deadlines[first] else 0

    def size_that_loses_least(self, size: int) -> int:
        """The largest batch, up to ``size``, for which enough frames are in time; at least 1."""
        low, high = 1, size
        while low < high:
            middle = (low + high + 1) // 2
            late = sum(self._late(stream, middle) for stream in self._group.waiting.values())
            low, high = (middle, high) if self._group.frames - late >= middle else (low, middle - 1)
        return low

    def drop(self, size: int, *, keep_one: bool) -> list[Ticket]:
        """Take the late ones out."""
        dropped: list[Ticket] = []
        streams = list(self._group.waiting.values())
        spared = None
        if keep_one:
            streams.sort(key=lambda stream: stream.queue[-1].received)
            spared = streams[-1]
        for stream in streams:
            late = self._late(stream, size)
            if stream is spared and self._group.frames == late:
                late -= 1
            dropped += [stream.pop() for _ in range(late)]
        return dropped

    def _late(self, stream: Stream, size: int) -> int:
        """Frames at the head of its queue that are not worth a place."""
        older, newest = self._limits(size)
        count, last = 0, len(stream.queue) - 1
        for ticket in stream.queue:
            if ticket.received >= (newest if count == last else older):
                break
            count += 1
        return count

    def _limits(self, size: int) -> tuple[float, float]:
        """Since when frames must have been received: all but the newest of each stream, and the newest."""
        if size not in self._limits_by_size:
            older, newest = (
                0.0 if self._slo is None else self._service.quantile(size, share) or 0.0
                for share in self._asked(size)
            )
            since = self._now - self._allowed
            self._limits_by_size[size] = since + older, since + newest
        return self._limits_by_size[size]

    def _asked(self, size: int) -> tuple[float, float]:
        """How likely they must be in time, 0.5 to 0.99."""
        if self._slo is None or self._service.predict(size) is None:
            return LIKELY, LIKELY
        sure = min(self._best, SURE)
        if not self._turns.overloaded:
            return sure, LIKELY
        batch, wait = self._seconds(size, high=False), self._wait
        if self._best >= SURE and wait <= SOON * batch:
            return sure, sure
        return sure, max(LIKELY, sure * batch / (batch + wait))

    @cached_property
    def _best(self) -> float:
        """How likely a frame is in time that comes just now; at least 0.5. There is a budget."""
        assert self._slo is not None
        lag = min(stream.lag for stream in self._group.streams.values())
        return max(LIKELY, self._service.chance(1, self._slo - lag - MARGIN))

    @cached_property
    def _wait(self) -> float:
        """Seconds until the next frame is expected."""
        return self._group.next_arrival(self._now) - self._now

    def _seconds(self, size: int, high: bool) -> float:
        """What is added to the age: nothing, where only the age counts."""
        return 0.0 if self._slo is None else self._service.predict(size, high) or 0.0


def _done_before_the_next(group: Group, frames: int) -> bool:
    periods = (stream.arrivals.period or math.inf for stream in group.waiting.values())
    return (group.service.predict(frames, high=True) or math.inf) <= min(periods)
