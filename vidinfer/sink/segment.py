"""One segment of a live stream's video: an MP4 that plays while it grows, and an ordinary one once it is complete."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidinfer.address import file_url
from vidinfer.frame import FrameStamp, SourceInfo
from vidinfer.sink.codec import Codec
from vidinfer.sink.encoder import H264Track
from vidinfer.sink.livetime import LiveTimeline
from vidinfer.sink.mp4 import CONTAINER, claimed_rate, pixel_aspect
from vidinfer.sink.piece import Piece

__all__ = ["Segment", "pictures_in"]

_FRAGMENT = {"frag_duration": "1000000"}
"""Microseconds: what a kill costs at most, beside the picture being encoded. Fragments begin at keyframes, too."""


class Segment:
    """Pictures into one MP4 file, from time 0. Whatever fails raises ``av.FFmpegError`` or ``OSError``.

    Thread rule: one thread at a time.
    """

    def __init__(self, piece: Piece, source: SourceInfo, codec: Codec) -> None:
        """Begin to write ``piece``: pictures of ``source``, encoded by ``codec``."""
        self.piece = piece
        self.frames = 0
        self.timeline = LiveTimeline(source.time_base, claimed_rate(source))
        time_base = self.timeline.time_base
        options = CONTAINER | _FRAGMENT | {"movie_timescale": str(time_base.denominator)}
        self._output: OutputContainer = av.open(file_url(piece.path), "w", format="mp4", options=options)
        try:
            self._track = H264Track(
                self._output,
                source.width,
                source.height,
                codec,
                time_base=time_base,
                rate=claimed_rate(source),
                aspect=pixel_aspect(source),
            )
        except BaseException:
            self.abort()
            raise

    def add(self, stamp: FrameStamp, received: float | None, picture: VideoFrame) -> None:
        """Append a picture, yuv420p of even size, that arrived at ``received`` (monotonic seconds)."""
        shown = self.timeline.place(stamp, received)
        self._mux(self._track.encode(picture, shown.pts, shown.duration))
        self.frames += 1

    def finish(self) -> None:
        """Write what is left and end the file."""
        if self.frames:
            self._mux(self._track.flush())
        self._output.close()

    def abort(self) -> None:
        """Free encoder and file as they are; what was written plays as far as it goes. Never raises."""
        with suppress(av.FFmpegError, OSError):
            self._output.close()

    def _mux(self, packets: Iterable[Packet[VideoStream]]) -> None:
        for packet in packets:
            self._output.mux(packet)


def pictures_in(path: Path) -> int:
    """Pictures in the whole fragments of a file; 0 where it cannot be read."""
    try:
        with av.open(file_url(path)) as container:
            return sum(1 for packet in container.demux(video=0) if packet.size)
    except (av.FFmpegError, OSError, IndexError):
        return 0
