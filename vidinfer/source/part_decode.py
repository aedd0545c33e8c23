"""Decoding one part of a file, all of it or what a sampling needs of it.

What comes out is held against what the index promised. Where it differs, through damage that only decoding shows, the
numbers of all frames behind it would be wrong: the part is given up, and the file has to be decoded as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vidinfer.errors import PartUnlike
from vidinfer.frame import Gap
from vidinfer.sampling import Sampler, Sampling
from vidinfer.source.decode import Decoded, Decoder, PassedOver
from vidinfer.source.part import Part, PartPackets
from vidinfer.source.selective import SelectiveDecoder
from vidinfer.storage import Location

__all__ = ["PartDecoder", "SelectivePartDecoder"]


class PartDecoder(Decoder):
    """Decodes all frames of a part. Thread rule: one thread at a time."""

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
        for packet in PartPackets(self._path, self._container, self._stream, self._part):
            if self._stopped():
                return
            self.packets += self._part.has(packet.pts)
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

    def _is_beyond(self, item: Decoded | Gap) -> bool:
        """It is the first that belongs to the next part."""
        end = self._part.end
        return isinstance(item, Decoded) and end is not None and item.pts is not None and item.pts >= end

    def _owned(self, item: Decoded | Gap) -> Iterator[Decoded]:
        start = self._part.start
        if isinstance(item, Gap):
            if start is not None and item.last_pts is not None and item.last_pts < start:
                return  # leading pictures of the part before: here they have nothing to be made of
            raise _damaged(self._path, item.reason)
        if item.pts is None:
            raise PartUnlike(f"{self._path}: frames without a timestamp")
        if start is not None and item.pts < start:
            return
        self._given += 1
        yield item

    def _check_complete(self) -> None:
        _check_complete(self._path, self._part, self._given)


class SelectivePartDecoder(SelectiveDecoder):
    """Decodes what a sampling needs of a part, and its first frame. Thread rule: one thread at a time."""

    def __init__(
        self,
        path: Location,
        container: InputContainer,
        stream: VideoStream,
        threads: int,
        stopped: Callable[[], bool],
        *,
        part: Part,
        sampling: Sampling,
        fast: bool = False,
    ) -> None:
        """As :class:`PartDecoder`, of a part that was cut for this very sampling."""
        super().__init__(path, container, stream, threads, stopped, sampling=sampling, fast=fast)
        self.forget_the_rest()
        self._part = part
        self._inside = part.start is not None
        self._index = part.first
        self._sampler = Sampler(sampling, part.before)

    def _events(self) -> Iterator[Decoded | Gap | PassedOver]:
        given = 0
        for item in super()._events():
            if isinstance(item, Gap):
                raise _damaged(self._path, item.reason)
            given += 1
            yield item
        if not self._stopped():
            _check_complete(self._path, self._part, given)

    def _read(self) -> Iterator[Packet[VideoStream] | Gap]:
        for packet in PartPackets(self._path, self._container, self._stream, self._part):
            self.packets += self._part.has(packet.pts)
            yield packet

    def _is_over(self) -> bool:
        return bool(self._groups) and self._groups[0][0].pts == self._part.end

    def _give_up(self, why: str, *more: Packet[VideoStream] | Gap) -> Iterator[Decoded | Gap]:  # noqa: ARG002
        raise _damaged(self._path, why)


def _damaged(path: Location, why: str) -> PartUnlike:
    return PartUnlike(f"{path}: damage that only decoding shows: {why}")


def _check_complete(path: Location, part: Part, given: int) -> None:
    if given != part.frames:
        raise PartUnlike(
            f"{path}: {given} frames came out of a stretch of {part.frames}; the file has to be decoded as a whole"
        )
