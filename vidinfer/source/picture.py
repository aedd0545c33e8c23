"""From the decoder's planes to RGB, once, and only when somebody asks."""

from __future__ import annotations

import threading

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc, VideoReformatter
from numpy.typing import NDArray

from vidinfer.frame import Planes
from vidinfer.source.colour import is_hdr
from vidinfer.source.orientation import UPRIGHT, Orientation
from vidinfer.source.planes import upright_planes
from vidinfer.source.rows import RowConverter
from vidinfer.source.shrink import shrunk, small_luma

__all__ = ["Converter", "DecodedPicture"]


class Converter(threading.local):
    """One libswscale context for each thread that converts: a context serves one thread and is costly to make.

    Thread rule: share freely.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self.rows = RowConverter(lambda frame: self.rgb24(frame, frame.width, frame.height))

    def rgb24(self, frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        """Convert to ``(height, width, 3)`` as tagged; scaled where ``frame`` has another size.

        PQ and HLG are converted to BT.709, see ``HDR_CONVERSION``; their first frame on each thread takes a second
        longer, for the table.
        """
        hdr = is_hdr(frame)
        out = self._reformatter.reformat(
            frame,
            width,
            height,
            "rgb24",
            dst_color_trc=ColorTrc.BT709 if hdr else None,
            dst_color_primaries=ColorPrimaries.BT709 if hdr else None,
            threads=1,
        )
        pixels: NDArray[np.uint8] = out.to_ndarray()  # type: ignore[assignment] # a view: rgb24 is uint8
        # Nothing to convert gives back the decoder's own frame, which may be its reference for the next one.
        return pixels.copy() if out is frame else pixels


class DecodedPicture:
    """The decoder's planes, reference-counted, with all it takes to show them.

    Thread rule: one thread at a time; handing it from thread to thread is fine.
    """

    __slots__ = ("_converter", "_frame", "_height", "_orientation", "_width")

    def __init__(
        self, frame: VideoFrame, converter: Converter, orientation: Orientation, width: int, height: int
    ) -> None:
        """``width`` and ``height`` are those to display."""
        self._frame = frame
        self._converter = converter
        self._orientation = orientation
        self._width = width
        self._height = height

    @property
    def frame(self) -> VideoFrame:
        """The decoder's frame itself, for consumers that read its planes."""
        return self._frame

    @property
    def nbytes(self) -> int:
        """Bytes of the planes, padding included."""
        return sum(plane.buffer_size for plane in self._frame.planes)

    def rgb(self) -> NDArray[np.uint8]:
        """Convert to ``(height, width, 3)`` uint8 RGB as displayed: colour tags honoured, rotation applied.

        A fresh array; its rows may be padded, its last two dimensions are contiguous. Bound by one
        conversion, plus one copy where the picture is turned.
        """
        stored = self._orientation.size(self._width, self._height)
        return self._orientation.apply(self._converter.rgb24(self._frame, *stored))

    def rgba_rows(self, rows: NDArray[np.int64]) -> NDArray[np.uint32] | None:
        """Some rows of ``rgb``, without converting the others; ``None`` unless 8-bit 4:2:0, upright and unscaled."""
        stored = (self._frame.width, self._frame.height)
        if self._orientation != UPRIGHT or stored != (self._width, self._height) or is_hdr(self._frame):
            return None
        return self._converter.rows.rgba(self._frame, rows)

    def rgb_scaled(self, width: int, height: int, *, smooth: bool) -> NDArray[np.uint8]:
        """About ``rgb`` scaled to ``(height, width, 3)``: scaled before it is converted; otherwise as ``rgb``."""
        stored = self._orientation.size(width, height)
        small = shrunk(self._frame, *stored, smooth=smooth)
        frame = self._frame if small is None else small
        return self._orientation.apply(self._converter.rgb24(frame, *stored))

    def small_luma(self, side: int) -> NDArray[np.uint8] | None:
        """Means over squares of its brightness, neither side above ``side``; ``None``: not stored as such a plane."""
        return small_luma(self._frame, side)

    def planes(self) -> Planes | None:
        """The planes as displayed, views where nothing is turned; ``None``: not 8-bit 4:2:0, or another size."""
        if self._orientation.size(self._width, self._height) != (self._frame.width, self._frame.height):
            return None
        return upright_planes(self._frame, self._orientation)
