"""A folder of numbered images as a source: one frame an image, at the time that its number says."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidinfer.errors import SourceError
from vidinfer.frame import Frame, FrameStamp, Gap, SourceInfo
from vidinfer.source.container import choose_video, open_container
from vidinfer.source.describe import describe
from vidinfer.source.found import Found
from vidinfer.source.numbered import is_image, numbered
from vidinfer.source.orientation import orientation_of
from vidinfer.source.picture import Converter, DecodedPicture

__all__ = ["RATE", "ImageFolderSource", "images_of"]

RATE = Fraction(25)
"""Images a second: no image tells, and FFmpeg takes the same."""


class ImageFolderSource:
    """Every image of a folder in the order of their numbers.

    ``pts`` is an image's number less the first one's, in units of 1/25 s; so a number that is not there is a moment
    without a frame, and the name of the image follows from ``pts``. An image that cannot be read is a gap. Images of
    another size than the first are scaled to the first.

    Thread rule: iterate (once) and ``close`` on one thread; ``interrupt`` from any.
    """

    def __init__(self, folder: Path, *, name: str) -> None:
        """Look at the names and decode the first image that can be.

        Raises:
            SourceError: not a folder of numbered images, or none of them can be read.
        """
        self._folder = folder
        self._images = images_of(folder)
        self._stop = threading.Event()
        self._converter = Converter()
        self._found = Found()
        self._gaps = 0
        self._info = self._describe(name)
        self._events = self._read()

    def _describe(self, name: str) -> SourceInfo:
        first_number, last_number = self._images[0][0], self._images[-1][0]
        for _, image in self._images:
            path = self._folder / image
            try:
                with closing(open_container(path)) as container:
                    stream, frame = _first(container, path)
                    info = describe(path, name, container, stream, frame, orientation_of(frame))
            except SourceError as error:
                why = str(error)
                continue
            return replace(
                info,
                path=str(self._folder),
                time_base=1 / RATE,
                rate=RATE,
                frames_claimed=len(self._images),
                duration=float((last_number - first_number + 1) / RATE),
                details={
                    **info.details,
                    "images": {"first_number": first_number, "last_number": last_number},
                },
            )
        raise SourceError(f"{self._folder}: none of its images can be read; the last one: {why}")

    @property
    def info(self) -> SourceInfo:
        """Facts known since opening; constant."""
        return self._info

    def __iter__(self) -> Iterator[Frame | Gap]:
        """The frames and gaps that are left."""
        return self._events

    def _read(self) -> Generator[Frame | Gap]:
        for number, image in self._images:
            if self._stop.is_set():
                return
            pts = number - self._images[0][0]
            path = self._folder / image
            try:
                with closing(open_container(path)) as container:
                    _, frame = _first(container, path)
            except SourceError as error:
                self._gaps += 1
                yield Gap(pts, pts, self._info.time_base, 1, str(error))
                continue
            yield self._frame(frame, pts)

    def _frame(self, frame: VideoFrame, pts: int) -> Frame:
        orientation = orientation_of(frame)
        stamp = FrameStamp(self._found.frames, pts, self._info.time_base, keyframe=True)
        size = orientation.size(frame.width, frame.height)
        self._found.frame(pts, size, corrupt=frame.is_corrupt, b_frame=False)
        picture = DecodedPicture(frame, self._converter, orientation, self._info.width, self._info.height)
        return Frame(stamp, picture, frame.is_corrupt)

    def facts(self) -> dict[str, object]:
        """What was found so far, ready for JSON."""
        span = self._images[-1][0] - self._images[0][0] + 1
        return self._found.as_dict() | {"gaps": self._gaps, "numbers_missing": span - len(self._images)}

    def interrupt(self) -> None:
        """Make the iterator end after the frame it is at. Idempotent; any thread."""
        self._stop.set()

    def close(self) -> None:
        """End. Idempotent; frames already given out stay good."""
        self._stop.set()
        self._events.close()


def images_of(folder: Path) -> list[tuple[int, str]]:
    """``(number, name)`` of the images of a folder.

    Raises:
        SourceError: it cannot be looked into, or its images are no sequence.
    """
    try:
        names = [name for name in os.listdir(folder) if is_image(name)]  # noqa: PTH208 - names are all it takes
    except OSError as error:
        raise SourceError(f"{folder}: {error.strerror}; check the path and its permissions") from None
    found = numbered(names)
    if found is None:
        raise SourceError(
            f"{folder}: a folder, expected a file, or a folder of images whose names differ in a number only"
        )
    return found


def _first(container: InputContainer, path: Path) -> tuple[VideoStream, VideoFrame]:
    stream = choose_video(container, path)
    try:
        frame = next(container.decode(stream), None)
    except av.FFmpegError as error:
        raise SourceError(f"{path}: damaged ({error.strerror}); take an undamaged copy") from None
    if frame is None:
        raise SourceError(f"{path}: no picture in it; take an undamaged copy")
    return stream, frame
