"""Which packets the decoder has swallowed and not given back: lost ones become gaps, in their place."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidinfer.frame import CLOCK_RESET, Gap

__all__ = ["InFlight"]

# No decoder holds a packet back for longer: 16 reference frames, 16 threads, and as much again for two-field pictures.
_LONGEST_DELAY = 128
_UNSAID = "the decoder gave no frame for the packets"

_Time = tuple[int, int]
"""How often the clock had started anew, and ``pts``: increases in presentation order."""


class InFlight:
    """Pairs packets with frames by ``pts``.

    Decoders put frames out in presentation order, so a packet still waiting when a later frame comes out gave none.
    It is lost if the decoder or the container reported an error nearby, or if its codec knows no packets without a
    picture. With frame threads an error surfaces packets later, if ever, which is why the pairing and not the
    failing call tells what was lost.

    Thread rule: one thread at a time.
    """

    def __init__(self, time_base: Fraction, *, one_to_one: bool) -> None:
        """``one_to_one``: in this codec every packet holds a picture to show."""
        self._time_base = time_base
        self._one_to_one = one_to_one
        self._reset = int(CLOCK_RESET / time_base)
        self._waiting: dict[_Time, None] = {}
        self._resets = 0
        self._resets_shown = 0
        self._last_dts: int | None = None
        self._started = False
        self._damaged_at: _Time | None = None
        self._reason = _UNSAID
        self.errors = 0
        """Packets that the decoder refused."""
        self.silent = 0
        """Packets that gave no frame, without an error: nothing is missing on the screen."""

    def sent(self, packet: Packet[VideoStream]) -> None:
        """Note a packet before it is decoded. One that an edit list hides is none."""
        if packet.is_discard or packet.pts is None:
            return
        if packet.dts is not None:
            self._resets += self._last_dts is not None and packet.dts < self._last_dts - self._reset
            self._last_dts = packet.dts
        time = (self._resets, packet.pts)
        if packet.is_corrupt:
            self._damaged_at, self._reason = time, "the container marks the packets as damaged"
        self._waiting[time] = None
        if len(self._waiting) > _LONGEST_DELAY:
            del self._waiting[next(iter(self._waiting))]
            self.silent += 1

    def failed(self, packet: Packet[VideoStream], reason: str) -> Gap | None:
        """Note that decoding ``packet`` raised. The gap comes from :meth:`before`, or here if it has no ``pts``."""
        self.errors += 1
        self._reason = reason
        if packet.pts is None:
            return Gap(packet.dts, packet.dts, self._time_base, 1, reason)
        self._damaged_at = (self._resets, packet.pts)
        return None

    def before(self, frame: VideoFrame) -> Gap | None:
        """The packets lost before ``frame``, which has just come out and has a ``pts``, if any."""
        time = self._time(cast(int, frame.pts))
        self._waiting.pop(time, None)
        passed = [waiting for waiting in self._waiting if waiting < time]
        for waiting in passed:
            del self._waiting[waiting]
        # The pictures in front of the first one that can be shown belong to a key frame that is not in the file;
        # the second field of an interlaced picture may come in a packet of its own.
        gap = self._settle(passed, lost=self._started and self._one_to_one and not frame.interlaced_frame)
        self._started = True
        if frame.key_frame and self._damaged_at is not None and time > self._damaged_at:
            self._damaged_at, self._reason = None, _UNSAID
        return gap

    def rest(self) -> Gap | None:
        """The packets lost at the end of the stream, after the decoder was emptied."""
        waiting, self._waiting = list(self._waiting), {}
        return self._settle(waiting, lost=self._one_to_one and not self.silent)

    def _time(self, pts: int) -> _Time:
        """When a frame that has just come out is shown: the decoder still gives frames from before a reset."""
        for resets in range(self._resets_shown, self._resets + 1):
            if (resets, pts) in self._waiting:
                self._resets_shown = resets
                break
        return self._resets_shown, pts

    def _settle(self, passed: list[_Time], *, lost: bool) -> Gap | None:
        if not passed:
            return None
        if not lost and self._damaged_at is None:
            self.silent += len(passed)
            return None
        first, last = min(passed)[1], max(passed)[1]
        return Gap(first, last, self._time_base, len(passed), self._reason)
