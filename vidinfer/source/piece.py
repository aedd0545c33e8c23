"""A short piece from the midst of a file, to measure with: never part of a ledger."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress

import av
from av.video.stream import VideoStream

from vidinfer.frame import Frame, Gap, Passed
from vidinfer.source.decode import Decoder
from vidinfer.source.file import FileSource
from vidinfer.storage import Location

__all__ = ["PieceSource"]

_FRAMES = 30
"""A second of video where frames have no time."""


class PieceSource(FileSource):
    """From the key frame at or before a moment, so long as asked for or to the end of the file.

    What is lost before and behind it is no gap. A file that cannot be searched is read from its beginning.
    """

    def __init__(
        self, path: Location, *, name: str, threads: int, at: float, seconds: float, fast: bool = False
    ) -> None:
        """Open ``path`` and go there.

        Args:
            path: a file or an object.
            name: as shown in records.
            threads: of the decoder.
            at: seconds after the beginning of the file.
            seconds: how long a piece is wanted, at least a frame.
            fast: without the loop filter, where the decoder can do without.

        Raises:
            SourceError: it cannot be read, or nothing in it can be decoded.
        """
        self._at, self._seconds = at, seconds
        super().__init__(path, name=name, threads=threads, fast=fast)

    def _make_decoder(self, path: Location, stream: VideoStream, threads: int) -> Decoder:
        if self._at > 0 and stream.time_base:
            where = (stream.start_time or 0) + int(self._at / stream.time_base)
            with suppress(av.FFmpegError):
                self._container.seek(where, stream=stream, backward=True)
        decoder = super()._make_decoder(path, stream, threads)
        decoder.forget_the_rest()
        return decoder

    def _read(self) -> Generator[Frame | Gap | Passed]:
        first: float | None = None
        frames = 0
        for item in super()._read():
            if isinstance(item, Frame):
                time = item.stamp.time
                first = time if first is None else first
                passed = frames / _FRAMES if time is None or first is None else time - first
                if frames and passed >= self._seconds - 1e-6:
                    return
                frames += 1
            yield item
