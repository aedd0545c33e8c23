"""From arrived packets to frames that can be shown, leaving out what there is no time for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Literal, NamedTuple

import av
import av.error
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidinfer.arrival import Shed
from vidinfer.frame import Gap
from vidinfer.source.coded_video import CodedVideo
from vidinfer.source.frame_numbers import FrameNumbers
from vidinfer.source.live_read import Arrived
from vidinfer.source.missing import Continuity, Missing
from vidinfer.source.picture_order import PictureOrder

__all__ = ["LiveDecoder", "Shown"]

_SKIP: Mapping[Shed, Literal["DEFAULT", "NONREF", "NONKEY"]] = {
    Shed.NOTHING: "DEFAULT",
    Shed.NON_REFERENCE: "NONREF",
    Shed.NON_KEY: "NONKEY",
}
_WAITING = 64
"""Packets whose frames have not come out; no decoder without frame threads holds back so many."""

_NEVER_CAME = "the camera counted pictures that never came"
_REFERS = "these refer to frames that were lost or damaged"


class Shown(NamedTuple):
    """A frame, and when the packet that it came in was read."""

    frame: VideoFrame
    received: float


class LiveDecoder:
    """Decodes without delay, from a keyframe on.

    Where something was lost on the way, the decoder would make up what is missing and go on from there: everything up
    to the next keyframe is a gap.

    ``level`` may be set by any thread and holds from the next packet on. Frames that others refer to are left out only
    together with everything up to the next keyframe, so no picture is ever torn.

    Thread rule: ``frames`` on one thread.
    """

    def __init__(self, stream: CodedVideo, threads: int) -> None:
        """``threads`` is the most the decoder may use, on slices of one picture."""
        self._codec = stream.codec_context
        self._codec.thread_type = "SLICE"  # frame threads would hold a frame back each
        self._codec.thread_count = threads
        self._codec.options = {"flags": "+low_delay"}
        self._time_base = Fraction(stream.time_base or Fraction(1, av.time_base))
        self._received: OrderedDict[int, float] = OrderedDict()
        self._level = Shed.NOTHING
        self._from_key = True
        self._continuity = _continuity_of(self._codec.name, self._codec.extradata or b"")
        self._missing = Missing.NOTHING
        """For the packet at hand."""
        self._begun_by: Literal["start", "shed", "loss"] = "start"
        """Why what came before the last keyframe is not there."""
        self._hole: Gap | None = None
        """What is left out since something was lost, told with the next keyframe."""
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
        if packet.is_keyframe:
            yield from self._told()
        if arrived.missing:
            yield Gap(None, None, self._time_base, arrived.missing, _NEVER_CAME)
        if self._left_out(packet):
            return
        lost = self._lost(packet, arrived)
        if lost:
            yield from self._torn(packet, lost, arrived.received)
        elif self._missing is Missing.BEFORE_KEYFRAME:
            yield from self._leading(packet)
        else:
            yield from self._decoded(packet, arrived.received)

    def _decoded(self, packet: Packet[VideoStream], received: float) -> Iterator[Shown | Gap]:
        if packet.pts is not None:
            self._received[packet.pts] = received
            if len(self._received) > _WAITING:
                self._received.popitem(last=False)
        try:
            frames = self._codec.decode(packet)
        except av.FFmpegError as error:
            self.refused += 1
            words = error.strerror or type(error).__name__
            yield from self._torn(packet, f"the decoder refused a packet: {words}", received)
            return
        if not packet.is_keyframe:
            self._begun_by = "loss"
        self._count(len(frames))
        for i, frame in enumerate(frames):
            yield Shown(frame, self._when(frame, received))
            if frame.is_corrupt:  # what comes after it, and what the decoder still holds, may refer to it
                held = len(frames) - i - 1 + sum(1 for _ in self._drained(received))
                self._tear(frame.pts, held)
                return

    def _lost(self, packet: Packet[VideoStream], arrived: Arrived) -> str:
        """Whether ``packet`` is damaged, or what it refers to is missing; in words."""
        self._missing = Missing.NOTHING
        if packet.is_corrupt or not arrived.whole:
            return "damaged on the way"
        if self._continuity is not None:
            self._missing = self._continuity.next(bytes(packet), packet.pts, key=packet.is_keyframe)
        return "frames were lost on the way" if self._missing is Missing.REFERENCE else ""

    def _leading(self, packet: Packet[VideoStream]) -> Iterator[Gap]:
        """A frame that is shown before the last keyframe and refers to what is missing; no later one refers to it."""
        if self._begun_by == "start":
            self.before_key += 1
        elif self._begun_by == "shed":
            self.shed[Shed.NON_KEY] += 1
        else:
            yield Gap(packet.pts, packet.pts, self._time_base, 1, _REFERS)

    def _torn(self, packet: Packet[VideoStream], reason: str, now: float) -> Iterator[Shown | Gap]:
        """What the decoder holds was complete before, and its memory is no good for what comes."""
        yield from self._drained(now)
        self._tear(packet.pts)
        yield Gap(packet.pts, packet.pts, self._time_base, 1, reason)

    def _tear(self, pts: int | None, packets: int = 0) -> None:
        """Nothing is worth showing until the next keyframe, where there is any other frame."""
        self._from_key, self._begun_by = True, "loss"
        self._hole = Gap(pts, pts, self._time_base, packets, _REFERS)

    def _told(self) -> Iterator[Gap]:
        hole, self._hole = self._hole, None
        if hole is not None and hole.packets:
            yield hole

    def _rest(self, now: float) -> Iterator[Shown | Gap]:
        """What the decoder still holds, and what was lost."""
        yield from self._drained(now)
        yield from self._told()
        self._from_key, self._begun_by = True, "start"

    def _drained(self, now: float) -> Iterator[Shown]:
        """What the decoder still holds; it begins anew after that."""
        with suppress(av.FFmpegError, EOFError):
            for frame in self._codec.decode(None):
                self.silent = max(0, self.silent - 1)
                yield Shown(frame, self._when(frame, now))
        self._codec.flush_buffers()
        self._received.clear()

    def _left_out(self, packet: Packet[VideoStream]) -> bool:
        level = self.level
        if level is not self._level:
            # What was left out last is missing until the next keyframe, whatever is wanted now.
            if self._level is Shed.NON_KEY and not self._from_key:
                self._from_key, self._begun_by = True, "shed"
            self._codec.skip_frame = _SKIP[level]
            self._level = level
        if packet.is_keyframe:
            if self._from_key and self._continuity is not None:
                self._continuity.forget()
            self._from_key = False
            self.begun = True
            return False
        if level is Shed.NON_KEY:
            self.shed[Shed.NON_KEY] += 1
            return True
        if self._from_key:
            if self._hole is not None:
                first = self._hole.first_pts if self._hole.packets else packet.pts
                packets = self._hole.packets + 1
                self._hole = replace(self._hole, first_pts=first, last_pts=packet.pts, packets=packets)
            elif self.begun:
                self.shed[Shed.NON_KEY] += 1
            else:
                self.before_key += 1
        return self._from_key

    def _count(self, frames: int) -> None:
        """A packet gave so many; with B-frames one may give none, and another later its own and that."""
        if frames:
            self.silent = max(0, self.silent - frames + 1)
        elif self._level is Shed.NON_REFERENCE:
            self.shed[Shed.NON_REFERENCE] += 1
        else:
            self.silent += 1

    def _when(self, frame: VideoFrame, latest: float) -> float:
        if frame.pts is None:
            return latest
        return self._received.pop(frame.pts, latest)


def _continuity_of(codec: str, extradata: bytes) -> Continuity | None:
    """Only start codes are understood, as RTSP and MPEG-TS have them; files, which begin with a 1, lose nothing."""
    if codec == "h264":
        return FrameNumbers(extradata)
    return PictureOrder(extradata) if codec == "hevc" and extradata[:1] != b"\1" else None
