"""A picture on its way into the encoder: 8-bit 4:2:0 planes of its own, and RGB of the blocks that are drawn on.

libswscale does all conversions: its samples are those that the whole picture would have, bit by bit, as the blocks
of a 4:2:0 picture do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from vidinfer.frame import ColourTags, Planes
from vidinfer.sink.blocks import ACROSS, DOWN, Blocks

__all__ = ["FAMILY", "BlockConverter", "even", "own_frame", "rgb_to_planes", "set_tags"]

FAMILY = {1: Colorspace.ITU709, 2: Colorspace.ITU601, 5: Colorspace.ITU601, 6: Colorspace.ITU601}
"""Matrices by number; the unspecified one is read as BT.601 everywhere here."""
_SHEET = (32, 64)
"""Blocks down and across that are converted in one call: enough to hide what a call costs, few enough for the cache."""


def even(size: int) -> int:
    """4:2:0 needs even sizes."""
    return size + size % 2


def set_tags(frame: VideoFrame, tags: ColourTags) -> None:
    """Say what the samples of ``frame`` mean."""
    frame.colorspace, frame.color_range = tags.matrix, tags.range
    frame.color_primaries, frame.color_trc = tags.primaries, tags.transfer


def own_frame(planes: Planes, tags: ColourTags) -> VideoFrame:
    """A copy of ``planes``, tagged, of even size, an odd edge repeated once: the decoder's are not ours to change."""
    height, width = planes.y.shape
    frame = VideoFrame(even(width), even(height), "yuv420p")
    set_tags(frame, tags)
    for plane, source in zip(frame.planes, (planes.y, planes.u, planes.v), strict=True):
        rows, columns = source.shape
        samples = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        samples[:rows, :columns] = source
        samples[:rows, columns : plane.width] = source[:, -1:]
        samples[rows:] = samples[rows - 1]
    return frame


def rgb_to_planes(converter: VideoReformatter, rgb: NDArray[np.uint8], tags: ColourTags) -> VideoFrame:
    """Convert ``(height, width, 3)``, even, contiguous in its last two dimensions, to yuv420p of these colours."""
    planes = converter.reformat(
        VideoFrame.from_numpy_buffer(rgb, "rgb24"),
        format="yuv420p",
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        dst_colorspace=FAMILY[tags.matrix],
        interpolation=Interpolation.AREA,  # chroma is the mean of its four pixels: thin lines keep their hue
        threads=1,
    )
    set_tags(planes, tags)
    return planes


class BlockConverter:
    """Converts blocks of 4:2:0 frames to RGB and back, and leaves all else as it is.

    Thread rule: one thread at a time.
    """

    def __init__(self, tags: ColourTags) -> None:
        """``tags`` are those of all frames."""
        self._tags = tags
        # One line of blocks more than is used: libswscale rounds the last rows of a picture otherwise.
        width, height = ACROSS * _SHEET[1], DOWN * (_SHEET[0] + 1)
        self._planes = VideoFrame(width, height, "yuv420p")
        set_tags(self._planes, tags)
        self._rgb = np.zeros((height, width, 3), np.uint8)
        self._to_rgb, self._from_rgb = VideoReformatter(), VideoReformatter()

    def edit(
        self, frame: VideoFrame, blocks: Blocks, rgb: NDArray[np.uint8], change: Callable[[], None]
    ) -> None:
        """Convert ``blocks`` of ``frame`` to ``rgb``, call ``change``, and convert them back.

        Args:
            frame: yuv420p.
            blocks: of this frame.
            rgb: ``(height, width, 3)`` in whole blocks; other blocks than these keep what they hold.
            change: draws on ``rgb``.
        """
        planes = [words.reshape(-1) for words in _words(frame)]
        pixels = _rgb_words(rgb).reshape(-1)
        sheets = _sheets(blocks, frame, rgb)
        for places in sheets:
            self._sheet_to_rgb(planes, pixels, places)
        change()
        for places in sheets:
            self._sheet_from_rgb(planes, pixels, places)

    def _sheet_to_rgb(self, planes: list[NDArray[Any]], pixels: NDArray[Any], places: _Places) -> None:
        y, *chroma = _words(self._planes)
        for k in range(DOWN):
            y[k:-DOWN:DOWN] = planes[0][places.y[k]]
        for sheet, plane in zip(chroma, planes[1:], strict=True):
            sheet[:-1] = plane[places.chroma]
        found = _rgb_words(self._to_rgb.reformat(self._planes, format="rgb24", threads=1).to_ndarray())
        for k in range(DOWN):
            pixels[places.rgb[k]] = found[k:-DOWN:DOWN]

    def _sheet_from_rgb(self, planes: list[NDArray[Any]], pixels: NDArray[Any], places: _Places) -> None:
        sheet = _rgb_words(self._rgb)
        for k in range(DOWN):
            sheet[k:-DOWN:DOWN] = pixels[places.rgb[k]]
        y, *chroma = _words(rgb_to_planes(self._from_rgb, self._rgb, self._tags))
        for k in range(DOWN):
            planes[0][places.y[k]] = y[k:-DOWN:DOWN]
        for found, plane in zip(chroma, planes[1:], strict=True):
            plane[places.chroma] = found[:-1]


class _Places(NamedTuple):
    """Where the blocks of a sheet lie in the planes, as flat indices of words: numpy finds these fastest."""

    y: NDArray[np.int64]
    """``(DOWN, *_SHEET)``, the rows of pixels of each block."""
    chroma: NDArray[np.int64]
    """``_SHEET``."""
    rgb: NDArray[np.int64]
    """``(DOWN, *_SHEET)``."""


def _sheets(blocks: Blocks, frame: VideoFrame, rgb: NDArray[np.uint8]) -> list[_Places]:
    """The blocks in portions of ``_SHEET``; the last block fills the last one up."""
    missing = -len(blocks) % (_SHEET[0] * _SHEET[1])
    rows, columns = (np.pad(part, (0, missing), "edge") for part in (blocks.rows, blocks.columns))
    lines = DOWN * rows + np.arange(DOWN)[:, None]
    y = lines * (frame.planes[0].line_size // ACROSS) + columns
    chroma = rows * (frame.planes[1].line_size // (ACROSS // 2)) + columns
    pixels = lines * (rgb.shape[1] // ACROSS) + columns
    y, pixels = y.reshape(DOWN, -1, *_SHEET), pixels.reshape(DOWN, -1, *_SHEET)
    return [_Places(y[:, i], part, pixels[:, i]) for i, part in enumerate(chroma.reshape(-1, *_SHEET))]


def _words(frame: VideoFrame) -> list[NDArray[Any]]:
    """The planes, writable, a row of a block to a word. FFmpeg pads rows to 16 bytes and more."""
    kinds = (np.uint64, np.uint32, np.uint32)
    return [
        np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)
        for plane, kind in zip(frame.planes, kinds, strict=True)
    ]


def _rgb_words(rgb: Any) -> NDArray[Any]:
    """``(height, width, 3)`` as ``(height, width / 8)``: three words of a row of a block as one item."""
    return np.asarray(rgb).reshape(len(rgb), -1).view(f"V{3 * ACROSS}")
