"""A stretch of a file that can be decoded by itself as if the whole file had been: the same frames, numbers, times and
pixels.

A part begins with a picture that decoding can begin with and that everything after it in presentation order can do
without what came before (:mod:`vidinfer.source.coded`), and ends before the next such picture that is another part's
beginning. Frames that are shown before that one but stored behind it (the leading ones of an open group of pictures)
belong to this part.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vidinfer.errors import PartUnlike
from vidinfer.sampling import Before
from vidinfer.source.coded import reader_for
from vidinfer.storage import Location

__all__ = ["WHOLE", "Part", "PartPackets"]


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
    position: int | None = None
    """Byte of the file at which it lies; ``None``: not known."""
    before: Before | None = None
    """What the sampler that the file was cut for knows of the frames before it; ``None``: nothing."""
    early: bool = False
    """It begins before the range that is asked for: frames up to there are counted, and need not be decoded."""

    @property
    def is_whole(self) -> bool:
        """It is all of the file."""
        return self.start is None and self.end is None

    def has(self, pts: int | None) -> bool:
        """A frame of that time is one of this part's; one without is."""
        return pts is None or (
            (self.start is None or pts >= self.start) and (self.end is None or pts < self.end)
        )


WHOLE = Part(None, None)


class PartPackets:
    """The packets from the first that a part needs to the end of the file. Thread rule: one thread at a time."""

    def __init__(self, path: Location, container: InputContainer, stream: VideoStream, part: Part) -> None:
        self._path = path
        self._container = container
        self._stream = stream
        self._part = part

    def __iter__(self) -> Iterator[Packet[VideoStream]]:
        """In file order.

        Raises:
            PartUnlike: the first is not where it was, or the file cannot be read.
        """
        part = self._part
        try:
            if part.start is not None:
                self._container.seek(part.pts if part.dts is None else part.dts, stream=self._stream)
            found = yield from self._behind_start()
            if not found:  # containers may seek too far
                self._container.seek(0, backward=True, any_frame=True)
                found = yield from self._behind_start()
        except av.FFmpegError as error:
            raise PartUnlike(f"{self._path}: cannot be read as when it was cut: {error}") from error
        if not found:
            raise PartUnlike(f"{self._path}: the packet of {part.pts} is not where it was")

    def _behind_start(self) -> Generator[Packet[VideoStream], None, bool]:
        """Whether the packet that the part begins with was there."""
        part, found = self._part, False
        begun = part.start is None
        for packet in self._container.demux(self._stream):
            if packet.size == 0 and packet.dts is None:
                break
            found = found or part.start is None or self._is_first(packet)
            if found and packet.size:
                begun = begun or self._check_start(packet)
                yield packet
            elif not found and self._has_passed(packet):
                return False
        return found

    def _is_first(self, packet: Packet[VideoStream]) -> bool:
        """By its place, too: readers that lost their way in a file count on from wherever they were."""
        part = self._part
        there = part.position is None or packet.pos == part.position
        return there and (packet.pts, packet.dts) == (part.pts, part.dts)

    def _has_passed(self, packet: Packet[VideoStream]) -> bool:
        return packet.dts is not None and self._part.dts is not None and packet.dts > self._part.dts

    def _check_start(self, packet: Packet[VideoStream]) -> bool:
        """An index may call a picture a beginning that is none, and files change."""
        codec = self._stream.codec_context
        read = reader_for(codec.codec.canonical_name, codec.extradata)
        coded = None if read is None else read(memoryview(packet))
        if coded is None or coded.odd or not coded.start:
            raise PartUnlike(f"{self._path}: decoding cannot begin with the packet of {packet.pts}")
        return True
