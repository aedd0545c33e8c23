"""Small solids made of flat convex faces."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from training.scenes.camera import Camera, FloatArray
from training.scenes.canvas import Canvas
from training.scenes.light import Light

Vec = tuple[float, float, float]


@dataclass
class Part:
    """One convex solid with its surface details, in the owner's own axes.

    Own axes: x forward, y left, z up, origin on the ground below the middle.
    Faces are drawn in the order they were added and dropped when they look
    away from the camera, so a detail only has to follow the face it sits on.
    """

    centre: FloatArray
    points: list[FloatArray] = field(default_factory=list)
    colours: list[Vec] = field(default_factory=list)
    glow: list[float] = field(default_factory=list)
    normals: list[FloatArray] = field(default_factory=list)

    def face(self, points: FloatArray, colour: Vec, glow: float = 0.0) -> None:
        """Add a face (K, 3); its normal is turned away from the centre."""
        ax, ay, az = points[1] - points[0]
        bx, by, bz = points[2] - points[1]
        normal = np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
        length = math.sqrt(float(normal @ normal))
        if length < 1e-9:
            return
        normal = normal / length
        if normal @ (points.mean(axis=0) - self.centre) < 0:
            normal = -normal
        self.points.append(points)
        self.colours.append(colour)
        self.glow.append(glow)
        self.normals.append(normal)


@dataclass
class Mesh:
    """Parts lined up along x; none of them overlaps another in x and z at once."""

    parts: list[Part] = field(default_factory=list)
    stacked: bool = True  # parts lie on each other: draw in order of adding

    def part(self, centre: Vec) -> Part:
        """Start a new part around `centre`."""
        made = Part(np.array(centre, dtype=np.float64))
        self.parts.append(made)
        return made

    def vertices(self) -> FloatArray:
        """All corners, (N, 3)."""
        return np.concatenate([p for part in self.parts for p in part.points])

    def draw(self, canvas: Canvas, camera: Camera, light: Light, at: FloatArray, heading: float) -> None:
        """Draw the solid standing at `at` (3,), turned by `heading` radians."""
        turn = rotation(heading)
        eye = (camera.position - at) @ turn  # the camera in the owner's axes
        parts = self.parts
        if not self.stacked:
            parts = sorted(parts, key=lambda p: -abs(float(p.centre[0] - eye[0])))
        distance = float(np.linalg.norm(camera.position - at))
        for part in parts:
            _draw_part(part, canvas, camera, light, at, turn, eye, distance)


def rotation(heading: float) -> FloatArray:
    """Matrix (3, 3) that turns own axes to world axes: world = turn @ own."""
    s, c = np.sin(heading), np.cos(heading)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _draw_part(
    part: Part,
    canvas: Canvas,
    camera: Camera,
    light: Light,
    at: FloatArray,
    turn: FloatArray,
    eye: FloatArray,
    distance: float,
) -> None:
    normals = np.array(part.normals)
    first = np.array([p[0] for p in part.points])
    seen = np.einsum("ij,ij->i", normals, eye - first) > 0
    colours = np.array(part.colours, dtype=np.float64)
    shaded = light.shade(colours, normals @ turn.T, distance)
    glow = np.array(part.glow)[:, None] * max(light.lamps, 0.25)
    shaded = shaded + (colours - shaded) * np.clip(glow, 0, 1)
    counts = [len(p) for p in part.points]
    pixels, depth = camera.project(np.concatenate(part.points) @ turn.T + at)
    start = 0
    for count, visible, colour in zip(counts, seen, shaded, strict=True):
        stop = start + count
        if visible and depth[start:stop].min() > 0.6:
            canvas.polygon(pixels[start:stop], colour)
        start = stop


def hexahedron(part: Part, low: FloatArray, high: FloatArray, colour: Vec) -> list[FloatArray]:
    """Add four sides and a lid between two quads (4, 3), lower and upper.

    Returns the sides, each (4, 3): corners a, b below and b, a above.
    """
    sides = []
    for i in range(4):
        j = (i + 1) % 4
        side = np.stack([low[i], low[j], high[j], high[i]])
        part.face(side, colour)
        sides.append(side)
    part.face(high, colour)
    return sides


def rectangle(x0: float, x1: float, y0: float, y1: float, z: float) -> FloatArray:
    """A level quad (4, 3): edges front, left, back, right in that order.

    Edge i runs from corner i to i + 1, so `hexahedron` gives the sides as
    front (x1), left (y1), back (x0), right (y0).
    """
    return np.array([[x1, y0, z], [x1, y1, z], [x0, y1, z], [x0, y0, z]], dtype=np.float64)


def on_side(side: FloatArray, u0: float, u1: float, v0: float, v1: float) -> FloatArray:
    """A quad on a side: u along its lower edge, v upwards, both 0..1."""

    def at(u: float, v: float) -> FloatArray:
        low = side[0] + u * (side[1] - side[0])
        high = side[3] + u * (side[2] - side[3])
        result: FloatArray = low + v * (high - low)
        return result

    return np.stack([at(u0, v0), at(u1, v0), at(u1, v1), at(u0, v1)])


def disc(x: float, y: float, z: float, radius: float, corners: int = 14) -> FloatArray:
    """An upright disc (corners, 3) facing sideways, for wheels."""
    angle = np.arange(corners) * (2 * np.pi / corners)
    return np.stack([x + radius * np.cos(angle), np.full(corners, y), z + radius * np.sin(angle)], axis=1)
