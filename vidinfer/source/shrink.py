"""Small versions of decoded frames, made before they are converted: quick, and not exact."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from vidinfer.source.colour import is_hdr
from vidinfer.source.orientation import UPRIGHT
from vidinfer.source.planes import upright_planes

__all__ = ["shrunk", "small_luma"]

Samples = NDArray[np.uint8]

cv2.setNumThreads(1)  # of the whole process: planes are too small to share


def shrunk(frame: VideoFrame, width: int, height: int, *, smooth: bool) -> VideoFrame | None:
    """``frame`` in another size, its planes scaled one by one; ``None`` where it is not 8-bit 4:2:0, or HDR.

    Args:
        width: as stored.
        height: as stored.
        smooth: every pixel counts (about antialiasing); else only the nearest four.
    """
    planes = None if is_hdr(frame) else upright_planes(frame, UPRIGHT)
    if planes is None:
        return None
    small = VideoFrame(width, height, "yuv420p")
    small.colorspace, small.color_range = frame.colorspace, frame.color_range
    half = ((height + 1) // 2, (width + 1) // 2)
    for samples, size, plane in zip(
        (planes.y, planes.u, planes.v), ((height, width), half, half), small.planes, strict=True
    ):
        out = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: size[0], : size[1]]
        _scale(samples, out, smooth=smooth)
    return small


def small_luma(frame: VideoFrame, side: int) -> Samples | None:
    """Means over squares of 4, 8, 16, … pixels of the brightness of ``frame``, ``(h, w)`` with neither above ``side``.

    ``None`` where brightness has no plane of its own, of 8 bits or of more, lowest byte first. What is left of
    a square at the right and the lower edge does not count.
    """
    name, bits = frame.format.name, frame.format.components[0].bits
    plain = bits == 8 and name.startswith(("yuv4", "yuvj4", "yuva4", "nv12", "nv21", "gray"))
    deep = 8 < bits <= 16 and name.startswith(("yuv4", "yuva4", "gray")) and name.endswith("le")
    if not (plain or deep):
        return None
    plane, dtype = frame.planes[0], np.dtype(np.uint8 if plain else np.uint16)
    rows: NDArray[Any] = np.frombuffer(memoryview(plane), dtype).reshape(
        -1, abs(plane.line_size) // dtype.itemsize
    )
    if plane.line_size < 0:
        rows = rows[::-1]
    samples, square = rows[: frame.height, : frame.width], 1
    while min(samples.shape) > 1 and (square < 4 or max(samples.shape) > side):
        h, w = samples.shape[0] // 2, samples.shape[1] // 2
        samples = np.asarray(cv2.resize(samples[: 2 * h, : 2 * w], (w, h), interpolation=cv2.INTER_AREA))
        square *= 2
    small: Samples = np.array(samples if plain else samples >> (bits - 8), np.uint8)
    return small


def _scale(samples: Samples, out: Samples, *, smooth: bool) -> None:
    height, width = out.shape
    # Means of 2x2 are several times quicker than those over other areas.
    while smooth and (samples.shape[0] >= 2 * height or samples.shape[1] >= 2 * width):
        down, across = 1 + (samples.shape[0] >= 2 * height), 1 + (samples.shape[1] >= 2 * width)
        h, w = samples.shape[0] // down, samples.shape[1] // across
        whole = samples[: down * h, : across * w]
        samples = np.asarray(cv2.resize(whole, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
    cv2.resize(samples, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)
