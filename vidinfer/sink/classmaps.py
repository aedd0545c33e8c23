"""Class maps as indexed PNGs, one per labelled frame: the value of a pixel is its class.

8 bit, at the size of the displayed picture, stretched to the nearest pixel like the segments of the label files; the
palette is that of Pascal VOC, whatever the model. 255 is a class that was not asked for.
"""

from __future__ import annotations

from pathlib import Path

from vidinfer.detections import Results
from vidinfer.errors import SinkError
from vidinfer.sink.framefiles import FrameFilesSink
from vidinfer.sink.png import indexed_png, voc_colours
from vidinfer.sink.stretch import nearest

__all__ = ["ClassMapSink"]


class ClassMapSink(FrameFilesSink):
    """A folder of class maps, ``clip.classmaps/000012.png``."""

    def __init__(self, folder: Path, *, overwrite: bool = False) -> None:
        """``overwrite`` replaces a folder of that name, at the end."""
        super().__init__(folder, "png", "segmentation", overwrite=overwrite)
        self._colours = voc_colours()

    def _data(self, results: Results, row: int) -> bytes:
        if results.segments is None:
            raise SinkError("the model gave no segments for its frames, which its task promises")
        pixels = nearest(results.segments.class_maps[row], self._width, self._height)
        return indexed_png(pixels, self._colours)
