"""A pinhole camera that stands still and looks across the street."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

NEAR = 0.5  # metres; nothing nearer than this is drawn
GUARD = 3.0  # picture widths around the centre that polygons may reach


@dataclass(frozen=True)
class Camera:
    """Position and view of the camera.

    Attributes:
        width: picture width in pixels.
        height: picture height in pixels.
        focal: focal length in pixels of this picture.
        position: camera centre in world metres, shape (3,).
        yaw: radians, positive turns the view to the right (+x).
        pitch: radians, positive looks down.
    """

    width: int
    height: int
    focal: float
    position: FloatArray
    yaw: float
    pitch: float
    rotation: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        sy, cy = math.sin(self.yaw), math.cos(self.yaw)
        sp, cp = math.sin(self.pitch), math.cos(self.pitch)
        forward = np.array([sy * cp, cy * cp, -sp])
        right = np.array([cy, -sy, 0.0])
        down = np.cross(forward, right)
        object.__setattr__(self, "rotation", np.stack([right, down, forward]))

    def to_view(self, points: FloatArray) -> FloatArray:
        """World points (N, 3) in camera axes: right, down, forward."""
        result: FloatArray = (points - self.position) @ self.rotation.T
        return result

    def view_to_pixels(self, view: FloatArray) -> FloatArray:
        """Camera-axis points (N, 3) to pixels (N, 2)."""
        scale = self.focal / np.maximum(view[:, 2:3], NEAR)
        centre = np.array([self.width / 2, self.height / 2])
        result: FloatArray = view[:, :2] * scale + centre
        return result

    def project(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """World points (N, 3) to pixels (N, 2) and forward distances (N,)."""
        view = self.to_view(points)
        return self.view_to_pixels(view), view[:, 2]

    def project_clipped(self, polygon: FloatArray) -> FloatArray:
        """Project one convex world polygon, cut off at the near plane.

        Returns pixels (K, 2); K is 0 when all of it lies behind the camera.
        """
        view = _cut(self.to_view(polygon), np.array([0.0, 0.0, 1.0]), NEAR)
        if len(view) < 3:
            return np.zeros((0, 2))
        pixels = self.view_to_pixels(view)
        if np.abs(pixels).max() < GUARD * self.width:
            return pixels
        # Far outside the picture the drawing routine's numbers would overflow.
        wide = GUARD * self.width / self.focal
        for plane in ([1.0, 0, wide], [-1.0, 0, wide], [0, 1.0, wide], [0, -1.0, wide]):
            view = _cut(view, np.array(plane), 0.0)
        return self.view_to_pixels(view) if len(view) >= 3 else np.zeros((0, 2))


def _cut(polygon: FloatArray, normal: FloatArray, offset: float) -> FloatArray:
    """The part of a convex polygon (N, 3) where point @ normal >= offset."""
    side = polygon @ normal - offset
    if len(polygon) == 0 or side.min() >= 0:
        return polygon
    kept: list[FloatArray] = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if side[i] >= 0:
            kept.append(polygon[i])
        if (side[i] >= 0) != (side[j] >= 0):
            share = side[i] / (side[i] - side[j])
            kept.append(polygon[i] + share * (polygon[j] - polygon[i]))
    return np.array(kept).reshape(-1, 3)
