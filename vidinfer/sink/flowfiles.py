"""Optical flow as files, one per labelled frame: the vectors from the frame before to this one, for every pixel.

Vectors are in pixels of the displayed picture per pair of frames, at the size of the displayed picture (bilinear).

``flo``
    Middlebury: ``PIEH``, width and height as 32-bit integers, then x and y of each pixel as 32-bit floats, row by row,
    little-endian.
``png``
    KITTI: 16 bit; red is ``64 x + 32768``, green ``64 y + 32768``, both rounded and cut at ±512 pixels, blue 1; all
    three 0 where a vector is not finite.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidinfer.detections import Results
from vidinfer.errors import SinkError
from vidinfer.sink.framefiles import FrameFilesSink
from vidinfer.sink.png import rgb16_png
from vidinfer.sink.stretch import stretch

__all__ = ["FlowFileSink"]

_STEPS, _ZERO, _LAST = 64, 32768, 65535
"""KITTI: steps per pixel, the value of no movement, the largest value."""


class FlowFileSink(FrameFilesSink):
    """A folder of flow fields, ``clip.flow/000012.flo``."""

    def __init__(self, folder: Path, *, kind: Literal["flo", "png"] = "flo", overwrite: bool = False) -> None:
        """``overwrite`` replaces a folder of that name, at the end."""
        super().__init__(folder, kind, "optical_flow", overwrite=overwrite)
        self._kind = kind
        self._cut = 0

    def facts(self) -> Mapping[str, object]:
        """Files written, and whether vectors were too long for the format."""
        warning = f"{self._cut} vectors were longer than the format holds; they are cut at 512 pixels"
        return {**super().facts(), **({"warnings": [warning]} if self._cut else {})}

    def _data(self, results: Results, row: int) -> bytes:
        if results.flow is None:
            raise SinkError("the model gave no flow for its frames, which its task promises")
        field = stretch(results.flow.fields[row], self._width, self._height)
        return _flo(field) if self._kind == "flo" else self._png(field)

    def _png(self, field: NDArray[np.float32]) -> bytes:
        finite = np.isfinite(field[..., 0]) & np.isfinite(field[..., 1])
        with np.errstate(invalid="ignore", over="ignore"):
            values = np.rint(field * np.float32(_STEPS)) + np.float32(_ZERO)
            beyond = (values < 0) | (values > _LAST)
        self._cut += int(np.count_nonzero(beyond.any(axis=2) & finite))
        pixels = np.zeros((*finite.shape, 3), np.uint16)
        pixels[..., :2] = np.where(finite[..., None], np.clip(values, 0, _LAST), 0)
        pixels[..., 2] = finite
        return rgb16_png(pixels)


def _flo(field: NDArray[np.float32]) -> bytes:
    height, width = field.shape[:2]
    vectors = np.ascontiguousarray(field, "<f4")
    return b"".join((b"PIEH", struct.pack("<ii", width, height), vectors.data))
