"""A short piece from the midst of a file, to measure with: never part of a ledger."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import suppress

import av
from av.video.stream import VideoStream

from vidinfer.frame import Frame, Gap, Passed
from vidinfer.sampling import Sampler, Sampling
from vidinfer.source.decode import Decoder
from vidinfer.source.file import FileSource
from vidinfer.source.selective import SelectiveDecoder
from vidinfer.storage import Location

__all__ = ["PieceSource"]

_FRAMES = 30
"""A second of video where frames have no time."""


class PieceSource(FileSource):
    """From the key frame at or before a moment, so long as asked for or to the end of the file.

    It ends right before a frame that the sampling would choose: so it is made of whole stretches between two of those,
    and chosen frames have the share in it that they have in the file. What is lost before and behind it is no gap. A
    file that cannot be searched is read from its beginning.
    """

    def __init__(
        self,
        path: Location,
        *,
        name: str,
        threads: int,
        at: float,
        seconds: float,
        fast: bool = False,
        sampling: Sampling | None = None,
    ) -> None:
        """Open ``path`` and go there.

        Args:
            path: a file or an object.
            name: as shown in records.
            threads: of the decoder.
            at: seconds after the beginning of the file.
            seconds: how long a piece is wanted, at least a frame.
            fast: without the loop filter, where the decoder can do without.
            sampling: what it leaves out need not be decoded, as in a run; without a range.

        Raises:
            SourceError: it cannot be read, or nothing in it can be decoded.
        """
        self._at, self._seconds = at, seconds
        self._ends = Sampler(sampling or Sampling())
        super().__init__(path, name=name, threads=threads, fast=fast, sampling=sampling)

    def lengthen(self, step: float) -> None:
        """Make it a whole number of ``step`` seconds, and no shorter; before the first frame is taken."""
        self._seconds = math.ceil(self._seconds / step - 1e-6) * step

    def _make_decoder(self, path: Location, stream: VideoStream, threads: int) -> Decoder:
        if self._at > 0 and stream.time_base:
            where = (stream.start_time or 0) + int(self._at / stream.time_base)
            with suppress(av.FFmpegError):
                self._container.seek(where, stream=stream, backward=True)
        decoder = super()._make_decoder(path, stream, threads)
        decoder.forget_the_rest()
        if isinstance(decoder, SelectiveDecoder):
            decoder.begin_anywhere()
        return decoder

    def _read(self) -> Generator[Frame | Gap | Passed]:
        first: float | None = None
        frames = 0
        for item in super()._read():
            if not isinstance(item, Gap):
                time = item.stamp.time
                first = time if first is None else first
                passed = frames / _FRAMES if time is None or first is None else time - first
                chosen = self._ends.skip_reason(item.stamp) is None
                if frames and chosen and passed >= self._seconds - 1e-6:
                    return
                frames += 1
            yield item
