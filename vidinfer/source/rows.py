"""Some rows of a frame as RGB, without converting the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

__all__ = ["RowConverter"]

Bytes = NDArray[np.uint8]
Key = tuple[int, int, int, int]


class RowConverter:
    """Gathers rows of an 8-bit 4:2:0 frame, each with its own chroma, and has libswscale convert those as 4:2:2.

    That is the conversion of the whole frame to the bit, which is checked with the first frame of each kind: where it
    is not so, nothing is converted here.

    Thread rule: one thread.
    """

    def __init__(self, whole: Callable[[VideoFrame], Bytes]) -> None:
        """``whole(frame)``: all rows, ``(height, width, 3)``."""
        self._whole = whole
        self._reformatter = VideoReformatter()
        self._gathered: VideoFrame | None = None
        self._key: Key | None = None
        self._good = False

    def rgba(self, frame: VideoFrame, rows: NDArray[np.int64]) -> NDArray[np.uint32] | None:
        """``(len(rows), width)`` words of four bytes: red, green, blue and one without meaning.

        ``None`` where it cannot be done. Good until the next call.
        """
        if frame.format.name != "yuv420p" or frame.height % 2:  # libswscale has another way for odd heights
            return None
        key = (frame.width, frame.height, frame.colorspace, frame.color_range)
        if key != self._key:
            self._key = key
            # Neighbours here are none there, so none has the chroma of the other.
            every = np.arange(frame.height).reshape(-1, 2).T.reshape(-1)
            self._good = bool((_pixels(self._convert(frame, every)) == self._whole(frame)[every]).all())
        return self._convert(frame, rows) if self._good else None

    def _convert(self, frame: VideoFrame, rows: NDArray[np.int64]) -> NDArray[np.uint32]:
        count = len(rows)
        width = (frame.width + 15) // 16 * 16  # libswscale leaves out the last columns of some other widths
        if count % 2:
            rows = np.append(rows, rows[-1:])
        gathered = self._gathered
        if gathered is None or (gathered.width, gathered.height) != (width, len(rows)):
            self._gathered = gathered = VideoFrame(width, len(rows), "yuv422p")
        gathered.colorspace, gathered.color_range = frame.colorspace, frame.color_range
        for i, at in enumerate((rows, rows // 2, rows // 2)):
            _gather(frame, gathered, i, at)
        rgba = self._reformatter.reformat(gathered, width, len(rows), "rgba", threads=1).planes[0]
        words = np.frombuffer(memoryview(rgba), np.uint32).reshape(-1, rgba.line_size // 4)
        return words[:count, : frame.width]


def _gather(frame: VideoFrame, gathered: VideoFrame, index: int, rows: NDArray[np.int64]) -> None:
    source, target = frame.planes[index], gathered.planes[index]
    lines = np.frombuffer(memoryview(source), np.uint8).reshape(-1, abs(source.line_size))
    if source.line_size < 0:  # stored from the bottom up
        lines = lines[::-1]
    out = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size)[: len(rows)]
    if lines.shape[1] == out.shape[1] and lines.flags.c_contiguous:
        np.take(lines, rows, axis=0, out=out, mode="clip")
    else:
        width = min(lines.shape[1], out.shape[1])
        out[:, :width] = lines[rows, :width]


def _pixels(words: NDArray[np.uint32]) -> Bytes:
    """``(h, w, 3)`` of ``(h, w)`` words."""
    return np.ascontiguousarray(words).view(np.uint8).reshape(*words.shape, 4)[..., :3]
