"""Opening a media file, and saying in one line why it cannot be opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from vidinfer.errors import SourceError, VidinferError
from vidinfer.source.truncation import boxes
from vidinfer.storage import NOTHING_ELSE, Location, OutlineReader, RemoteFile, media_input

__all__ = ["check_readable", "choose_video", "open_container"]

# FFmpeg draws any text as a picture of a terminal (ANSI art); a text file is not media.
_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})


def check_readable(path: Location) -> None:
    """Refuse, without opening it, what is no regular file with something in it.

    Raises:
        SourceError: says what ``path`` is instead, and what to do.
    """
    if isinstance(path, RemoteFile):
        if path.stat().st_size == 0:
            raise SourceError(f"{path}: empty (0 bytes); copy or record it again")
        return
    try:
        status = path.stat()
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file; check the name") from None
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; check the path and its permissions") from None
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(f"{path}: a folder, expected a file; give the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{path}: not a regular file (a pipe or device); give a media file")
    if status.st_size == 0:
        raise SourceError(f"{path}: empty (0 bytes); copy or record it again")
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path}: no permission to read it; allow it with chmod, or run as its owner")


def open_container(
    path: Location,
    stopped: Callable[[], bool] | None = None,
    *,
    options: Mapping[str, str] | None = None,
    media: OutlineReader | None = None,
) -> InputContainer:
    """Open ``path`` with FFmpeg; close the result.

    Args:
        path: what to open.
        stopped: true calls off waits for a store, also later ones.
        options: of FFmpeg's readers.
        media: what to read of an object; its closing is the caller's.

    Raises:
        SourceError: not there, not readable, not media, or cut off before its index.
    """
    check_readable(path)
    file: Any = media
    only: Mapping[str, str] = NOTHING_ELSE
    if media is None:
        file, only = media_input(path, stopped)
    try:
        container: InputContainer = av.open(
            file, metadata_errors="replace", options={**(options or {}), **only}
        )
    except VidinferError:  # of the store
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{path}: {_why(path, error)}") from error
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise SourceError(f"{path}: a text file, not media; give a video file")
    return container


def choose_video(container: InputContainer, path: Location) -> VideoStream:
    """The stream to decode: FFmpeg's own choice; cover art is no video. The other streams are not read at all.

    Raises:
        SourceError: there is none, or nothing decodes it.
    """
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not videos:
        what = "audio only" if container.streams.audio else "holds no video"
        raise SourceError(f"{path}: {what}; give a file with a video stream")
    best = container.streams.best("video")
    stream = best if isinstance(best, VideoStream) and best in videos else videos[0]
    if stream.codec_context is None:
        raise SourceError(f"{path}: no decoder for its video; convert it, e.g. to H.264, first")
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    return stream


def _why(path: Location, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "no permission to read it; allow it with chmod, or run as its owner"
    if isinstance(error, FileNotFoundError):
        return "no such file; check the name"
    kinds = [kind for kind, _, _ in boxes(path)]
    if kinds[:1] in (["ftyp"], ["wide"], ["mdat"]) and "moov" not in kinds:
        return (
            "cut off before it was finished: the index (moov box) is missing, without it nothing can be decoded; "
            "take a complete copy, or rebuild the index with a repair tool"
        )
    if isinstance(error, av.error.InvalidDataError):
        return "not media, or damaged from its start (FFmpeg knows no such format); give a video file"
    return f"cannot be opened ({getattr(error, 'strerror', None) or error}); check that it is a video file"
