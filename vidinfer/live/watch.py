"""An eye on one stream: does it fall behind, is its clock right, is there anything to see, is there too much of it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from vidinfer.arrival import Received, Shed, TimeSource
from vidinfer.clock import Clock
from vidinfer.live.backlog import Backlog, Pace
from vidinfer.live.picture_watch import PictureWatch, coarse_luma
from vidinfer.live.tally import Rate
from vidinfer.scheduling import Shedding

__all__ = ["StreamWatch"]

_EVERY = 1.0
"""Seconds from one look at overload and backlog to the next."""
_LOOK = 0.2
"""Seconds from one look at the picture to the next."""
_BUSY = 0.02
"""Share of the time that is spent waiting for packets, below which it is we who cannot keep up."""
_BEHIND, _CAUGHT_UP = 1.0, 0.3
"""Seconds that a stream may run behind before it skips to live, and at which it is there again."""
_SPARE = 2.0
"""Keyframes to each label that a stream gets, for it to be left with keyframes alone."""


class StreamWatch:
    """Thread rule: ``frame``, ``begin`` and ``end`` on the stream's thread; the rest from any."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shedding = Shedding()
        self._backlog = Backlog()
        self._pictures = PictureWatch()
        self._skipping = False
        self._looked = self._saw = 0.0
        self._shed_packets: Counter[str] = Counter()
        self._skips = self._jumps = 0
        self._frames, self._keyframes = Rate(), Rate()
        self.level = Shed.NOTHING
        """What is left out before decoding."""

    def begin(self, now: float) -> None:
        """A new connection: nothing is known of its clock."""
        self._jumps += self._backlog.jumps
        self._backlog, self._pictures = Backlog(), PictureWatch()
        self._skipping = False
        self._looked = self._saw = now
        self._frames, self._keyframes = Rate(), Rate()
        self.level = Shed.NOTHING

    def end(self, facts: dict[str, object]) -> None:
        """The connection is over; ``facts`` are its source's."""
        shed = facts.get("packets_shed")
        self._shed_packets.update(shed if isinstance(shed, dict) else {})

    def frame(
        self, item: Received, now: float, overload: Callable[[], float], waiting: Callable[[], float | None]
    ) -> Shed:
        """A frame has come.

        Args:
            overload: the share of frames dropped of late.
            waiting: the share of its time that the reader waits for packets; ``None``: not known.

        Returns:
            What to leave out before decoding from now on.
        """
        self._frames.add(now)
        if item.frame.stamp.keyframe:
            self._keyframes.add(now)
        time = item.frame.stamp.time
        if time is not None:
            self._backlog.true_clock |= item.time_source is TimeSource.RTCP
            self._backlog.frame(time, item.received)
        if now - self._saw >= _LOOK:
            self._saw = now
            self._pictures.frame(coarse_luma(item.frame.picture), now)
        if self._skipping and self._backlog.behind < _CAUGHT_UP:
            self._skipping = False
            self._decide(now, overload())
        elif now - self._looked >= _EVERY:
            self._looked = now
            share = waiting()
            self._backlog.lagging = share is not None and share < _BUSY
            self._decide(now, overload())
        return self.level

    def _decide(self, now: float, dropped: float) -> None:
        if not self._skipping and self._backlog.behind > _BEHIND:
            self._skipping = True
            self._skips += 1
        wanted = self._shedding.observe(now, dropped)
        if (
            wanted is Shed.NON_KEY
            and self.level is not Shed.NON_KEY
            and not self._enough_keyframes(now, dropped)
        ):
            wanted = Shed.NON_REFERENCE
        self.level = Shed.NON_KEY if self._skipping else wanted

    def _enough_keyframes(self, now: float, dropped: float) -> bool:
        """With keyframes alone no less would be labelled than now: not so where they are many seconds apart.

        Some of them come while the model is busy and are too old for it then, so there must be more.
        """
        frames, keyframes = self._frames.value(now), self._keyframes.value(now)
        return frames is not None and keyframes is not None and keyframes >= _SPARE * (1 - dropped) * frames

    @property
    def flags(self) -> tuple[str, ...]:
        """What a person should look at."""
        found = list(self._pictures.flags)
        if self._backlog.pace is Pace.OTHER:
            found.append("clock runs at another pace")
        if self._skipping:
            found.append("behind, skipping to live")
        if self.level is not Shed.NOTHING and not self._skipping:
            found.append(
                "overload, " + ("keyframes only" if self.level is Shed.NON_KEY else "reference frames only")
            )
        return tuple(found)

    def facts(self) -> dict[str, object]:
        """For the report."""
        return {
            "packets_shed": dict(self._shed_packets),
            "skips_to_live": self._skips,
            "clock_jumps": self._jumps + self._backlog.jumps,
            "clock_rate": round(self._backlog.rate, 4),
        }
