"""One frame of a file again, small and as a JPEG: to show what a label was about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidinfer.errors import SourceError
from vidinfer.source.container import choose_video, open_container
from vidinfer.source.images import images_of
from vidinfer.source.orientation import orientation_of
from vidinfer.source.picture import Converter, DecodedPicture

__all__ = ["still"]

QUALITY = 72
FAR = 1500
"""Frames that are decoded on the way to the one that is asked for, at most."""


def still(path: Path, pts: int, width: int) -> bytes:
    """The frame at ``pts`` as a JPEG, at most ``width`` pixels wide.

    Args:
        path: a video, an image, or a folder of numbered images.
        pts: in units of the stream's time base.

    Raises:
        SourceError: the file is gone, cannot be read, or has no frame at this time.
    """
    if path.is_dir():
        path, pts = _image_at(path, pts), 0
    try:
        with closing(open_container(path)) as container:
            stream = choose_video(container, path)
            frame = next((one for one in _from(container, stream, pts) if one.pts == pts), None)
            if frame is None:
                raise SourceError(f"{path}: no frame at {pts}; the file may have changed")
            return _jpeg(frame, width)
    except av.FFmpegError as error:
        raise SourceError(f"{path}: cannot be decoded near {pts} ({error.strerror})") from error


def _image_at(folder: Path, pts: int) -> Path:
    """An image of a folder, whose ``pts`` counts from the first one's number."""
    names = dict(images_of(folder))
    name = names.get(min(names, default=0) + pts)
    if name is None:
        raise SourceError(f"{folder}: no image at {pts}; the folder may have changed")
    return folder / name


def _from(container: InputContainer, stream: VideoStream, pts: int) -> Iterator[VideoFrame]:
    """From the keyframe before, else from the beginning, until it is passed.

    What is asked of the beginning is read before anything is searched: a lone image cannot be searched, and after it
    was tried FFmpeg gives nothing, without an error.
    """
    begin = stream.start_time or 0
    for start in (None, pts, begin) if pts <= begin else (pts, begin):
        try:
            if start is not None:
                container.seek(start, stream=stream, backward=True)
        except av.FFmpegError:
            continue
        for number, frame in enumerate(container.decode(stream)):
            if frame.pts is not None and frame.pts > pts and number == 0:
                break  # an index that leads too far
            yield frame
            if number >= FAR or (frame.pts is not None and frame.pts > pts):
                return


def _jpeg(frame: VideoFrame, width: int) -> bytes:
    orientation = orientation_of(frame)
    shown_width, shown_height = orientation.size(frame.width, frame.height)
    scale = min(1.0, width / shown_width)
    size = max(1, round(shown_width * scale)), max(1, round(shown_height * scale))
    picture = DecodedPicture(frame, Converter(), orientation, shown_width, shown_height)
    rgb = np.asarray(cv2.resize(picture.rgb(), size, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return bytes(data)
