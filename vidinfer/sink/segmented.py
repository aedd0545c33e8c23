"""The annotated video of a live stream, in segments that play while they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from vidinfer.clock import unix_now
from vidinfer.errors import SinkError
from vidinfer.frame import Gap, Picture, SourceInfo
from vidinfer.record import Entry, LabelledBatch
from vidinfer.sink.codec import ENCODERS, LIVE_X264, Codec, choose_codec
from vidinfer.sink.encoding_errors import encoding_errors_told
from vidinfer.sink.fragments import whole_fragments
from vidinfer.sink.overlay import Overlay
from vidinfer.sink.periods import Periods
from vidinfer.sink.segment import Segment, pictures_in
from vidinfer.sink.series import Keep, Series
from vidinfer.stages import Annotator, ModelInfo

__all__ = ["SegmentedVideo"]

MINUTE = 60.0


class SegmentedVideo:
    """``NAME.20261125T101500Z.annotated.mp4`` and so on, see :mod:`vidinfer.sink.series`. A ``Sink``.

    A segment ends at a round time of the wall clock, with its epoch, when ``open`` is called again (another size), or
    where writing failed. It begins with a keyframe, at time 0. While it grows it is called
    ``NAME.20261125T101500Z.annotated.partial.mp4``: visible, and with the ending that players go by.

    Where a ``write`` fails, the segment ends after its last whole fragment, the pictures behind it and those of the
    batch are lost and counted (``lost`` in ``facts``), and the next ``write`` begins a segment. ``abort`` keeps what
    was written.

    Thread rule: as every sink. ``write`` draws and encodes before it returns.
    """

    needs_pictures = True
    paths: tuple[Path, ...] = ()
    """Not known beforehand: they are named by the time of their first picture."""

    def __init__(
        self,
        folder: Path,
        name: str,
        annotator: Annotator,
        *,
        seconds: float | None = MINUTE,
        keep: Keep | None = None,
        x264: Mapping[str, str] = LIVE_X264,
        crf: float = 23,
        threads: int = 1,
        encoder: str = "libx264",
        wall: Callable[[], float] = unix_now,
    ) -> None:
        """Nothing is done yet.

        Args:
            folder: where the files go.
            name: of the stream, without a slash.
            annotator: draws on the pictures.
            seconds: of wall time from one segment to the next, aligned to its multiples; ``None``: no limit.
            keep: when files are removed; ``None``: never.
            x264: options of libx264.
            crf: quality as :class:`vidinfer.sink.video.VideoSink` has it, 0 to 51; smaller is better and larger.
            threads: of libx264.
            encoder: ``libx264``, or ``auto``: the GPU's own where the model runs on a GPU that has one.
            wall: the wall clock in Unix seconds, for pictures that do not say when they came.

        Raises:
            SinkError: a name that no file can have.
            ValueError: another ``encoder``.
        """
        if encoder not in ENCODERS:
            raise ValueError(f"no encoder {encoder!r}; there are {', '.join(ENCODERS)}")
        endings = (".annotated.mp4", ".annotated.partial.mp4")
        self._series = Series(folder, name, endings[0], growing=endings[1], mend=whole_fragments, keep=keep)
        self._shown = folder / f"{name}{endings[0]}"
        self._annotator, self._wall = annotator, wall
        self._x264, self._crf, self._threads, self._encoder = x264, crf, threads, encoder
        self._periods = Periods(seconds)
        self._codec: Codec | None = None
        self._source: SourceInfo | None = None
        self._overlay: Overlay | None = None
        self._segment: Segment | None = None
        self._epoch: int | None = None
        self._frames = self._lost = self._without_picture = self._by_arrival = 0

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        """Give leftovers of a killed run their names, and try the encoder. May be called again.

        Raises:
            SinkError: not writable, or an encoder that does not work.
        """
        self._source = None
        self._finish()
        self._series.open()
        with encoding_errors_told(self._shown, "create"):
            if self._codec is None:
                self._codec = choose_codec(
                    self._encoder,
                    model.device,
                    x264=self._x264,
                    crf=self._crf,
                    threads=self._threads,
                    live=True,
                )
        self._annotator.open(source, model)
        self._overlay = Overlay(self._annotator, source.width, source.height)
        self._source = source

    def write(self, batch: LabelledBatch) -> None:
        """Draw on each frame of ``batch`` that has a picture, and encode it.

        Raises:
            SinkError: disk full, encoder failure, …; what is not in a file is lost, see the class.
        """
        if self._source is None:
            raise SinkError(f"{self._shown} is written before it is opened")
        frames = [entry for entry in batch.entries if not isinstance(entry.at, Gap)]
        shown = [(entry, entry.picture) for entry in frames if entry.picture is not None]
        self._without_picture += len(frames) - len(shown)
        done = 0
        try:
            for entry, picture in shown:
                with encoding_errors_told(self._shown, "write"):
                    self._add(entry, picture, batch)
                done += 1
        except BaseException:
            self._lost += len(shown) - done
            self._salvage()
            raise
        finally:
            self._frames += done

    def close(self) -> None:
        """Finish the open segment, and give it its final name once the disk has it.

        Raises:
            SinkError: disk full, …; what was written stays, and has its final name if that could be.
        """
        self._source = None
        self._finish()

    def abort(self) -> None:
        """Finish the open segment without waiting for the disk; never raises."""
        self._source = None
        with suppress(SinkError):
            self._finish(durable=False)

    def facts(self) -> Mapping[str, object]:
        """Frames written and lost, files by what became of them, the encoder, and warnings."""
        codec = self._codec
        warnings = [codec.warning] if codec is not None and codec.warning else []
        if self._without_picture:
            warnings.append(f"frames without a picture, missing in the video: {self._without_picture}")
        return {
            "format": "mp4",
            "codec": "h264",
            "encoder": None if codec is None else codec.name,
            "frames": self._frames,
            "frames_placed_by_arrival": self._by_arrival,
            "lost": self._lost,
            "files": {
                "completed": self._series.completed,
                "recovered": self._series.recovered,
                "removed": self._series.removed,
            },
            "warnings": warnings,
        }

    def _add(self, entry: Entry, picture: Picture, batch: LabelledBatch) -> None:
        assert self._overlay is not None
        assert not isinstance(entry.at, Gap)
        arrival = entry.arrival
        wall = self._wall() if arrival is None else arrival.wall
        epoch = None if arrival is None else arrival.epoch
        if self._segment is None or self._periods.over(wall) or epoch != self._epoch:
            self._begin(wall, epoch)
        assert self._segment is not None
        row = max(entry.row, 0)
        results = batch.results.rows(row, row + (entry.row >= 0))
        drawn = self._overlay.draw(picture, entry, results)
        self._segment.add(entry.at, None if arrival is None else arrival.received, drawn)

    def _begin(self, wall: float, epoch: int | None) -> None:
        """End the open segment and begin one with a picture of ``wall``."""
        assert self._source is not None
        assert self._codec is not None
        self._finish()
        piece = self._series.begin(wall)
        try:
            self._segment = Segment(piece, self._source, self._codec)
        except BaseException:
            piece.path.unlink(missing_ok=True)
            piece.release()
            raise
        self._periods.begin(wall)
        self._epoch = epoch

    def _finish(self, *, durable: bool = True) -> None:
        segment = self._segment
        if segment is None:
            return
        try:
            with encoding_errors_told(self._shown, "finish"):
                segment.finish()
        except BaseException:
            self._salvage()
            raise
        self._segment = None
        self._by_arrival += segment.timeline.by_arrival
        self._series.complete(segment.piece, durable=durable)

    def _salvage(self) -> None:
        """End a segment that cannot be written any more: it is a leftover, and gets its name as one."""
        segment, self._segment = self._segment, None
        if segment is None:
            return
        segment.abort()
        with suppress(OSError):
            whole_fragments(segment.piece.path)
        torn = segment.frames - pictures_in(segment.piece.path)
        self._frames -= torn
        self._lost += torn
        self._series.leave(segment.piece)
        with suppress(SinkError):
            self._series.open()
