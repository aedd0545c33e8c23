"""Trees, lamp posts and bushes: they hide objects but carry no label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.scenes.camera import Camera, FloatArray
from training.scenes.canvas import Canvas
from training.scenes.light import Light
from training.scenes.mesh import Vec

LEAVES: tuple[Vec, ...] = ((92, 146, 74), (74, 128, 84), (132, 158, 70), (196, 146, 66), (110, 160, 110))


@dataclass(frozen=True)
class Prop:
    """Something that stands on the pavement at x, y.

    Attributes:
        kind: tree, lamp or bush.
        blobs: leaf balls (N, 4): x, y, z in metres from the foot, radius.
    """

    kind: str
    x: float
    y: float
    height: float
    colour: Vec
    blobs: FloatArray


def make_prop(rng: np.random.Generator, kind: str, x: float, y: float) -> Prop:
    """A prop of the given kind with its own size and colour."""
    colour = LEAVES[rng.integers(len(LEAVES))]
    height = {"tree": rng.uniform(4.2, 6.4), "lamp": 6.2, "bush": rng.uniform(0.6, 0.9)}[kind]
    if kind == "tree":
        angle = rng.uniform(0, 2 * np.pi, 9)
        out = rng.uniform(0.3, 1.0, 9)
        blobs = np.stack(
            [
                out * np.cos(angle),
                out * np.sin(angle),
                height * rng.uniform(0.62, 0.98, 9),
                rng.uniform(0.7, 1.1, 9),
            ],
            axis=1,
        )
    else:
        along = np.linspace(-0.9, 0.9, 5)
        blobs = np.stack(
            [
                along,
                rng.uniform(-0.2, 0.2, 5),
                rng.uniform(0.3, 0.45, 5) * height / 0.75,
                rng.uniform(0.35, 0.5, 5),
            ],
            axis=1,
        )
    return Prop(kind, x, y, height, colour, blobs)


def draw_prop(prop: Prop, canvas: Canvas, camera: Camera, light: Light) -> None:
    """Draw a prop for the canvas's current owner."""
    foot = np.array([prop.x, prop.y, 0.0])
    if prop.kind == "lamp":
        _lamp(foot, prop.height, canvas, camera, light)
        return
    if prop.kind == "tree":
        _pole(foot, 0.0, prop.height * 0.7, 0.13, (112, 82, 62), canvas, camera, light)
    _leaves(prop, foot, canvas, camera, light)


def _pole(
    foot: FloatArray,
    z0: float,
    z1: float,
    radius: float,
    colour: Vec,
    canvas: Canvas,
    camera: Camera,
    light: Light,
) -> None:
    pixels, depth = camera.project(foot + np.array([[0, 0, z0], [0, 0, z1]]))
    if depth.min() < 0.8:
        return
    wide = radius * camera.focal / depth
    shaded = light.shade(
        np.array([colour, colour]), np.array([[0.5, -0.8, 0.2], [-0.5, -0.8, 0.2]]), float(depth[0])
    )
    for k, (left, right) in enumerate(((-1.0, 0.1), (0.1, 1.0))):
        corners = np.array(
            [
                pixels[0] + [left * wide[0], 0],
                pixels[0] + [right * wide[0], 0],
                pixels[1] + [right * wide[1] * 0.7, 0],
                pixels[1] + [left * wide[1] * 0.7, 0],
            ]
        )
        canvas.polygon(corners, shaded[1 - k])


def _lamp(foot: FloatArray, height: float, canvas: Canvas, camera: Camera, light: Light) -> None:
    _pole(foot, 0, height, 0.07, (70, 76, 84), canvas, camera, light)
    _pole(foot, 0, 0.8, 0.12, (60, 66, 74), canvas, camera, light)
    arm = (
        np.array([[0, 0, height], [0, 0, height - 0.1], [1.3, 0, height + 0.08], [1.3, 0, height + 0.18]])
        + foot
    )
    colour = light.shade(np.array([(70.0, 76.0, 84.0)]), np.array([[0.0, -1.0, 0.0]]), 20)[0]
    canvas.polygon(camera.project_clipped(arm), colour)
    under = [[1.5, 0, height - 0.02], [0.7, 0, height - 0.08]]
    head = np.array([[0.7, 0, height + 0.02], [1.5, 0, height + 0.1], *under]) + foot
    glow = np.array([255.0, 240, 190]) * light.lamps + np.array([214.0, 214, 206]) * (1 - light.lamps)
    canvas.polygon(camera.project_clipped(head), glow)


def _leaves(prop: Prop, foot: FloatArray, canvas: Canvas, camera: Camera, light: Light) -> None:
    pixels, depth = camera.project(prop.blobs[:, :3] + foot)
    if depth.min() < 0.8:
        return
    radius = prop.blobs[:, 3] * camera.focal / depth
    up = np.array([[0.0, -0.4, 0.9]])
    base = np.array([prop.colour], dtype=np.float64)
    tones = [light.shade(base * share, up, float(depth.mean()))[0] for share in (0.72, 0.9, 1.08)]
    shift = np.array([float(light.sun[0]) * 0.28, -0.28])
    for k, tone in enumerate(tones):
        for centre, size in zip(pixels, radius, strict=True):
            canvas.circle(centre + shift * size * k * 0.8, size * (1 - 0.22 * k), tone)
