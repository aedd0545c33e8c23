"""Pictures with what was found drawn on them, as the encoder wants them; converted no more than drawing needs.

Where the source's samples can be the file's (8-bit 4:2:0, limited range, BT.709 or BT.601), they stay as they are: only
the blocks that the annotator touches become RGB and come back. Everything else is converted whole, to BT.709. The first
picture decides which colours the file has; a later one of others is converted to these.
"""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from vidinfer.detections import Results
from vidinfer.frame import ColourTags, Picture, PlanarPicture, Planes
from vidinfer.record import Entry
from vidinfer.sink.blocks import ACROSS, DOWN, BlockGrid, Blocks
from vidinfer.sink.planes import FAMILY, BlockConverter, even, own_frame, rgb_to_planes
from vidinfer.stages import Annotator, BoundedAnnotator

__all__ = ["Overlay"]

_CONVERTED = ColourTags(matrix=1, primaries=1, transfer=1, range=1)
"""BT.709, limited: the one form that everything plays."""
_FULL_RANGE = 2
_HDR = (16, 18)
"""PQ and HLG, which no 8-bit file should hold."""
_MOST = 0.3
"""Share of the picture beyond which converting all of it takes less time than gathering blocks. Measured at 1080p; at
360p the two cross at 0.2, but take less than a millisecond either way."""


class Overlay:
    """Draws on the pictures of one source.

    Thread rule: one thread at a time.
    """

    def __init__(self, annotator: Annotator, width: int, height: int) -> None:
        """``annotator`` draws on pictures of ``width`` x ``height`` pixels."""
        self._annotator = annotator
        self._bounded = annotator if isinstance(annotator, BoundedAnnotator) else None
        self._shape = (height, width)
        self._grid = BlockGrid(width, height)
        self._scratch = np.zeros((DOWN * self._grid.rows, ACROSS * self._grid.columns, 3), np.uint8)
        self._whole_picture = VideoReformatter()
        self._tags: ColourTags | None = None
        self._blocks: BlockConverter | None = None
        self.pictures_converted = 0
        """Pictures that were converted whole, so far."""

    def draw(self, picture: Picture, entry: Entry, results: Results) -> VideoFrame:
        """Draw the one row of ``results`` (or none) on the ``picture`` of ``entry``.

        Returns:
            A frame that nobody else holds: yuv420p, of even size, an odd edge repeated once, tagged.
        """
        planes = _familiar_planes(picture)
        if self._tags is None:
            self._tags = _CONVERTED if planes is None else planes.tags
            self._blocks = BlockConverter(self._tags)
        blocks = self._touched(planes, self._tags, entry, results)
        if planes is None or blocks is None or self._blocks is None:
            return self._draw_whole(picture, self._tags, entry, results)

        def draw() -> None:
            height, width = self._shape
            self._annotator.draw(self._scratch[:height, :width], entry, results)
            self._repeat_edges()

        frame = own_frame(planes, self._tags)
        self._blocks.edit(frame, blocks, self._scratch, draw)
        return frame

    def _touched(
        self, planes: Planes | None, tags: ColourTags, entry: Entry, results: Results
    ) -> Blocks | None:
        """The blocks to convert; ``None``: all of the picture."""
        if planes is None or self._bounded is None or planes.y.shape != self._shape:
            return None
        if FAMILY[planes.tags.matrix] != FAMILY[tags.matrix]:
            return None
        touched = self._bounded.touches(entry, results)
        if touched is None:
            return None
        blocks = self._grid.touched(touched)
        return blocks if len(blocks) <= _MOST * self._grid.rows * self._grid.columns else None

    def _draw_whole(self, picture: Picture, tags: ColourTags, entry: Entry, results: Results) -> VideoFrame:
        self.pictures_converted += 1
        rgb = _drawable(picture)
        self._annotator.draw(rgb, entry, results)
        height, width = self._shape
        if height % 2 or width % 2:
            self._scratch[:height, :width] = rgb
            rgb = self._repeat_edges()
        return rgb_to_planes(self._whole_picture, rgb, tags)

    def _repeat_edges(self) -> NDArray[np.uint8]:
        """The scratch picture in an even size."""
        height, width = self._shape
        rgb = self._scratch[: even(height), : even(width)]
        rgb[height:] = rgb[height - 1]
        rgb[:, width:] = rgb[:, width - 1 : width]
        return rgb


def _familiar_planes(picture: Picture) -> Planes | None:
    """The planes, if they are what every player knows."""
    planes = picture.planes() if isinstance(picture, PlanarPicture) else None
    if planes is None:
        return None
    tags = planes.tags
    strange = tags.matrix not in FAMILY or tags.range == _FULL_RANGE or tags.transfer in _HDR
    return None if strange else planes


def _drawable(picture: Picture) -> NDArray[np.uint8]:
    """The picture as an array that OpenCV and FFmpeg take as it is."""
    rgb = picture.rgb()
    if rgb.strides[1:] != (3, 1) or not rgb.flags.writeable:
        rgb = np.array(rgb, order="C")
    return rgb
