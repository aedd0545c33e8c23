"""Several decoders of one stream side by side, each on stretches of its own; what comes out is in order.

A stretch begins with an IDR picture (H.264, HEVC): nothing behind it refers to anything before it, and nothing before
it is shown after it, so a decoder that begins there gives the same pictures as one that has come along.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, TypeAlias

import av
import av.error
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidinfer.channel import Channel
from vidinfer.frame import Gap
from vidinfer.source.decode import Decoder
from vidinfer.workers import Workers

__all__ = ["ParallelDecoder", "begins_anew"]

AHEAD = 1024
"""Packets read and not yet asked for, at most: a file may have a single stretch."""

_IDR = {"h264": (5,), "hevc": (19, 20)}
"""Types of NAL units, by codec."""

_Packet: TypeAlias = "Packet[VideoStream]"
_Outcome: TypeAlias = list[VideoFrame] | Exception
"""Of one packet, or of emptying the decoder at the end of a stretch."""


class ParallelDecoder(Decoder):
    """A :class:`Decoder` that works on as many stretches at a time as it is given codecs. Its thread rule holds."""

    def __init__(
        self, *args: Any, codecs: Sequence[VideoCodecContext], waiting: int, **settings: Any
    ) -> None:
        """As of ``Decoder``, for a stream of H.264 or HEVC.

        Args:
            args, settings: of ``Decoder``.
            codecs: opened for the same stream, nobody else's from now on.
            waiting: decoded frames that may wait in each stretch, at least 1.
        """
        super().__init__(*args, **settings)
        anew = partial(begins_anew, codec=self._codec.codec.canonical_name, extradata=self._codec.extradata)
        self._sessions = _Sessions(codecs, anew, waiting)
        self._codec: Any = self._sessions

    def _read(self) -> Iterator[_Packet | Gap]:
        return self._sessions.ahead(super()._read())


def begins_anew(packet: _Packet, codec: str, extradata: bytes | None) -> bool:
    """Whether ``packet`` holds an IDR picture. Keyframes of other kinds may be referred across."""
    wanted = _IDR.get(codec, ())
    if not packet.is_keyframe or not wanted:
        return False
    data, stored = bytes(packet), extradata or b""
    # With such a header in front, units have their length before them; else start codes stand between.
    place = 4 if codec == "h264" else 21
    prefix = (stored[place] & 3) + 1 if len(stored) > place and stored[0] == 1 else 0
    for at in _units(data, prefix):
        kind = data[at] & 0x1F if codec == "h264" else data[at] >> 1 & 0x3F
        if kind in wanted:
            return True
    return False


def _units(data: bytes, prefix: int) -> Iterator[int]:
    """Where each NAL unit begins."""
    at = 0
    if prefix:
        while at + prefix < len(data):
            yield at + prefix
            at += prefix + int.from_bytes(data[at : at + prefix])
        return
    while (at := data.find(b"\0\0\1", at)) >= 0 and at + 3 < len(data):
        at += 3
        yield at


@dataclass(slots=True, eq=False)
class _Stretch:
    """Packets from one IDR picture to the next, and what becomes of them."""

    number: int
    packets: Channel[_Packet]
    outcomes: Channel[_Outcome]
    """One of each packet, and one more."""
    taken: Iterator[_Outcome] = field(init=False)

    def __post_init__(self) -> None:
        self.taken = iter(self.outcomes)

    def abort(self) -> None:
        self.packets.abort()
        self.outcomes.abort()


class _Sessions:
    """Stands where a codec was: what it is given has been decoded, or is being, since it was read.

    Thread rule: ``ahead``, and ``decode`` of what it has yielded last, on one thread.
    """

    def __init__(
        self, codecs: Sequence[VideoCodecContext], anew: Callable[[_Packet], bool], waiting: int
    ) -> None:
        self._codecs = codecs
        self._anew = anew
        self._waiting = waiting
        self._todo: Channel[_Stretch] = Channel(len(codecs) + 1)
        self._begun: deque[_Stretch] = deque()
        self._current: _Stretch | None = None
        self._left: list[VideoFrame] = []

    def ahead(self, items: Iterator[_Packet | Gap]) -> Iterator[_Packet | Gap]:
        """``items``, read so far ahead that every codec has a stretch to work on."""
        read: deque[tuple[_Packet | Gap, int]] = deque()
        numbers, last = count(), 0
        with Workers(self._abort) as workers:
            for i, codec in enumerate(self._codecs):
                workers.start(f"decode-{i}", partial(self._work, codec))
            for item in items:
                if not isinstance(item, Gap):
                    if not self._begun or self._anew(item):
                        last = self._begin(next(numbers))
                    self._begun[-1].packets.put(item)
                read.append((item, last))
                while len(read) >= AHEAD or last - read[0][1] >= len(self._codecs):
                    yield self._next(*read.popleft())
            if self._begun:
                self._begun[-1].packets.close()
            while read:
                yield self._next(*read.popleft())
            self._todo.close()

    def decode(self, packet: _Packet | None) -> list[VideoFrame]:
        """What a codec that has come along would give for ``packet``; ``None``: what is left at the end.

        Raises:
            av.FFmpegError: the codec refused it.
        """
        frames, self._left = self._left, []
        if self._current is not None and (packet is None or self._current is not self._begun[0]):
            outcome = next(self._current.taken)  # the end of a stretch
            frames += [] if isinstance(outcome, Exception) else outcome
            self._current = None
        if packet is None:
            return frames
        self._current = self._begun[0]
        outcome = next(self._current.taken)
        if isinstance(outcome, Exception):
            self._left = frames
            raise outcome
        return frames + outcome

    def flush_buffers(self) -> None:
        """Every codec does so itself."""

    def _begin(self, number: int) -> int:
        if self._begun:
            self._begun[-1].packets.close()
        self._begun.append(_Stretch(number, Channel(AHEAD + 1), Channel(self._waiting)))
        self._todo.put(self._begun[-1])
        return number

    def _next(self, item: _Packet | Gap, number: int) -> _Packet | Gap:
        if not isinstance(item, Gap):
            while self._begun[0].number < number:
                self._begun.popleft()
        return item

    def _work(self, codec: VideoCodecContext) -> None:
        """In a thread of its own: stretch by stretch, the earliest first."""
        for stretch in self._todo:
            for packet in stretch.packets:
                stretch.outcomes.put(_outcome(codec, packet))
            stretch.outcomes.put(_outcome(codec, None))
            codec.flush_buffers()

    def _abort(self) -> None:
        self._todo.abort()
        for stretch in self._begun:
            stretch.abort()
        if self._current is not None:
            self._current.abort()


def _outcome(codec: VideoCodecContext, packet: _Packet | None) -> _Outcome:
    try:
        return codec.decode(packet)
    except av.error.BlockingIOError:
        return av.error.InvalidDataError(0, "the decoder takes nothing more")
    except Exception as error:  # told where the packet's turn comes
        return error
