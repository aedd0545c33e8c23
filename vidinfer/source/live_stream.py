"""One connection as a live source: packets in, frames with their times out."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.video.frame import PictureType, VideoFrame

from vidinfer.arrival import Received, Shed, TimeSource
from vidinfer.errors import SourceError
from vidinfer.frame import Frame, FrameStamp, Gap, SourceInfo
from vidinfer.interrupt import Interrupt
from vidinfer.source.capture import CaptureTimes
from vidinfer.source.coded_video import CodedVideo, Packaging
from vidinfer.source.describe import video_facts
from vidinfer.source.found import Found
from vidinfer.source.live_decode import LiveDecoder, Shown
from vidinfer.source.live_read import Reader
from vidinfer.source.orientation import orientation_of
from vidinfer.source.picture import Converter, DecodedPicture

__all__ = ["LiveStream", "Opened"]

_MOST_RATE = 240
_LONGEST_GROUP = 60.0
"""Seconds to wait for the first keyframe of a stream that sends."""


@dataclass(slots=True)
class Opened:
    """What a way of connecting hands over."""

    shown: str
    """The address, without what stands before its ``@``."""
    container: Packaging
    stream: CodedVideo
    reader: Reader
    capture: CaptureTimes
    interrupt: Interrupt
    connection: ExitStack
    """Hangs up; the container is closed before."""
    scale: bool = False
    """Pictures of another size than the first are scaled to it; else they end the connection."""
    details: dict[str, object] = field(default_factory=dict)
    cut: ExitStack = field(default_factory=ExitStack)
    """What an interrupt does to a read that waits; it is closed before the connection is."""


class LiveStream:
    """A :class:`~vidinfer.stages.LiveSource` over an open connection.

    Where the size of the picture changes, the connection ends: labels are in pixels of the true picture, and the next
    connection has the new size. Only a file that is played is scaled to its first picture, as it is offline.

    Thread rule: iterate (once) and ``close`` on one thread; ``interrupt`` and ``shed`` from any.
    """

    def __init__(self, opened: Opened, *, name: str, first_index: int, threads: int) -> None:
        """Read up to the first whole frame.

        Args:
            opened: closed here if that fails.
            first_index: of the first frame.
            threads: the most the decoder may use, at least 1.

        Raises:
            SourceError: the stream ended before it showed anything.
        """
        self._opened = opened
        self._converter = Converter()
        self._found = Found()
        self._index = first_index
        self._gaps = 0
        self._ended = ""
        self._decoder = LiveDecoder(opened.stream, threads)
        self._items = self._decode()
        try:
            ahead, first = self._until_first()
            self._orientation = orientation_of(first)
            self._info = self._describe(name, first)
        except BaseException:
            self.close()
            raise
        self._ahead = ahead
        self._events = self._read()

    @property
    def info(self) -> SourceInfo:
        """Facts known since opening; constant."""
        return self._info

    def __iter__(self) -> Iterator[Received | Gap]:
        """The frames and gaps to come; there is one reading of a connection, shared by all its iterators."""
        return self._events

    def shed(self, level: Shed) -> None:
        """Leave out so much before decoding, from the next packet on. Nothing where every frame is a keyframe."""
        self._decoder.level = level

    def interrupt(self) -> None:
        """Make the iterator end soon. Idempotent; any thread."""
        self._opened.interrupt.set()

    def close(self) -> None:
        """Hang up politely and free the decoder. Idempotent; frames already given out stay good."""
        self._opened.cut.close()
        self._items.close()
        self._opened.container.close()
        self._opened.connection.close()

    def facts(self) -> dict[str, object]:
        """What was found so far; ready for JSON."""
        decoder = self._decoder
        return self._found.as_dict() | {
            "ended": self._ended or self._opened.reader.ended,
            "waiting": self._opened.reader.waiting,
            "gaps": self._gaps,
            "packets_before_keyframe": decoder.before_key,
            "packets_refused": decoder.refused,
            "packets_without_frame": decoder.silent,
            "packets_shed": {level.name.lower(): count for level, count in decoder.shed.items()},
            "clock": self._opened.capture.facts(),
        }

    def _decode(self) -> Generator[Shown | Gap]:
        begun: float | None = None
        for arrived in self._opened.reader:
            begun = arrived.received if begun is None else begun
            if not self._decoder.begun and arrived.received - begun > _LONGEST_GROUP:
                self._ended = f"no keyframe came in {_LONGEST_GROUP:g} s"
                return
            self._opened.capture.packet(arrived)
            yield from self._decoder.frames(arrived)

    def _until_first(self) -> tuple[deque[Shown | Gap], VideoFrame]:
        ahead: deque[Shown | Gap] = deque()
        for item in self._items:
            if isinstance(item, Gap):
                ahead.append(item)
            elif not item.frame.is_corrupt:
                ahead.append(item)
                return ahead, item.frame
        why = self._ended or self._opened.reader.ended
        if why == "interrupted":
            raise SourceError(f"{self._opened.shown}: interrupted while connecting")
        raise SourceError(f"{self._opened.shown}: no picture came ({why}); check that the camera sends")

    def _read(self) -> Generator[Received | Gap]:
        while self._ahead:
            yield from self._given(self._ahead.popleft())
        for item in self._items:
            if self._opened.interrupt.is_set:
                self._ended = "interrupted"
            if isinstance(item, Shown) and not self._fits(item.frame):
                self._ended = f"the picture's size changed to {item.frame.width}x{item.frame.height}"
            if self._ended:
                return
            yield from self._given(item)

    def _fits(self, frame: VideoFrame) -> bool:
        if self._opened.scale:
            return True
        return orientation_of(frame).size(frame.width, frame.height) == (self._info.width, self._info.height)

    def _given(self, item: Shown | Gap) -> Iterator[Received | Gap]:
        if isinstance(item, Gap):
            self._gaps += 1
            yield item
        else:
            yield self._received(*item)

    def _received(self, frame: VideoFrame, received: float) -> Received:
        orientation = orientation_of(frame)
        stamp = FrameStamp(
            self._index, frame.pts, self._info.time_base, frame.duration or None, frame.key_frame
        )
        self._index += 1
        size = orientation.size(frame.width, frame.height)
        b_frame = frame.pict_type == PictureType.B
        self._found.frame(frame.pts, size, corrupt=frame.is_corrupt, b_frame=b_frame)
        picture = DecodedPicture(frame, self._converter, orientation, self._info.width, self._info.height)
        captured = self._opened.capture.captured(frame.pts)
        source = TimeSource.RECEIVED if captured is None else self._opened.capture.source
        return Received(Frame(stamp, picture, frame.is_corrupt), received, captured, source)

    def _describe(self, name: str, first: VideoFrame) -> SourceInfo:
        stream, codec = self._opened.stream, self._opened.stream.codec_context
        width, height = self._orientation.size(first.width, first.height)
        rate = stream.average_rate
        details = video_facts(self._opened.container, stream, first, self._orientation) | {
            "address": self._opened.shown,
            "decoder": codec.codec.name,
            "decoder_threads": codec.thread_count,
            "pyav": av.__version__,
            "ffmpeg": {lib: ".".join(map(str, version)) for lib, version in av.library_versions.items()},
        }
        return SourceInfo(
            name=name,
            width=width,
            height=height,
            time_base=Fraction(stream.time_base or Fraction(1, av.time_base)),
            rate=Fraction(rate) if rate and rate <= _MOST_RATE else None,
            details=details | self._opened.details,
        )
