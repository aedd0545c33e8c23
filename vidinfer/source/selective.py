"""Decoding no more than was asked for: groups of pictures without a wanted frame are read, and not decoded.

All packets are still read: that takes a hundredth of the time of decoding, and tells every frame's time. What a frame
needs is told by the packets' own heads (:mod:`vidinfer.source.coded`), so that frames, their numbers, times and pixels
are those of decoding everything. Each group is checked as it is decoded: what comes out must be what the packets
promised. Where it is not, and where a file is such that nothing can be promised (no timestamps, times that run
backwards, fields, damage), everything is decoded from the group before on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidinfer.frame import FrameStamp, Gap
from vidinfer.sampling import Sampler, Sampling
from vidinfer.source.coded import ALONE, Coded, CodedReader, reader_for
from vidinfer.source.decode import Decoded, Decoder, PassedOver
from vidinfer.storage import Location

__all__ = ["SelectiveDecoder", "packets_needed", "why_everything"]

_MOST_PACKETS, _MOST_BYTES = 8192, 256 << 20
"""Held while a group is not complete."""
_WORTH = 4
"""Of so many frames at least one is left out that pays; before, decoders that run on without a stop are as quick."""


def why_everything(container: InputContainer, stream: VideoStream, sampling: Sampling) -> str:
    """Why every frame is decoded although some only are wanted; empty where that need not be."""
    rate = stream.average_rate
    sparse = max(sampling.every, rate / sampling.fps if rate and sampling.fps else 1)
    if sampling.fps and not rate:
        sparse = _WORTH
    if not sampling.keyframes and sparse < _WORTH:
        return "most frames are needed anyway"
    codec = stream.codec_context
    if reader_for(codec.codec.canonical_name, codec.extradata) is None:
        return f"what {codec.codec.canonical_name} pictures need is not told before they are decoded"
    if container.format.name == "avi" and codec.codec.canonical_name not in ALONE:
        return "AVI stores no presentation times"
    return ""


@dataclass(frozen=True, slots=True, eq=False)
class _Packet:
    packet: Packet[VideoStream]
    pts: int
    coded: Coded
    shown: bool


_Group = list[_Packet]
"""From a packet that decoding can begin with up to the next one."""


class _Unlike(Exception):
    """The decoder gave something else than the packets promised; never leaves this module."""


class SelectiveDecoder(Decoder):
    """A decoder that passes over what a sampling leaves out.

    Frames shown between two starts, the leading ones of the second included, are decoded together or not at all; of
    those only what the wanted ones need. The decoder is emptied after each.

    Thread rule: one thread at a time.
    """

    def __init__(
        self,
        path: Location,
        container: InputContainer,
        stream: VideoStream,
        threads: int,
        stopped: Callable[[], bool],
        *,
        sampling: Sampling,
        fast: bool = False,
    ) -> None:
        """As any decoder; only for streams of which ``why_everything`` says nothing."""
        super().__init__(path, container, stream, threads, stopped, fast=fast)
        reader = reader_for(self._codec.codec.canonical_name, self._codec.extradata)
        assert reader is not None
        self._coded: CodedReader = reader
        self._sampler = Sampler(sampling)
        self._keyframes = sampling.keyframes
        self._over = False
        self._inside = False
        """What is read begins in the midst of the file: frames shown before its first are not to be given out."""
        self._anywhere = False
        self._index = 0
        self._last: int | None = None
        self._before: _Group = []
        self._groups: deque[_Group] = deque()
        self._held = self._held_bytes = 0
        self._given: list[int] = []
        """Times of what was given out of this unit and the one before, to know it again."""
        self._unit_begins = 0
        self.passed_over = 0
        """Frames that were not decoded, so far."""
        self.everything_because = ""
        """Why everything is decoded by now."""
        self.everything_from: int | None = None
        """``pts`` from which on it is."""

    def _events(self) -> Iterator[Decoded | Gap | PassedOver]:
        for item in self._read():
            if self._stopped() or self._is_over():
                return
            if self.everything_because:
                yield from self._plainly(item)
                continue
            why = "the container is damaged" if isinstance(item, Gap) else self._take(item)
            if why:
                yield from self._give_up(why, item)
            elif len(self._groups) > 2:
                yield from self._next_unit()
        while self._groups and not self.everything_because and not self._is_over():
            yield from self._next_unit()
        if self.everything_because:
            yield from self._without_given(self._decode(None))
        yield from self._lost_at_end()

    def begin_anywhere(self) -> None:
        """What is read begins somewhere in the file: packets before the first start are left alone."""
        self._inside = self._anywhere = True

    def _is_over(self) -> bool:
        """What is left is not to be given out."""
        return False

    def _take(self, packet: Packet[VideoStream]) -> str:
        """Hold a packet; why nothing can be planned on it, or nothing."""
        if packet.is_corrupt:
            return "the container marks packets as damaged"
        if packet.pts is None:
            return "packets without a timestamp"
        coded = self._coded(memoryview(packet))
        if coded.odd:
            return coded.odd
        if self._keyframes and (coded.key is None or packet.is_keyframe != coded.key):
            return "keyframes of the container are others than those of the pictures"
        first = len(self._groups) + len(self._before) == 0
        if first and not coded.start:
            return "" if self._anywhere else "the file begins in the midst of a group of pictures"
        if self._held >= _MOST_PACKETS or self._held_bytes >= _MOST_BYTES:
            return "groups of pictures too long to be held"
        held = _Packet(packet, packet.pts, coded, coded.shown and not packet.is_discard)
        if coded.start:
            self._groups.append([held])
        elif len(self._groups) == 1 and not self._before and held.pts < self._groups[0][0].pts:
            if not coded.leading and not self._inside:
                return "frames before the first keyframe"
            return ""  # they need what is not here, and no decoder shows them
        else:
            self._groups[-1].append(held)
        self._held += 1
        self._held_bytes += packet.size
        return ""

    def _next_unit(self) -> Iterator[Decoded | Gap | PassedOver]:
        """Everything shown from the first start that is held to the second."""
        group = self._groups[0]
        following = self._groups[1] if len(self._groups) > 1 else []
        order = sorted(_unit(group, following), key=lambda one: one.pts)
        if not self._rises(order):
            yield from self._give_up("times that repeat or run backwards")
            return
        wanted = self._wanted(order)
        try:
            yield from self._decode_wanted(group, following, order, wanted)
        except _Unlike as why:
            yield from self._give_up(str(why))
            return
        self._index += len(order)
        self._last = order[-1].pts if order else self._last
        for one in self._before:
            self._held -= 1
            self._held_bytes -= one.packet.size
        self._before = self._groups.popleft()
        self._given = self._given[self._unit_begins :]
        self._unit_begins = len(self._given)

    def _rises(self, order: _Group) -> bool:
        times = ([] if self._last is None else [self._last]) + [one.pts for one in order]
        return all(a < b for a, b in pairwise(times))

    def _wanted(self, order: _Group) -> set[int]:
        """Times of the frames to decode. The first of all is one: it tells what the pictures are like."""
        wanted = {one.pts for one in order[:1] if self._last is None}
        for index, one in enumerate(order, self._index):
            stamp = FrameStamp(index, one.pts, self._time_base, keyframe=bool(one.coded.key))
            self._over = self._over or self._sampler.finished(stamp)
            if self._over:
                break
            if self._sampler.skip_reason(stamp) is None:
                wanted.add(one.pts)
        return wanted

    def _decode_wanted(
        self, group: _Group, following: _Group, order: _Group, wanted: set[int]
    ) -> Iterator[Decoded | PassedOver]:
        needed = packets_needed(group, following, wanted)
        left, fed = deque(order), {one.pts for one in needed}
        beyond = following[0].pts if following else None
        for packet in chain((one.packet for one in needed), (None,) if needed else ()):
            if self._stopped():
                return
            for frame in self._decoded(packet):
                if frame.pts == beyond:  # of the next unit, and decoded again with it
                    continue
                yield from self._fits(frame, left, fed)
        if needed:
            self._codec.flush_buffers()
        while left:
            yield self._pass_over(left.popleft(), fed)

    def _decoded(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        try:
            return self._codec.decode(packet)
        except av.FFmpegError as error:
            raise _Unlike("damage: the decoder refused a packet") from error

    def _fits(self, frame: VideoFrame, left: deque[_Packet], fed: set[int]) -> Iterator[Decoded | PassedOver]:
        """A frame that came out, and those before it that were not decoded."""
        if frame.pts is None:
            raise _Unlike("frames without a timestamp")
        while left and left[0].pts < frame.pts:
            yield self._pass_over(left.popleft(), fed)
        if not left or left[0].pts != frame.pts:
            raise _Unlike("frames that no packet promised")
        if frame.is_corrupt:
            raise _Unlike("damage: a corrupt frame")
        key = left[0].coded.key
        if self._keyframes and key is not frame.key_frame:
            raise _Unlike("keyframes that are not what their packets say")
        left.popleft()
        self._given.append(frame.pts)
        yield Decoded(frame, frame.pts, corrupt=False)

    def _pass_over(self, one: _Packet, fed: set[int]) -> PassedOver:
        if one.pts in fed:
            raise _Unlike("a packet that gave no frame")
        self._given.append(one.pts)
        self.passed_over += 1
        return PassedOver(one.pts, one.packet.duration or None, bool(one.coded.key))

    def _give_up(self, why: str, *more: Packet[VideoStream] | Gap) -> Iterator[Decoded | Gap]:
        """From here on everything is decoded, with the group before, whose pictures may show through."""
        self.everything_because = why
        self._codec.flush_buffers()
        held = [self._before, *self._groups] if self._before else list(self._groups)
        self._before, self._groups = [], deque()
        first = held[0][0].pts if held and self._index else None
        for group in held:
            for one in group:
                # After a fresh start, those shown before it have been given out, and cannot be decoded.
                if first is None or group is not held[0] or one.pts >= first:
                    yield from self._plainly(one.packet)
        for item in more:
            yield from self._plainly(item)

    def _plainly(self, item: Packet[VideoStream] | Gap) -> Iterator[Decoded | Gap]:
        yield from self._without_given([item] if isinstance(item, Gap) else self._decode(item))

    def _without_given(self, items: Iterator[Decoded | Gap] | list[Gap]) -> Iterator[Decoded | Gap]:
        for item in items:
            time = item.last_pts if isinstance(item, Gap) else item.pts
            if time is not None and time in self._given:
                if isinstance(item, Decoded):
                    self._given.remove(time)
                continue
            if self.everything_from is None:
                self.everything_from = time
            yield item


def _unit(group: _Group, following: _Group) -> Iterator[_Packet]:
    """What is shown from the start of ``group`` to that of ``following``."""
    for one in group:
        if one.shown and one.pts >= group[0].pts:
            yield one
    for one in following:
        if one.shown and one.pts < following[0].pts:
            yield one


def packets_needed(group: _Group, following: _Group, wanted: set[int]) -> _Group:
    """The packets to decode, in the order of decoding, so that those with the times ``wanted`` come out."""
    if not wanted:
        return []
    leading = [one for one in following if one.pts < following[0].pts]
    own = [one for one in group if one.pts >= group[0].pts]
    packets = [*own, following[0], *leading] if leading else own
    last = max(i for i, one in enumerate(packets) if one.shown and one.pts in wanted)
    if last < len(own):
        packets = own
    return [one for one in packets[: last + 1] if one.pts in wanted or not one.coded.disposable]
