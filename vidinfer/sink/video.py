"""The overlaid video: H.264 and the source's sound in MP4, on the source's own clock."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from av.video.frame import VideoFrame

from vidinfer.errors import SinkError
from vidinfer.frame import FrameStamp, Gap, SourceInfo
from vidinfer.record import LabelledBatch
from vidinfer.sink.atomic import PartialFile
from vidinfer.sink.codec import ENCODERS, X264, choose_codec
from vidinfer.sink.encoding import Encoding
from vidinfer.sink.encoding_errors import encoding_errors_told
from vidinfer.sink.mp4 import Mp4File
from vidinfer.sink.overlay import Overlay
from vidinfer.stages import Annotator, ModelInfo

__all__ = ["VideoSink"]

_Item: TypeAlias = tuple[FrameStamp | Gap, VideoFrame | None]
"""A picture and its time, or a time without any."""
_LARGEST = 16384
"""Pixels a side that x264 encodes."""


class VideoSink:
    """Writes the annotated pictures and the source's sound. A :class:`vidinfer.stages.Sink`; its thread rule holds.

    Times are the source's own, exactly, unless it starts before 0 or more than ten seconds after: then pictures and
    sound are moved by the same amount, which ``facts`` tells.
    """

    needs_pictures = True

    def __init__(
        self,
        path: Path,
        annotator: Annotator,
        *,
        x264: Mapping[str, str] = X264,
        crf: float = 23,
        threads: int = 0,
        encoder: str = "libx264",
        overwrite: bool = False,
    ) -> None:
        """``x264`` are options of libx264, as are ``crf`` (0 to 51, smaller is better and larger) and ``threads``.

        ``encoder`` is ``libx264``, or ``auto``: the GPU's own where the model runs on a GPU that has one. ``overwrite``
        replaces a file of that path, once the new one is complete.

        Raises:
            ValueError: another ``encoder``.
        """
        if encoder not in ENCODERS:
            raise ValueError(f"no encoder {encoder!r}; there are {', '.join(ENCODERS)}")
        self._path = path
        self._annotator = annotator
        self._x264, self._crf, self._threads = x264, crf, threads
        self._encoder = encoder
        self._overwrite = overwrite
        self._partial: PartialFile | None = None
        self._file: Mp4File | None = None
        self._overlay: Overlay | None = None
        self._encoding: Encoding[_Item] | None = None
        self._without_picture = 0
        self._done = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """The one file."""
        return (self._path,)

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        """Create the file under a temporary name, try the encoder and look for the source's sound.

        Raises:
            SinkError: not writable, there already, or a size that H.264 does not have.
        """
        if max(source.width, source.height) > _LARGEST:
            raise SinkError(
                f"cannot create {self._path}: pictures of {source.width}x{source.height} pixels, and H.264 ends "
                f"at {_LARGEST} a side; leave out --video for this source"
            )
        self._annotator.open(source, model)
        self._overlay = Overlay(self._annotator, source.width, source.height)
        self._partial = PartialFile(self._path, overwrite=self._overwrite)
        try:
            with encoding_errors_told(self._path, "create"):
                codec = choose_codec(
                    self._encoder, model.device, x264=self._x264, crf=self._crf, threads=self._threads
                )
                self._file = Mp4File(self._partial.path, source, codec)
            self._encoding = Encoding(self._encode)
        except BaseException:
            self._partial.abort()
            raise

    def write(self, batch: LabelledBatch) -> None:
        """Draw on each frame of ``batch`` that has a picture, and hand it to the encoder.

        Raises:
            SinkError: disk full, encoder failure, …, perhaps of a picture before this batch.
        """
        encoding, overlay = self._encoding, self._overlay
        if encoding is None or overlay is None:
            raise SinkError(f"{self._path} is written before it is opened")
        for entry in batch.entries:
            if isinstance(entry.at, Gap):
                encoding.put((entry.at, None))
            elif entry.picture is None:
                self._without_picture += 1
            else:
                row = max(entry.row, 0)
                results = batch.results.rows(row, row + (entry.row >= 0))
                encoding.put((entry.at, overlay.draw(entry.picture, entry, results)))

    def _encode(self, item: _Item) -> None:
        """On the encoder's thread, the only one to touch the file until ``finish``."""
        at, picture = item
        assert self._file is not None
        if isinstance(at, Gap):
            self._file.timeline.pass_over(at)
        elif picture is not None:
            with encoding_errors_told(self._path, "write"):
                self._file.add(at, picture)

    def close(self) -> None:
        """Finish the file, read it back and give it its final name. Without any frame there is no file.

        Raises:
            SinkError: disk full, or what was written is not what was meant to be; ``abort`` must follow.
        """
        if self._done or self._file is None or self._partial is None or self._encoding is None:
            return
        self._encoding.finish()
        if self._file.frames == 0:
            self.abort()
            return
        with encoding_errors_told(self._path, "finish"):
            self._file.finish(self._path)
        self._partial.commit()
        self._done = True

    def abort(self) -> None:
        """Remove what was written and free the encoder."""
        if self._done:
            return
        self._done = True
        if self._encoding is not None:
            self._encoding.abort()
        if self._file is not None:
            self._file.abort()
        if self._partial is not None:
            self._partial.abort()

    def facts(self) -> Mapping[str, object]:
        """Frames, form of the file, what became of the sound, and warnings."""
        if self._file is None:
            return {"format": "mp4", "frames": 0, "warnings": []}
        warnings = self._file.warnings()
        if self._without_picture:
            warnings.append(f"frames without a picture, missing in the video: {self._without_picture}")
        if self._file.frames == 0:
            warnings.append("there was no frame to show, so no video was written")
        whole = 0 if self._overlay is None else self._overlay.pictures_converted
        return {
            "format": "mp4",
            "frames": self._file.frames,
            **self._file.facts(),
            "pictures_converted_whole": whole,
            "warnings": warnings,
        }
