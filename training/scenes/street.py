"""The street itself: layout, ground, markings and everything that stands still behind the traffic."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from training.scenes.buildings import draw_houses, draw_skyline
from training.scenes.camera import Camera, FloatArray
from training.scenes.canvas import Canvas
from training.scenes.light import Light
from training.scenes.mesh import Vec

ASPHALT: tuple[Vec, ...] = ((96, 100, 110), (112, 112, 116), (84, 88, 96), (124, 120, 118))
PAVING: tuple[Vec, ...] = (
    (198, 190, 178),
    (184, 184, 186),
    (206, 196, 170),
    (170, 166, 164),
    (190, 172, 156),
)
GRASS: tuple[Vec, ...] = ((122, 170, 92), (104, 156, 88), (146, 176, 96))
CYCLE: tuple[Vec, ...] = ((178, 92, 78), (96, 100, 110), (84, 140, 110), (96, 124, 168))
WHITE: Vec = (238, 238, 232)
FAR = 160.0  # metres to either side that the street is drawn


@dataclass(frozen=True)
class Street:
    """Strips of ground across y, nearest first, metres.

    Attributes:
        near: start of the near pavement.
        cycle_near: start of the near cycle lane, end of the near pavement.
        lanes: borders of the motor lanes, nearest first.
        cycle_far: end of the far cycle lane, start of the far pavement.
        far: end of the far pavement, where the houses begin.
        crossing: x range of the zebra crossing, or None.
    """

    near: float
    cycle_near: float
    lanes: tuple[float, ...]
    cycle_far: float
    far: float
    crossing: tuple[float, float] | None
    asphalt: Vec
    paving: Vec
    grass: Vec
    cycle: Vec

    @property
    def lane_count(self) -> int:
        """How many motor lanes there are."""
        return len(self.lanes) - 1

    def lane_middle(self, index: int) -> float:
        """y of the middle of motor lane `index`, 0 nearest."""
        return (self.lanes[index] + self.lanes[index + 1]) / 2


def make_street(rng: np.random.Generator, near: float, lanes: int) -> Street:
    """A street whose near pavement starts `near` metres in front of the origin."""
    pavement = rng.uniform(3.0, 4.2)
    cycle = rng.uniform(1.5, 1.9)
    lane = rng.uniform(3.1, 3.5)
    first = near + pavement + cycle
    borders = tuple(first + lane * i for i in range(lanes + 1))
    cross = rng.uniform(-5, 8)
    return Street(
        near=near,
        cycle_near=near + pavement,
        lanes=borders,
        cycle_far=borders[-1] + cycle,
        far=borders[-1] + cycle + rng.uniform(3.0, 4.5),
        crossing=(cross, cross + rng.uniform(3.0, 4.0)) if rng.random() < 0.7 else None,
        asphalt=_pick(rng, ASPHALT),
        paving=_pick(rng, PAVING),
        grass=_pick(rng, GRASS),
        cycle=_pick(rng, CYCLE),
    )


def _pick(rng: np.random.Generator, options: tuple[Vec, ...]) -> Vec:
    moved = np.clip(np.array(options[rng.integers(len(options))]) + rng.normal(0, 7, 3), 10, 245)
    return (float(moved[0]), float(moved[1]), float(moved[2]))


def draw_background(
    rng: np.random.Generator, street: Street, camera: Camera, light: Light
) -> npt.NDArray[np.uint8]:
    """Sky, houses, trees, ground and markings as an RGB picture (H, W, 3)."""
    canvas = Canvas(_sky(rng, camera, light))
    draw_skyline(rng, canvas, camera, light, street.far)
    _ground(canvas, street, camera, light)
    _markings(canvas, street, camera, light)
    draw_houses(rng, canvas, camera, light, street.far)
    return canvas.picture


def _sky(rng: np.random.Generator, camera: Camera, light: Light) -> npt.NDArray[np.uint8]:
    horizon = camera.height / 2 - camera.focal * np.tan(camera.pitch)
    rows = np.clip(np.arange(camera.height) / max(horizon, 1.0), 0, 1)[:, None]
    column = light.sky_top + (light.sky_low - light.sky_top) * rows**0.8
    picture = np.repeat(column[:, None, :], camera.width, axis=1).astype(np.uint8)
    if light.name in ("day", "dusk"):
        _clouds(rng, picture, horizon, light)
    return picture


def _clouds(rng: np.random.Generator, picture: npt.NDArray[np.uint8], horizon: float, light: Light) -> None:
    unit = picture.shape[1] / 100
    layer = picture.copy()
    for _ in range(int(rng.integers(2, 6))):
        x, y = rng.uniform(0, picture.shape[1]), rng.uniform(0, max(horizon, 1) * 0.8)
        for k in range(5):
            radius = unit * rng.uniform(1.6, 3.2) * (1.2 - 0.22 * abs(k - 2))
            centre = (int(x + (k - 2) * unit * 2.6), int(y - radius * 0.3))
            tone = light.sky_low * 0.3 + np.array([255, 253, 250]) * 0.7
            cv2.circle(layer, centre, max(1, int(radius)), tuple(float(c) for c in tone), -1, cv2.LINE_AA)
    cv2.addWeighted(layer, 0.75, picture, 0.25, 0, picture)


def _strip(
    canvas: Canvas,
    camera: Camera,
    light: Light,
    x: tuple[float, float],
    y: tuple[float, float],
    colour: Vec,
    z: float = 0.0,
) -> None:
    """Fill one level rectangle of ground."""
    corners = np.array([[x[0], y[0], z], [x[1], y[0], z], [x[1], y[1], z], [x[0], y[1], z]])
    distance = float(np.hypot(np.mean(x) - camera.position[0], np.mean(y) - camera.position[1]))
    if x[1] - x[0] > FAR:
        distance = y[0] - float(camera.position[1])
    shaded = light.shade(np.array([colour]), np.array([[0.0, 0.0, 1.0]]), distance)[0]
    canvas.polygon(camera.project_clipped(corners), shaded)


def _ground(canvas: Canvas, street: Street, camera: Camera, light: Light) -> None:
    wide = (-FAR, FAR)
    kerb: Vec = (216, 214, 208)
    _strip(canvas, camera, light, wide, (-20, 400), street.grass)
    _strip(canvas, camera, light, wide, (street.near, street.cycle_near), street.paving)
    _strip(canvas, camera, light, wide, (street.cycle_near, street.cycle_far), street.asphalt)
    _strip(canvas, camera, light, wide, (street.cycle_near, street.lanes[0] - 0.15), street.cycle)
    _strip(canvas, camera, light, wide, (street.lanes[-1] + 0.15, street.cycle_far), street.cycle)
    _strip(canvas, camera, light, wide, (street.cycle_far, street.far + 12), street.paving)
    _strip(canvas, camera, light, wide, (street.cycle_near - 0.2, street.cycle_near), kerb)
    _strip(canvas, camera, light, wide, (street.cycle_far, street.cycle_far + 0.2), kerb)
    _strip(canvas, camera, light, wide, (street.near - 0.15, street.near), kerb)
    joint = (street.paving[0] * 0.92, street.paving[1] * 0.92, street.paving[2] * 0.92)
    for y0, y1 in ((street.near, street.cycle_near - 0.2), (street.cycle_far + 0.2, street.far)):
        for y in np.arange(y0 + 1.1, y1, 1.1):
            _strip(canvas, camera, light, wide, (y, y + 0.04), joint)
        for x in np.arange(-40, 70, 1.6):
            _strip(canvas, camera, light, (x, x + 0.04), (y0, y1), joint)


def _markings(canvas: Canvas, street: Street, camera: Camera, light: Light) -> None:
    wide = (-FAR, FAR)
    middle = street.lane_count // 2
    for index, y in enumerate(street.lanes):
        if index in (0, street.lane_count) or (index == middle and street.lane_count > 2):
            _strip(canvas, camera, light, wide, (y - 0.07, y + 0.07), WHITE)
            continue
        for x in np.arange(-60, 110, 4.0):
            _strip(canvas, camera, light, (x, x + 1.8), (y - 0.06, y + 0.06), WHITE)
    if street.crossing is not None:
        _zebra(canvas, street, camera, light, street.crossing)


def _zebra(canvas: Canvas, street: Street, camera: Camera, light: Light, span: tuple[float, float]) -> None:
    _strip(
        canvas,
        camera,
        light,
        (span[0] - 0.4, span[1] + 0.4),
        (street.cycle_near, street.cycle_far),
        street.asphalt,
    )
    for y in np.arange(street.cycle_near + 0.3, street.cycle_far - 0.5, 1.0):
        _strip(canvas, camera, light, span, (y, y + 0.52), WHITE)
    half = street.lanes[street.lane_count // 2]
    _strip(canvas, camera, light, (span[0] - 1.6, span[0] - 1.2), (street.lanes[0], half), WHITE)
    _strip(canvas, camera, light, (span[1] + 1.2, span[1] + 1.6), (half, street.lanes[-1]), WHITE)


def ground_shadow(
    camera: Camera, light: Light, outlines: list[FloatArray], picture: npt.NDArray[np.uint8]
) -> None:
    """Darken the ground below convex outlines, each (K, 2) pixels, softly."""
    if not outlines:
        return
    mask = np.zeros(picture.shape[:2], np.uint8)
    for outline in outlines:
        hull = cv2.convexHull(np.round(np.clip(outline, -30000, 30000) * 16).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, (255,), cv2.LINE_AA, 4)
    size = max(3, round(camera.width / 160)) | 1
    mask = cv2.blur(mask, (size, size)).astype(np.uint8)
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return
    part = slice(int(rows[0]), int(rows[-1]) + 1)
    share = (255 - light.shadow * mask[part]).astype(np.uint8)
    picture[part] = cv2.multiply(picture[part], cv2.merge([share, share, share]), scale=1 / 255)
