"""From arrived packets to frames that can be shown, leaving out what there is no time for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fractions import Fraction
from typing import Literal, NamedTuple

import av
import av.error
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidinfer.arrival import Shed
from vidinfer.frame import Gap
from vidinfer.source.live_read import Arrived

__all__ = ["LiveDecoder", "Shown"]

_SKIP: Mapping[Shed, Literal["DEFAULT", "NONREF", "NONKEY"]] = {
    Shed.NOTHING: "DEFAULT",
    Shed.NON_REFERENCE: "NONREF",
    Shed.NON_KEY: "NONKEY",
}
_WAITING = 64
"""Packets whose frames have not come out; no decoder without frame threads holds back so many."""


class Shown(NamedTuple):
    """A frame, and when the packet that it came in was read."""

    frame: VideoFrame
    received: float


class LiveDecoder:
    """Decodes without delay, from a keyframe on.

    ``level`` may be set by any thread and holds from the next packet on. Frames that others refer to are left out only
    together with everything up to the next keyframe, so no picture is ever torn.

    Thread rule: ``frames`` on one thread.
    """

    def __init__(self, stream: VideoStream, threads: int) -> None:
        """``threads`` is the most the decoder may use, on slices of one picture."""
        self._codec = stream.codec_context
        self._codec.thread_type = "SLICE"  # frame threads would hold a frame back each
        self._codec.thread_count = threads
        self._codec.options = {"flags": "+low_delay"}
        self._time_base = Fraction(stream.time_base or Fraction(1, av.time_base))
        self._received: OrderedDict[int, float] = OrderedDict()
        self._level = Shed.NOTHING
        self._from_key = True
        self.level = Shed.NOTHING
        self.begun = False
        """A keyframe has come."""
        self.before_key = 0
        """Packets before the first keyframe."""
        self.shed = {Shed.NON_REFERENCE: 0, Shed.NON_KEY: 0}
        """Packets left out, by the level that asked for it."""
        self.refused = 0
        """Packets that the decoder did not take."""
        self.silent = 0
        """Packets that gave no frame, for no stated reason."""

    def frames(self, arrived: Arrived) -> Iterator[Shown | Gap]:
        """What ``arrived`` completes."""
        packet = arrived.packet
        if packet is None:
            yield from self._rest(arrived.received)
            return
        if self._left_out(packet):
            return
        if packet.pts is not None:
            self._received[packet.pts] = arrived.received
            if len(self._received) > _WAITING:
                self._received.popitem(last=False)
        try:
            frames = self._codec.decode(packet)
        except av.FFmpegError as error:
            self.refused += 1
            reason = f"the decoder refused a packet: {error.strerror or type(error).__name__}"
            yield Gap(packet.pts, packet.pts, self._time_base, 1, reason)
            return
        if not frames:
            self._count_silent()
        for frame in frames:
            yield Shown(frame, self._when(frame, arrived.received))

    def _rest(self, now: float) -> Iterator[Shown]:
        """What the decoder still holds."""
        with suppress(av.FFmpegError, EOFError):
            for frame in self._codec.decode(None):
                yield Shown(frame, self._when(frame, now))
        self._codec.flush_buffers()
        self._received.clear()
        self._from_key = True

    def _left_out(self, packet: Packet[VideoStream]) -> bool:
        level = self.level
        if level is not self._level:
            # What was left out last is missing until the next keyframe, whatever is wanted now.
            self._from_key = self._from_key or self._level is Shed.NON_KEY
            self._codec.skip_frame = _SKIP[level]
            self._level = level
        if packet.is_keyframe:
            self._from_key = False
            self.begun = True
            return False
        if level is Shed.NON_KEY:
            self.shed[Shed.NON_KEY] += 1
            return True
        if self._from_key:
            if self.begun:
                self.shed[Shed.NON_KEY] += 1
            else:
                self.before_key += 1
        return self._from_key

    def _count_silent(self) -> None:
        if self._level is Shed.NON_REFERENCE:
            self.shed[Shed.NON_REFERENCE] += 1
        else:
            self.silent += 1

    def _when(self, frame: VideoFrame, latest: float) -> float:
        if frame.pts is None:
            return latest
        return self._received.pop(frame.pts, latest)
