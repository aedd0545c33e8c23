"""A few pictures of a file, to try a model on before it is run on all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidinfer.errors import SourceError
from vidinfer.frame import Picture, SourceInfo
from vidinfer.source.container import choose_video, open_container
from vidinfer.source.images import images_of
from vidinfer.source.orientation import orientation_of
from vidinfer.source.picture import Converter, DecodedPicture
from vidinfer.storage import Location

__all__ = ["sample_pictures"]


def sample_pictures(path: Location, info: SourceInfo, count: int, *, spread: bool) -> list[Picture]:
    """At most ``count`` pictures, as displayed.

    Args:
        info: of the opened source: the size that all its pictures are shown in.
        spread: keyframes from all over the file, where it can be searched; else its first frames.

    Raises:
        SourceError: the file cannot be opened.
    """
    if isinstance(path, Path) and path.is_dir():
        return _of_folder(path, info, count, spread=spread)
    converter = Converter()
    found: list[Picture] = []
    with closing(open_container(path)) as container:
        stream = choose_video(container, path)
        frames = _spread(container, stream, count) if spread else _first(container, stream)
        try:
            for frame in frames:
                if not frame.is_corrupt:
                    orientation = orientation_of(frame)
                    found.append(DecodedPicture(frame, converter, orientation, info.width, info.height))
                if len(found) == count:
                    break
        except av.FFmpegError:  # the source itself will tell of the damage
            return found
    return found


def _of_folder(folder: Path, info: SourceInfo, count: int, *, spread: bool) -> list[Picture]:
    images = [name for _, name in images_of(folder)]
    step = max(1, len(images) // count) if spread else 1
    found: list[Picture] = []
    for name in images[::step][:count]:
        with suppress(SourceError):  # the source itself will tell of it
            found += sample_pictures(folder / name, info, 1, spread=False)
    return found


def _first(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    yield from container.decode(stream)


def _spread(container: InputContainer, stream: VideoStream, count: int) -> Iterator[VideoFrame]:
    """The keyframes before ``count`` moments; the first frames where there is no going there."""
    if not stream.duration or count < 2:
        yield from _first(container, stream)
        return
    start, seen = stream.start_time or 0, set()
    for i in range(count):
        try:
            container.seek(start + stream.duration * i // count, stream=stream, backward=True)
            frame = next(container.decode(stream), None)
        except av.FFmpegError:
            continue
        if frame is not None and frame.pts not in seen:
            seen.add(frame.pts)
            yield frame
    if len(seen) < count // 2:  # one group of pictures, say
        container.seek(start, stream=stream, backward=True)
        yield from (frame for frame in container.decode(stream) if frame.pts not in seen)
