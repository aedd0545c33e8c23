"""The picture being drawn, and the buffer that says whose pixel is whose."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from training.scenes.camera import FloatArray

SHIFT = 4  # OpenCV keeps this many binary places of every coordinate
LIMIT = 30_000.0  # pixels; keeps shifted coordinates inside 32 bits

Colour = Sequence[float] | FloatArray


def fixed_point(points: FloatArray) -> npt.NDArray[np.int32]:
    """Pixels (N, 2), where (0, 0) is a corner, to OpenCV's fixed point.

    OpenCV counts from the centre of the first pixel, hence the half.
    """
    clipped = np.clip(points - 0.5, -LIMIT, LIMIT)
    return np.round(clipped * (1 << SHIFT)).astype(np.int32)


class Canvas:
    """RGB picture (H, W, 3) uint8 and owner ids (H, W) uint8, 0 for nobody."""

    def __init__(self, picture: npt.NDArray[np.uint8]) -> None:
        self.picture = picture
        self.ids: npt.NDArray[np.uint8] = np.zeros(picture.shape[:2], np.uint8)
        self.owner = 0

    def polygon(self, points: FloatArray, colour: Colour) -> None:
        """Fill a convex polygon given in pixels (N, 2) for the current owner."""
        if len(points) < 3:
            return
        corners = fixed_point(points)
        rgb = (float(colour[0]), float(colour[1]), float(colour[2]))
        cv2.fillConvexPoly(self.picture, corners, rgb, cv2.LINE_AA, SHIFT)
        if self.owner:
            cv2.fillConvexPoly(self.ids, corners, (self.owner,), cv2.LINE_8, SHIFT)

    def circle(self, centre: FloatArray, radius: float, colour: Colour) -> None:
        """Fill a circle; centre (2,) and radius in pixels."""
        turn = CIRCLE_LARGE if radius > 6 else CIRCLE_SMALL
        self.polygon(centre + radius * turn, colour)


def _turn(count: int) -> FloatArray:
    angle = np.arange(count) * (2 * np.pi / count)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


CIRCLE_SMALL = _turn(10)
CIRCLE_LARGE = _turn(22)
