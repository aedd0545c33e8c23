"""House fronts along the far pavement and a hazy skyline behind them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from training.scenes.camera import Camera, FloatArray
from training.scenes.canvas import Canvas
from training.scenes.light import Light
from training.scenes.mesh import Vec

WALLS: tuple[Vec, ...] = (
    (232, 206, 170),
    (214, 150, 118),
    (240, 226, 200),
    (170, 186, 200),
    (200, 120, 100),
    (186, 204, 176),
    (236, 188, 140),
    (206, 198, 214),
    (160, 112, 96),
    (228, 214, 120),
    (150, 160, 172),
)
SHOPS: tuple[Vec, ...] = (
    (188, 64, 58),
    (52, 104, 150),
    (60, 128, 100),
    (232, 168, 60),
    (110, 78, 122),
    (44, 52, 66),
)
PANE: Vec = (96, 124, 150)
PANE_LIT: Vec = (255, 220, 140)
FRONT = np.array([[0.0, -1.0, 0.0]])


class Wall:
    """Draws upright rectangles of one street front, y constant."""

    def __init__(self, canvas: Canvas, camera: Camera, light: Light, y: float) -> None:
        self.canvas, self.camera, self.light, self.y = canvas, camera, light, y

    def quad(
        self,
        x0: float,
        x1: float,
        z0: float,
        z1: float,
        colour: Vec,
        y: float | None = None,
        lit: bool = False,
    ) -> None:
        """Fill a rectangle of the front."""
        at = self.y if y is None else y
        corners = np.array([[x0, at, z0], [x1, at, z0], [x1, at, z1], [x0, at, z1]])
        self.fill(corners, colour, FRONT, lit)

    def fill(self, corners: FloatArray, colour: Vec, normal: FloatArray, lit: bool = False) -> None:
        """Fill any flat convex polygon (K, 3) with one outward normal (1, 3)."""
        middle = corners.mean(axis=0)
        distance = float(np.linalg.norm(middle - self.camera.position))
        base = np.array([colour], dtype=np.float64)
        shaded = self.light.fade(base, distance) if lit else self.light.shade(base, normal, distance)
        self.canvas.polygon(self.camera.project_clipped(corners), shaded[0])


def _tone(colour: Vec, share: float) -> Vec:
    return (min(255.0, colour[0] * share), min(255.0, colour[1] * share), min(255.0, colour[2] * share))


def draw_skyline(rng: np.random.Generator, canvas: Canvas, camera: Camera, light: Light, far: float) -> None:
    """Far blocks, nearly as pale as the haze."""
    wall = Wall(canvas, camera, light, far)
    for layer in (190.0, 120.0):
        x = -220.0
        tone = float(rng.uniform(0.5, 0.8))
        while x < 380:
            width, height = rng.uniform(10, 26), rng.uniform(6, 34) * layer / 190
            colour = _tone((168, 182, 200), tone + rng.uniform(-0.06, 0.06))
            wall.quad(x, x + width, 0, height, colour, y=far + layer)
            x += width + rng.choice([0.0, 0.0, 12.0])


def draw_houses(rng: np.random.Generator, canvas: Canvas, camera: Camera, light: Light, far: float) -> None:
    """A row of house fronts with gaps of green; the farthest sideways first."""
    houses = []
    x = -70.0
    open_ground = rng.random() < 0.2
    while x < 120:
        width, floors = rng.uniform(7, 14), int(rng.integers(1, 4))
        if rng.random() < (0.6 if open_ground else 0.12):
            x += width * 0.6
            continue
        houses.append((x, width, floors, int(rng.integers(1 << 30))))
        x += width
    for start, width, floors, seed in sorted(
        houses, key=lambda h: -abs(h[0] + h[1] / 2 - camera.position[0])
    ):
        if _in_view(camera, start, width, far):
            _house(np.random.default_rng(seed), Wall(canvas, camera, light, far), start, width, floors)


def _in_view(camera: Camera, x: float, width: float, y: float) -> bool:
    foot = np.array([[x, y, 0], [x + width, y, 0], [x, y + 9, 0], [x + width, y + 9, 0]])
    pixels, depth = camera.project(foot)
    if depth.max() < 1:
        return False
    return bool(depth.min() < 1 or (pixels[:, 0].max() > -40 and pixels[:, 0].min() < camera.width + 40))


def _house(rng: np.random.Generator, wall: Wall, x: float, width: float, floors: int) -> None:
    colour = _tone(WALLS[rng.integers(len(WALLS))], rng.uniform(0.88, 1.06))
    height = 3.6 + 3.0 * floors
    y, depth = wall.y, 9.0
    for side, normal in ((x, -1.0), (x + width, 1.0)):
        if (wall.camera.position[0] - side) * normal > 0:
            corners = np.array(
                [[side, y, 0], [side, y + depth, 0], [side, y + depth, height], [side, y, height]]
            )
            wall.fill(corners, _tone(colour, 0.8), np.array([[normal, 0.0, 0.0]]))
    wall.quad(x, x + width, 0, height, colour)
    if rng.random() < 0.45:
        _gable(rng, wall, x, width, height)
    else:
        wall.quad(x - 0.15, x + width + 0.15, height - 0.35, height, _tone(colour, 1.12))
        wall.quad(x - 0.15, x + width + 0.15, height - 0.45, height - 0.35, _tone(colour, 0.7))
    _windows(rng, wall, x, width, floors, colour)
    _ground_floor(rng, wall, x, width, colour)


def _gable(rng: np.random.Generator, wall: Wall, x: float, width: float, height: float) -> None:
    roof: Vec = ((150, 78, 62), (96, 84, 88), (120, 66, 58))[rng.integers(3)]
    peak = height + width * 0.22
    y = wall.y
    wall.fill(
        np.array(
            [
                [x - 0.3, y, height],
                [x + width + 0.3, y, height],
                [x + width * 0.78, y + 3, peak],
                [x + width * 0.22, y + 3, peak],
            ]
        ),
        roof,
        np.array([[0.0, -0.7, 0.7]]),
    )
    wall.quad(x - 0.3, x + width + 0.3, height - 0.15, height + 0.05, _tone(roof, 0.7))


def _windows(rng: np.random.Generator, wall: Wall, x: float, width: float, floors: int, colour: Vec) -> None:
    count = max(2, int(width / rng.uniform(2.1, 3.0)))
    step = width / count
    wide, tall = step * rng.uniform(0.36, 0.54), rng.uniform(1.4, 1.9)
    frame = _tone(colour, 1.18)
    shutters = rng.random() < 0.3
    shutter = SHOPS[rng.integers(len(SHOPS))]
    for floor in range(floors):
        z = 4.3 + 3.0 * floor
        for i in range(count):
            middle = x + step * (i + 0.5)
            x0, x1 = middle - wide / 2, middle + wide / 2
            wall.quad(x0 - 0.12, x1 + 0.12, z - 0.16, z + tall + 0.1, frame)
            lit = bool(rng.random() < wall.light.lamps * 0.55)
            wall.quad(x0, x1, z, z + tall, PANE_LIT if lit else PANE, lit=lit)
            if not lit:
                wall.quad(x0, x0 + wide * 0.45, z + tall * 0.35, z + tall, _tone(PANE, 1.25))
            wall.quad(middle - 0.03, middle + 0.03, z, z + tall, frame)
            if shutters:
                wall.quad(x0 - 0.5, x0 - 0.1, z - 0.05, z + tall + 0.05, shutter)
                wall.quad(x1 + 0.1, x1 + 0.5, z - 0.05, z + tall + 0.05, shutter)


def _ground_floor(rng: np.random.Generator, wall: Wall, x: float, width: float, colour: Vec) -> None:
    shop = SHOPS[rng.integers(len(SHOPS))]
    wall.quad(x, x + width, 0, 0.5, _tone(colour, 0.66))
    door = x + width * rng.uniform(0.1, 0.75)
    if rng.random() < 0.65:
        lit = wall.light.lamps > 0.5
        wall.quad(x + 0.5, x + width - 0.5, 0.4, 2.5, _tone(shop, 0.6))
        wall.quad(x + 0.65, x + width - 0.65, 0.6, 2.4, PANE_LIT if lit else _tone(PANE, 0.8), lit=lit)
        for u in np.arange(x + 2.2, x + width - 1.0, 2.2):
            wall.quad(u, u + 0.1, 0.4, 2.5, _tone(shop, 0.6))
        _awning(wall, x + 0.4, x + width - 0.4, shop)
    else:
        for u in np.arange(x + 1.0, x + width - 1.6, 2.6):
            wall.quad(u - 0.1, u + 1.3, 1.0, 2.7, _tone(colour, 1.15))
            wall.quad(u, u + 1.2, 1.1, 2.6, PANE)
    wall.quad(door - 0.1, door + 1.2, 0, 2.45, _tone(colour, 1.15))
    wall.quad(door, door + 1.1, 0, 2.35, _tone(shop, 0.8))


def _awning(wall: Wall, x0: float, x1: float, colour: Vec) -> None:
    y = wall.y
    count = max(3, round((x1 - x0) / 0.8))
    edges = np.linspace(x0, x1, count + 1)
    for i, (a, b) in enumerate(pairwise(edges)):
        tone = colour if i % 2 else (240, 236, 226)
        slope = np.array([[a, y - 1.1, 2.55], [b, y - 1.1, 2.55], [b, y, 3.2], [a, y, 3.2]])
        wall.fill(slope, tone, np.array([[0.0, -0.5, 0.86]]))
        wall.quad(a, b, 2.35, 2.55, _tone(tone, 0.88), y=y - 1.1)
