"""A stretch of a file, decoded as if the whole file had been: the same frames, numbers, times and pixels.

A part begins with a picture that decoding can begin with and that everything after it in presentation order can do
without what came before (:mod:`vidinfer.source.coded`), and ends before the next such picture that is another part's
beginning. Frames that are shown before that one but stored behind it (the leading ones of an open group of pictures)
belong to this part, which therefore reads on until something comes out that is not its own.

What comes out is held against what the index promised. Where it differs, through damage that only decoding shows, the
numbers of all frames behind it would be wrong: the part is given up, and the file has to be decoded as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vidinfer.errors import PartUnlike
from vidinfer.frame import Gap
from vidinfer.source.decode import Decoded, Decoder, PassedOver
from vidinfer.storage import Location

__all__ = ["Part", "PartDecoder"]


@dataclass(frozen=True, slots=True)
class Part:
    """Frames with ``start <= pts < end``, in units of the stream's time base; ``None``: open to that side."""

    start: int | None
    end: int | None
    first: int = 0
    """Displayed frames of the file before it."""
    frames: int = 0
    """Displayed frames in it."""
    pts: int = 0
    """Of the packet that decoding begins with."""
    dts: int | None = None
    """Of the same."""


class PartDecoder(Decoder):
    """Decodes one part. Thread rule: one thread at a time."""

    def __init__(
        self,
        path: Location,
        container: InputContainer,
        stream: VideoStream,
        threads: int,
        stopped: Callable[[], bool],
        *,
        part: Part,
        fast: bool = False,
    ) -> None:
        """As any decoder, of a file of which :func:`vidinfer.source.index.split` has said that it can be split."""
        super().__init__(path, container, stream, threads, stopped, fast=fast)
        self.forget_the_rest()
        self._part = part
        self._given = 0

    def _events(self) -> Iterator[Decoded | Gap | PassedOver]:
        for packet in self._from_start():
            if self._stopped():
                return
            for item in self._decode(packet):
                if self._is_beyond(item):
                    self._check_complete()
                    return
                yield from self._owned(item)
        for item in self._decode(None):
            if self._is_beyond(item):
                break
            yield from self._owned(item)
        if not self._stopped():
            self._check_complete()

    def _from_start(self) -> Iterator[Packet[VideoStream]]:
        """Packets from the first that is needed on."""
        if self._part.start is not None:
            self._container.seek(
                self._part.pts if self._part.dts is None else self._part.dts, stream=self._stream
            )
        found = yield from self._behind_start()
        if not found:  # containers may seek too far
            self._container.seek(0, backward=True, any_frame=True)
            self._codec.flush_buffers()
            found = yield from self._behind_start()
        if not found:
            raise PartUnlike(f"{self._path}: the packet of {self._part.pts} is not where it was")

    def _behind_start(self) -> Generator[Packet[VideoStream], None, bool]:
        """Whether the packet that the part begins with was there."""
        part, found = self._part, False
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0 and packet.dts is None:
                    break
                found = found or part.start is None or (packet.pts, packet.dts) == (part.pts, part.dts)
                if found and packet.size:
                    self.packets += self._has(packet)
                    yield packet
                elif not found and self._has_passed(packet):
                    return False
        except av.FFmpegError as error:
            raise PartUnlike(f"{self._path}: cannot be read as when it was cut: {error}") from error
        return found

    def _has(self, packet: Packet[VideoStream]) -> bool:
        """It is one of this part's, not only needed by them."""
        part, pts = self._part, packet.pts
        return pts is None or (
            (part.start is None or pts >= part.start) and (part.end is None or pts < part.end)
        )

    def _has_passed(self, packet: Packet[VideoStream]) -> bool:
        return packet.dts is not None and self._part.dts is not None and packet.dts > self._part.dts

    def _is_beyond(self, item: Decoded | Gap) -> bool:
        """It is the first that belongs to the next part."""
        end = self._part.end
        return isinstance(item, Decoded) and end is not None and item.pts is not None and item.pts >= end

    def _owned(self, item: Decoded | Gap) -> Iterator[Decoded]:
        start = self._part.start
        if isinstance(item, Gap):
            if start is not None and item.last_pts is not None and item.last_pts < start:
                return  # leading pictures of the part before: here they have nothing to be made of
            raise PartUnlike(f"{self._path}: damage that only decoding shows: {item.reason}")
        if item.pts is None:
            raise PartUnlike(f"{self._path}: frames without a timestamp")
        if start is not None and item.pts < start:
            return
        self._given += 1
        yield item

    def _check_complete(self) -> None:
        if self._given != self._part.frames:
            raise PartUnlike(
                f"{self._path}: {self._given} frames came out of a stretch of {self._part.frames}; "
                "the file has to be decoded as a whole"
            )
