"""The decoder's planes as they are, turned upright: for consumers that need no RGB."""

from __future__ import annotations

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from vidinfer.frame import ColourTags, Planes
from vidinfer.source.orientation import Orientation

__all__ = ["upright_planes"]

Samples = NDArray[np.uint8]

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
"""By clockwise degrees; ten times faster than transposing and mirroring by hand."""


def upright_planes(frame: VideoFrame, orientation: Orientation) -> Planes | None:
    """The planes of an 8-bit 4:2:0 frame (yuv420p, nv12); ``None`` of any other.

    Nothing is copied but what must be turned. Mirroring an odd size would put other pixels under one chroma sample:
    ``None``, too.
    """
    name = frame.format.name
    if name not in ("yuv420p", "nv12"):
        return None
    width, height = orientation.size(frame.width, frame.height)
    if (orientation.mirror_x and width % 2) or (orientation.mirror_y and height % 2):
        return None
    y = _samples(frame.planes[0])[:, : frame.width]
    half = (frame.width + 1) // 2
    if name == "nv12":
        pairs = _samples(frame.planes[1])[:, : 2 * half]
        u, v = pairs[:, 0::2], pairs[:, 1::2]
    else:
        u, v = (_samples(plane)[:, :half] for plane in frame.planes[1:3])
    tags = ColourTags(frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
    plain = name == "yuv420p" and not frame.interlaced_frame
    return Planes(_turned(y, orientation), _turned(u, orientation), _turned(v, orientation), tags, plain)


def _samples(plane: VideoPlane) -> Samples:
    """All rows of a plane, padding included; they keep the decoder's frame alive. Read only: it may be a reference."""
    step = abs(plane.line_size)
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, step)
    rows.flags.writeable = False
    return rows if plane.line_size >= 0 else rows[::-1]  # stored from the bottom up


def _turned(plane: Samples, orientation: Orientation) -> Samples:
    """Turn one plane, exactly."""
    if orientation.rotation:
        plane = np.asarray(cv2.rotate(plane, _TURNS[orientation.rotation]))
    if orientation.mirrored:
        plane = np.asarray(cv2.flip(plane, 1))
    return plane
