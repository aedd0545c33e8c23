"""Small versions of decoded frames, made before they are converted: quick, and not exact."""

from __future__ import annotations

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from vidinfer.source.colour import is_hdr
from vidinfer.source.orientation import UPRIGHT
from vidinfer.source.planes import upright_planes

__all__ = ["shrunk"]

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


def _scale(samples: Samples, out: Samples, *, smooth: bool) -> None:
    height, width = out.shape
    # Means of 2x2 are several times quicker than those over other areas.
    while smooth and (samples.shape[0] >= 2 * height or samples.shape[1] >= 2 * width):
        down, across = 1 + (samples.shape[0] >= 2 * height), 1 + (samples.shape[1] >= 2 * width)
        h, w = samples.shape[0] // down, samples.shape[1] // across
        whole = samples[: down * h, : across * w]
        samples = np.asarray(cv2.resize(whole, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
    cv2.resize(samples, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)
