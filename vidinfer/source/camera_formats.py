"""The formats of cameras that can be decoded, and pictures freed of what drivers put between their rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext

from vidinfer.source.v4l2_words import PixelFormat

__all__ = ["Rows", "decodable", "decoder_for", "rows_of"]

_CODED: Mapping[str, str] = {"MJPG": "mjpeg", "JPEG": "mjpeg"}
"""FFmpeg's decoders by the letters of Video4Linux. Each picture by itself; other codecs refer back."""


class _Pixels(NamedTuple):
    name: str
    """As FFmpeg calls it."""
    row: int
    """Eighths of a byte for each pixel of a row of the first plane."""
    planes: tuple[tuple[int, int], ...] = ((1, 1),)
    """By how much rows are shorter, and fewer, in each plane."""


_RAW: Mapping[str, _Pixels] = {
    "YUYV": _Pixels("yuyv422", 16),
    "UYVY": _Pixels("uyvy422", 16),
    "YVYU": _Pixels("yvyu422", 16),
    "NV12": _Pixels("nv12", 8, ((1, 1), (1, 2))),
    "NV21": _Pixels("nv21", 8, ((1, 1), (1, 2))),
    "YU12": _Pixels("yuv420p", 8, ((1, 1), (2, 2), (2, 2))),
    "RGB3": _Pixels("rgb24", 24),
    "BGR3": _Pixels("bgr24", 24),
    "XR24": _Pixels("bgr0", 32),
    "BGR4": _Pixels("bgr0", 32),
    "GREY": _Pixels("gray", 8),
}


def decodable(letters: str) -> bool:
    """Whether pictures in this format of Video4Linux (four letters) can be decoded."""
    return letters in _CODED or letters in _RAW


def decoder_for(found: PixelFormat) -> VideoCodecContext:
    """For what a camera is set to, which is ``decodable``; not opened yet."""
    name = _CODED.get(found.fourcc, "rawvideo")
    codec = CodecContext.create(name, "r")
    assert isinstance(codec, VideoCodecContext)
    if name == "rawvideo":
        codec.width, codec.height = found.width, found.height
        codec.pix_fmt = _RAW[found.fourcc].name
    return codec


class Rows:
    """Where the rows of a picture lie. Thread rule: share freely."""

    def __init__(self, pixels: _Pixels, found: PixelFormat) -> None:
        row = found.width * pixels.row // 8
        stride = max(found.stride, row)
        self._padded = stride != row
        self._planes = [
            (row // across, stride // across, -(-found.height // down)) for across, down in pixels.planes
        ]
        self.size = sum(stride * rows for _, stride, rows in self._planes)
        """Bytes of a whole picture, as the driver gives it."""

    def tidy(self, data: bytes) -> bytes | None:
        """The picture alone, as FFmpeg expects it; ``None``: it is too short."""
        if len(data) < self.size:
            return None
        if not self._padded:
            return data[: self.size]
        parts, begin = [], 0
        for row, stride, rows in self._planes:
            parts += [data[at : at + row] for at in range(begin, begin + stride * rows, stride)]
            begin += stride * rows
        return b"".join(parts)


def rows_of(found: PixelFormat) -> Rows | None:
    """Of raw pictures; ``None``: it is a codec's."""
    pixels = _RAW.get(found.fourcc)
    return None if pixels is None else Rows(pixels, found)
