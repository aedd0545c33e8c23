"""What the headers of a file say: enough to plan with, in a millisecond and without decoding anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from vidinfer.errors import Interrupted, SourceError, VidinferError
from vidinfer.source.container import choose_video, open_container
from vidinfer.source.describe import duration_seconds
from vidinfer.source.images import RATE, images_of
from vidinfer.source.truncation import bytes_missing
from vidinfer.storage import Location

__all__ = ["Header", "HeaderKind", "read_header"]

_Stopped: TypeAlias = Callable[[], bool] | None
HeaderKind: TypeAlias = Literal["video", "image", "foreign", "broken"]

# Enough for the headers and a few packets; what needs more is looked at a second time with FFmpeg's own limits.
_BRIEF = {"probesize": str(2**18), "analyzeduration": "500000"}
_HEAD = 512
_MP4 = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"styp", b"moof"})
_STILL = frozenset({b"avif", b"mif1", b"heic", b"heix"})
_BEGINNINGS = (
    *(b"\x1a\x45\xdf\xa3", b"FLV\x01", b"OggS", b"GIF8", b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*"),
    *(
        b"\x00\x00\x01\xba",
        b"\x00\x00\x01\xb3",
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
        b"\x06\x0e\x2b\x34",
        b"DKIF",
    ),
    *(b"YUV4MPEG2", b".RMF", b"\x00\x00\x00\x01", b"\x00\x00\x01"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """One file as its headers describe it: claims, not findings."""

    kind: HeaderKind
    """``foreign``: no media by its content, or media without pictures. ``broken``: begins like media, but cannot be
    opened or has nothing that can be decoded."""
    size: int = 0
    """Bytes."""
    duration: float | None = None
    """Seconds."""
    frames: int | None = None
    codec: str | None = None
    width: int | None = None
    """Pixels as stored, so before a rotation."""
    height: int | None = None
    rate: str | None = None
    """Frames a second, as a fraction: ``30000/1001``."""
    error: str | None = None
    """One line: why it is foreign or broken; of a video, what is missing from it."""


def read_header(path: Location, stopped: Callable[[], bool] | None = None) -> Header:
    """Look at a file, an object or a folder of images. What is wrong with it is told, not raised.

    Raises:
        Interrupted: ``stopped()`` became true while a store was waited for.
    """
    try:
        if isinstance(path, Path) and path.is_dir():
            return _images(path)
        size = path.stat().st_size
    except Interrupted:
        raise
    except VidinferError as error:
        return Header("broken", error=str(error))
    except OSError as error:
        return Header("broken", error=f"{path}: {error.strerror}; check the path and its permissions")
    try:
        return (
            _opened(path, size, _BRIEF, stopped)
            or _opened(path, size, {}, stopped)
            or _without(path, size, stopped)
        )
    except SourceError as error:
        kind: HeaderKind = "broken" if size == 0 or _begins_like_media(path) else "foreign"
        return Header(kind, size, error=str(error))


def _opened(path: Location, size: int, limits: dict[str, str], stopped: _Stopped) -> Header | None:
    """``None``: with these limits nothing is found that could be labelled.

    Raises:
        SourceError: it cannot be opened, or nothing decodes it.
    """
    container = open_container(path, stopped, options=limits)
    try:
        if not any(not s.disposition & Disposition.attached_pic for s in container.streams.video):
            return None
        stream = choose_video(container, path)
        if not stream.width or not stream.height:
            return None
        return _header(path, size, container, stream)
    except av.FFmpegError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); take an undamaged copy") from None
    finally:
        container.close()


def _header(path: Location, size: int, container: InputContainer, stream: VideoStream) -> Header:
    still = _is_still(path, container)
    missing = (
        bytes_missing(path) if isinstance(path, Path) else 0
    )  # of objects: no more requests than it takes
    rate = stream.average_rate or stream.guessed_rate
    return Header(
        "image" if still else "video",
        size,
        None if still else duration_seconds(container, stream),
        1 if still else stream.frames or None,
        stream.codec_context.codec.canonical_name,
        stream.width,
        stream.height,
        None if still or not rate else str(rate),
        f"{path}: cut off: at least {missing} bytes are missing; take a complete copy" if missing else None,
    )


def _is_still(path: Location, container: InputContainer) -> bool:
    name = container.format.name
    if name.endswith("_pipe") or name == "image2":
        return True
    return "mov" in name.split(",") and _head(path)[8:12] in _STILL


def _without(path: Location, size: int, stopped: _Stopped) -> Header:
    """Media, but no pictures that could be labelled."""
    container = open_container(path, stopped)
    try:
        if any(not s.disposition & Disposition.attached_pic for s in container.streams.video):
            what, kind = "has video whose size is not known: nothing in it can be decoded", "broken"
        elif container.streams.audio:
            what, kind = "sound only", "foreign"
        else:
            what, kind = "holds no video", "broken" if _begins_like_media(path) else "foreign"
    finally:
        container.close()
    error = f"{path}: {what}; give a file with a video stream"
    return Header("broken" if kind == "broken" else "foreign", size, error=error)


def _images(folder: Path) -> Header:
    images = images_of(folder)
    first = read_header(folder / images[0][1])
    span = images[-1][0] - images[0][0] + 1
    size = sum((folder / name).stat().st_size for _, name in images)
    return Header(
        "image",
        size,
        float(span / RATE),
        len(images),
        first.codec,
        first.width,
        first.height,
        str(RATE),
        first.error,
    )


def _begins_like_media(path: Location) -> bool:
    head = _head(path)
    riff = head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"WEBP")
    stream = any(
        head[at : at + 1] == b"G" == head[at + step : at + step + 1] for at, step in ((0, 188), (4, 192))
    )
    return riff or stream or head[4:8] in _MP4 or head.startswith(_BEGINNINGS)


def _head(path: Location) -> bytes:
    try:
        with path.open("rb") as file:
            return bytes(file.read(_HEAD))
    except (OSError, VidinferError):
        return b""
