"""The loop around FFmpeg: packets in, frames and gaps out, whatever happens to be broken."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidinfer.errors import Interrupted
from vidinfer.frame import Gap
from vidinfer.source.gif import chain_break
from vidinfer.source.inflight import InFlight
from vidinfer.source.matroska import MatroskaWalk
from vidinfer.source.timeline import ChunkTimes
from vidinfer.source.truncation import bytes_missing
from vidinfer.storage import Location

__all__ = ["Decoded", "Decoder", "PassedOver"]

# Reading goes on behind a fault of the container, but not for ever when it gets nowhere.
_FAULTS_IN_A_ROW = 8
# Damaged packets whose frames have not come out yet; those that never give one would pile up.
_SUSPECTS = 1024
# Codecs in which every packet holds a picture to show. Not so MPEG-4 ("not coded" pictures) and VP8 (invisible ones).
_ONE_TO_ONE = frozenset(
    {"h264", "hevc", "av1", "vp9", "mpeg1video", "mpeg2video", "mjpeg", "gif", "png", "ffv1"}
)


class Decoded(NamedTuple):
    """A frame as FFmpeg gives it, and its time."""

    frame: VideoFrame
    pts: int | None
    corrupt: bool
    """The decoder or the container says so."""


class PassedOver(NamedTuple):
    """A frame that nobody wants and that was not decoded."""

    pts: int
    duration: int | None
    keyframe: bool


class Decoder:
    """Decodes one stream of an open container, once.

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
        fast: bool = False,
    ) -> None:
        """``threads`` is the most the decoder may use; iteration ends soon after ``stopped()`` is true.

        ``fast``: what smooths the edges of blocks is left out (H.264, HEVC, VP8). Pixels differ a little, the more
        the longer ago the last key frame.
        """
        self._container = container
        self._stream = stream
        self._stopped = stopped
        self._codec = stream.codec_context
        self._codec.thread_type = "AUTO"
        self._codec.thread_count = threads
        if fast:
            self._codec.options = {"skip_loop_filter": "all"}
        self._time_base = Fraction(stream.time_base or Fraction(1, av.time_base))
        self._inflight = InFlight(self._time_base, one_to_one=self._codec.codec.canonical_name in _ONE_TO_ONE)
        self._fault = ""
        self._faults = 0
        self._unreadable = 0
        self._suspect: set[int | None] = set()
        # FFmpeg invents pts for AVI, wrong ones once frames may be reordered; MPEG-4 tells reliably that none are.
        reordered = self._codec.codec.reorder and (self._codec.has_b_frames or self._codec.name != "mpeg4")
        no_pts = container.format.name == "avi" and reordered
        self._chunk_times = ChunkTimes() if no_pts else None
        self._path = path
        self._size = path.stat().st_size
        self._short = bytes_missing(path)
        # Walking the whole of an object would mean fetching it a second time.
        self._partly = False
        self._walk: MatroskaWalk | None = None
        if isinstance(path, Path) and container.format.name == "matroska,webm":
            self._walk = MatroskaWalk(path, cut_off=self._short > 0)
        self.packets = 0
        """Packets of the stream read so far."""
        self.packets_lost = 0
        """Packets in the gaps so far."""

    @property
    def errors(self) -> int:
        """Packets the decoder refused so far."""
        return self._inflight.errors

    @property
    def silent(self) -> int:
        """Packets that rightly gave no frame, so far."""
        return self._inflight.silent

    @property
    def pts_from_chunks(self) -> bool:
        """The container stores no ``pts``; times are those of its chunks, in presentation order."""
        return self._chunk_times is not None

    def __iter__(self) -> Generator[Decoded | Gap | PassedOver]:
        with suppress(Interrupted):  # called off while a store was waited for
            for item in self._events():
                if self._stopped():
                    return
                if isinstance(item, Gap):
                    self.packets_lost += item.packets
                yield item

    def _events(self) -> Iterator[Decoded | Gap | PassedOver]:
        for packet in self._read():
            if self._stopped():  # frames that are hidden or lost may be many
                return
            if isinstance(packet, Gap):
                yield packet
            else:
                yield from self._decode(packet)
        yield from self._decode(None)
        yield from self._lost_at_end()

    def forget_the_rest(self) -> None:
        """A part of the file is read: nothing is missed before it or behind it."""
        self.close()
        self._walk, self._partly = None, True

    def close(self) -> None:
        """Let the file go. Idempotent; the container is its opener's."""
        if self._walk is not None:
            self._walk.close()

    def _read(self) -> Iterator[Packet[VideoStream] | Gap]:
        """Packets in file order, and a gap where the container itself was unreadable in between."""
        while self._faults < _FAULTS_IN_A_ROW:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size == 0 and packet.dts is None:
                        return  # PyAV's sign for the end of the file
                    self.packets += 1
                    yield from self._damage_before(packet.pos)
                    if self._faults:
                        yield self._faulty_stretch()
                    if packet.size:  # an empty packet would tell the decoder that the stream has ended
                        yield packet
                return
            except av.FFmpegError as error:
                self._faults += 1
                self._fault = _words(error)

    def _faulty_stretch(self) -> Gap:
        gap = Gap(None, None, self._time_base, self._faults, f"the file cannot be read here: {self._fault}")
        self._unreadable += self._faults
        self._faults = 0
        return gap

    def _decode(self, packet: Packet[VideoStream] | None) -> Iterator[Decoded | Gap]:
        if packet is not None:
            (self._chunk_times or self._inflight).sent(packet)
            if packet.is_corrupt and len(self._suspect) < _SUSPECTS:
                self._suspect.add(packet.pts)
        try:
            frames = self._codec.decode(packet)
        except av.error.BlockingIOError:
            yield from self._unblocked(packet)
            return
        except av.FFmpegError as error:
            gap = self._refused(packet, f"the decoder refused a packet: {_words(error)}")
            if gap is not None:
                yield gap
            return
        for frame in frames:
            yield from self._dated(frame)

    def _unblocked(self, packet: Packet[VideoStream] | None) -> Iterator[Decoded | Gap]:
        """Free a decoder that takes no packet before it is rid of a frame.

        PyAV stops fetching frames at an error that follows one, and cannot fetch without sending: what is left is to
        empty the decoder and to begin anew. It goes on at the next key frame.
        """
        waiting: list[Decoded | Gap] = []
        try:
            for frame in self._codec.decode(None):
                waiting.extend(self._dated(frame))
            self._codec.flush_buffers()
            frames = self._codec.decode(packet) if packet is not None else []
        except av.FFmpegError as error:
            frames = []
            self._codec.flush_buffers()
            gap = self._refused(packet, f"the decoder refused a packet: {_words(error)}")
            if gap is not None:
                waiting.append(gap)
        yield from waiting
        for frame in frames:
            yield from self._dated(frame)

    def _refused(self, packet: Packet[VideoStream] | None, reason: str) -> Gap | None:
        if packet is None:  # while emptying: InFlight.rest tells what is missing
            return None
        if self._chunk_times is None:
            return self._inflight.failed(packet, reason)
        self._inflight.errors += 1
        self._chunk_times.failed(packet)
        return Gap(packet.dts, packet.dts, self._time_base, 1, reason)

    def _dated(self, frame: VideoFrame) -> Iterator[Decoded | Gap]:
        corrupt = frame.is_corrupt or frame.pts in self._suspect
        self._suspect.discard(frame.pts)
        if self._chunk_times is not None:
            yield Decoded(frame, self._chunk_times.next(), corrupt)
            return
        if frame.pts is not None:
            gap = self._inflight.before(frame)
            if gap is not None:
                yield gap
        yield Decoded(frame, frame.pts, corrupt)

    def _lost_at_end(self) -> Iterator[Gap]:
        """What the decoder still owes, and what the container promised and does not hold."""
        gap = self._inflight.rest() if self._chunk_times is None else self._chunk_times.rest(self._time_base)
        if self._partly:
            return
        if gap is not None:
            yield gap
        yield from self._damage_before(self._size)
        promised = self._promised()
        missing = promised - self.packets - self._unreadable
        if missing > 0:
            reason = f"the file is incomplete: {missing} of the {promised} packets in its index are not in it"
            yield Gap(None, None, self._time_base, missing, reason)
        elif self._short:
            reason = f"the file ends early: at least {self._short} bytes are missing"
            yield Gap(None, None, self._time_base, 0, reason)
        elif (broken := self._gif_break()) is not None:
            reason = f"the file is damaged near byte {broken}; what follows may be lost"
            yield Gap(None, None, self._time_base, 0, reason)
        elif self._faults:
            yield self._faulty_stretch()

    def _gif_break(self) -> int | None:
        if self._container.format.name != "gif" or not isinstance(self._path, Path):
            return None
        return chain_break(self._path)

    def _promised(self) -> int:
        """Packets that an index or a header lists; 0 where there is none to be trusted."""
        kinds = self._container.format.name.split(",")
        if "mov" in kinds:  # lists every packet; edit lists have been applied to it
            return len(self._stream.index_entries)
        if "avi" in kinds:
            return sum(entry.size > 0 for entry in self._stream.index_entries)
        return 0

    def _damage_before(self, position: int | None) -> Iterator[Gap]:
        """What is damaged between the last packet and the one at byte ``position``, which is counted already."""
        if self._walk is None or position is None:
            return
        for at in self._walk.breaks_before(position):
            reason = f"the container is damaged near byte {at}; what was stored there is lost"
            yield Gap(None, None, self._time_base, 0, reason)
        skipped = self._walk.blocks - self.packets - self._unreadable
        if skipped > 0:
            self._unreadable += skipped
            reason = (
                f"the container is damaged before byte {position}; {skipped} packets there cannot be read"
            )
            yield Gap(None, None, self._time_base, skipped, reason)


def _words(error: av.FFmpegError) -> str:
    return error.strerror or type(error).__name__
