"""A media file as a source: every displayed frame once, in presentation order, at the container's own time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from itertools import chain

from av.container import InputContainer
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from vidinfer.errors import SourceError
from vidinfer.frame import Frame, FrameStamp, Gap, Passed, Picture, SourceInfo
from vidinfer.sampling import Sampling
from vidinfer.source.container import choose_video, open_container
from vidinfer.source.decode import Decoded, Decoder, PassedOver
from vidinfer.source.describe import describe
from vidinfer.source.found import Found
from vidinfer.source.orientation import Orientation, orientation_of
from vidinfer.source.part import Part
from vidinfer.source.part_decode import PartDecoder, SelectivePartDecoder
from vidinfer.source.picture import Converter, DecodedPicture
from vidinfer.source.selective import SelectiveDecoder, why_everything
from vidinfer.storage import Location

__all__ = ["FileSource"]


class FileSource:
    """Decodes one regular file with FFmpeg.

    ``pts`` is the frame's own; for AVI with B-frames, which stores none, see :class:`ChunkTimes`; ``None`` where
    FFmpeg knows none (e.g. a bare H.264 stream). Frames hidden by an edit list are not displayed and so are not
    given out, as in every player. Frames of another size than the first are scaled to the first.

    Thread rule: iterate (once) and ``close`` on one thread; ``interrupt`` from any.
    """

    def __init__(
        self,
        path: Location,
        *,
        name: str,
        threads: int,
        fast: bool = False,
        sampling: Sampling | None = None,
        part: Part | None = None,
    ) -> None:
        """Open ``path`` and decode up to its first frame; ``threads`` is the most the decoder may use, at least 1.

        ``fast``: without the loop filter, where the decoder can do without. ``sampling``: what it leaves out need not
        be decoded, and then comes as :class:`~vidinfer.frame.Passed`; the frames are otherwise the same. ``part``: only
        what belongs to it, and all of that; iterating raises ``PartUnlike`` where that cannot be had by itself.

        Raises:
            SourceError: it cannot be read, or holds no video that can be decoded.
        """
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self._stop = threading.Event()
        self._converter = Converter()
        self._found = Found()
        self._gaps = 0
        self._fast = fast
        self._sampling = sampling
        self._part = part
        self._first_index = 0 if part is None else part.first
        self._why_everything = ""
        self._container = self._open(path)
        self._items: Generator[Decoded | Gap | PassedOver] = _nothing()
        try:
            stream = choose_video(self._container, path)
            self._decoder = self._make_decoder(path, stream, threads)
            self._items = iter(self._decoder)
            ahead, first = self._read_ahead(path)
            self._orientation = orientation_of(first)
            self._rotation = first.rotation
            self._info = self._describe(path, name, stream, first)
        except BaseException:
            self._items.close()
            self._container.close()  # the rest goes with this object, which nobody gets to see
            raise
        self._ahead = ahead
        self._events = self._read()

    def _open(self, path: Location) -> InputContainer:
        return open_container(path, self._stop.is_set)

    def _make_decoder(self, path: Location, stream: VideoStream, threads: int) -> Decoder:
        sampling, common = self._sampling, (path, self._container, stream, threads, self._stop.is_set)
        part = None if self._part is None or self._part.is_whole else self._part
        if sampling is not None and not (part is not None and part.early):
            self._why_everything = why_everything(self._container, stream, sampling)
        if sampling is not None and not self._why_everything:
            if part is not None:
                return SelectivePartDecoder(*common, part=part, sampling=sampling, fast=self._fast)
            return SelectiveDecoder(*common, sampling=sampling, fast=self._fast)
        return (
            Decoder(*common, fast=self._fast)
            if part is None
            else PartDecoder(*common, part=part, fast=self._fast)
        )

    def _describe(self, path: Location, name: str, stream: VideoStream, first: VideoFrame) -> SourceInfo:
        return describe(path, name, self._container, stream, first, self._orientation)

    def _read_ahead(self, path: Location) -> tuple[deque[Decoded | Gap | PassedOver], VideoFrame]:
        ahead: deque[Decoded | Gap | PassedOver] = deque()
        for item in self._items:
            ahead.append(item)
            if isinstance(item, Decoded):
                return ahead, item.frame
        why = next((item.reason for item in ahead if isinstance(item, Gap)), "it holds none")
        raise SourceError(f"{path}: no frame of its video can be decoded ({why}); take an undamaged copy")

    @property
    def info(self) -> SourceInfo:
        """Facts known since opening; constant."""
        return self._info

    def __iter__(self) -> Iterator[Frame | Gap | Passed]:
        """The frames and gaps that are left; there is one reading of a file, shared by all its iterators."""
        return self._events

    def _read(self) -> Generator[Frame | Gap | Passed]:
        ahead = self._ahead
        for item in chain((ahead.popleft() for _ in range(len(ahead))), self._items):
            if self._stop.is_set():
                return
            if isinstance(item, Gap):
                self._gaps += 1
                yield item
            elif isinstance(item, PassedOver):
                yield self._passed(*item)
            else:
                yield self._frame(*item)

    def _passed(self, pts: int, duration: int | None, keyframe: bool) -> Passed:
        index = self._first_index + self._found.frames
        stamp = FrameStamp(index, pts, self._info.time_base, duration, keyframe)
        self._found.passed(pts)
        return Passed(stamp)

    def _frame(self, frame: VideoFrame, pts: int | None, corrupt: bool) -> Frame:
        orientation = self._orientation
        if frame.rotation != self._rotation:
            orientation = orientation_of(frame)
        stamp = FrameStamp(
            index=self._first_index + self._found.frames,
            pts=pts,
            time_base=self._info.time_base,
            duration=frame.duration or None,
            keyframe=frame.key_frame,
        )
        size = orientation.size(frame.width, frame.height)
        self._found.frame(pts, size, corrupt=corrupt, b_frame=frame.pict_type == PictureType.B)
        return Frame(stamp, self._picture(frame, orientation), corrupt)

    def _picture(self, frame: VideoFrame, orientation: Orientation) -> Picture:
        return DecodedPicture(frame, self._converter, orientation, self._info.width, self._info.height)

    def facts(self) -> dict[str, object]:
        """What was found so far: frames, timestamps, damage, size changes; ready for JSON."""
        return (
            self._found.as_dict()
            | {
                "loop_filter": "skipped where the decoder can" if self._fast else "as coded",
                "gaps": self._gaps,
                "packets": self._decoder.packets,
                "packets_lost": self._decoder.packets_lost,
                "packets_refused": self._decoder.errors,
                "packets_without_frame": self._decoder.silent,
                "pts_from_chunk_times": self._decoder.pts_from_chunks,
            }
            | ({} if self._sampling is None else {"selective_decoding": self._selective()})
        )

    def _selective(self) -> dict[str, object]:
        """Whether what the sampling leaves out was passed over, and why not."""
        decoder = self._decoder
        if not isinstance(decoder, SelectiveDecoder):
            return {
                "used": False,
                "why": self._why_everything or "decoded elsewhere than by FFmpeg's own decoders",
            }
        facts: dict[str, object] = {"used": True, "frames_passed_over": decoder.passed_over}
        if decoder.passed_over:
            facts["damage"] = "not seen in what was passed over"
        if decoder.everything_because:
            facts |= {"everything_from_pts": decoder.everything_from, "why": decoder.everything_because}
        return facts

    def interrupt(self) -> None:
        """Make the iterator end after the frame it is at. Idempotent; any thread."""
        self._stop.set()

    def close(self) -> None:
        """Free the decoder. Idempotent; frames already given out stay good."""
        self._stop.set()
        self._events.close()
        self._items.close()
        self._ahead.clear()
        self._decoder.close()
        self._container.close()


def _nothing() -> Generator[Decoded | Gap | PassedOver]:
    yield from ()
