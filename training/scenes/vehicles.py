"""Cars, trucks and buses as low-polygon solids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.scenes.mesh import Mesh, Part, Vec, disc, hexahedron, on_side, rectangle

GLASS: Vec = (58, 78, 98)
GLASS_LIGHT: Vec = (112, 142, 164)
TYRE: Vec = (34, 35, 40)
RIM: Vec = (176, 180, 186)
HEADLIGHT: Vec = (255, 244, 206)
TAILLIGHT: Vec = (206, 36, 40)
TRIM: Vec = (52, 55, 62)

CAR_PAINTS: tuple[Vec, ...] = (
    (214, 62, 54),
    (232, 232, 230),
    (52, 92, 168),
    (64, 68, 76),
    (166, 172, 178),
    (240, 178, 58),
    (46, 128, 122),
    (236, 126, 62),
    (122, 42, 58),
    (92, 150, 206),
    (116, 158, 92),
    (28, 40, 66),
    (198, 176, 146),
)
BOX_PAINTS: tuple[Vec, ...] = (
    (236, 236, 232),
    (224, 220, 206),
    (70, 120, 178),
    (214, 88, 64),
    (96, 156, 112),
    (238, 196, 84),
    (150, 158, 168),
)
BUS_PAINTS: tuple[Vec, ...] = (
    (222, 66, 56),
    (246, 190, 58),
    (62, 138, 192),
    (70, 160, 116),
    (240, 240, 236),
    (236, 128, 58),
    (128, 82, 150),
)


@dataclass(frozen=True)
class Vehicle:
    """A solid and the ground it needs: length and width in metres."""

    mesh: Mesh
    length: float
    width: float
    height: float


def _vary(rng: np.random.Generator, colour: Vec, spread: float = 10.0) -> Vec:
    moved = np.clip(np.array(colour) + rng.normal(0, spread, 3), 12, 250)
    return (float(moved[0]), float(moved[1]), float(moved[2]))


def _darker(colour: Vec, share: float) -> Vec:
    return (colour[0] * share, colour[1] * share, colour[2] * share)


def _wheels(part: Part, positions: tuple[float, ...], half: float, radius: float) -> None:
    for x in positions:
        for y in (-half - 0.01, half + 0.01):
            part.face(disc(x, y, radius + 0.05, radius * 1.16), (26, 27, 32))
            part.face(disc(x, y, radius, radius), TYRE)
            part.face(disc(x, y, radius, radius * 0.6), RIM)
            part.face(disc(x, y, radius, radius * 0.2, 8), (92, 96, 104))


def _lights(front: np.ndarray, back: np.ndarray, part: Part, v0: float, v1: float, wide: float) -> None:
    for u in (0.05, 0.95 - wide):
        part.face(on_side(front, u, u + wide, v0, v1), HEADLIGHT, 1.0)
        part.face(on_side(back, u, u + wide, v0, v1), TAILLIGHT, 0.9)


def make_car(rng: np.random.Generator, paint: Vec | None = None) -> Vehicle:
    """A saloon, hatchback, estate or tall car."""
    kind = rng.choice(["saloon", "hatch", "estate", "tall"])
    length = {"saloon": 4.6, "hatch": 3.9, "estate": 4.7, "tall": 4.5}[kind] * rng.uniform(0.95, 1.05)
    height = (1.72 if kind == "tall" else 1.46) * rng.uniform(0.97, 1.04)
    waist = height * 0.6
    half = rng.uniform(0.86, 0.94)
    colour = paint or _vary(rng, CAR_PAINTS[rng.integers(len(CAR_PAINTS))])
    front, back = length / 2, -length / 2
    mesh = Mesh()
    _car_body(mesh, colour, front, back, half, waist)
    boot = {"saloon": 0.20, "hatch": 0.05, "estate": 0.03, "tall": 0.04}[kind]
    _car_cabin(mesh, rng, colour, (front - length * 0.25, back + length * boot), half, waist, height)
    return Vehicle(mesh, length, 2 * half, height)


def _car_body(mesh: Mesh, colour: Vec, front: float, back: float, half: float, waist: float) -> None:
    sill = mesh.part((0, 0, 0.25))
    hexahedron(
        sill,
        rectangle(back + 0.12, front - 0.12, -half, half, 0.16),
        rectangle(back, front, -half, half, 0.42),
        TRIM,
    )
    body = mesh.part((0, 0, 0.6))
    sides = hexahedron(
        body,
        rectangle(back, front, -half, half, 0.4),
        rectangle(back + 0.06, front - 0.16, -half * 0.95, half * 0.95, waist),
        colour,
    )
    for side in (sides[1], sides[3]):
        body.face(on_side(side, 0, 1, 0.06, 0.12), _darker(colour, 0.72))
        body.face(on_side(side, 0.5, 0.507, 0.1, 0.95), _darker(colour, 0.62))
        body.face(on_side(side, 0.56, 0.61, 0.72, 0.78), _darker(colour, 0.55))
    _lights(sides[0], sides[2], body, 0.45, 0.8, 0.17)
    for side in (sides[0], sides[2]):
        body.face(on_side(side, 0.28, 0.72, 0.12, 0.42), TRIM)
        body.face(on_side(side, 0.4, 0.6, 0.16, 0.36), (232, 232, 220))
    radius = 0.33
    _wheels(body, (front - 0.78, back + 0.78), half, radius)


def _car_cabin(
    mesh: Mesh,
    rng: np.random.Generator,
    colour: Vec,
    span: tuple[float, float],
    half: float,
    waist: float,
    height: float,
) -> None:
    front, back = span
    cabin = mesh.part(((front + back) / 2, 0, (waist + height) / 2))
    slope = rng.uniform(0.5, 0.75)
    rear = 0.42 if back > -1.6 else 0.26
    low = rectangle(back, front, -half * 0.94, half * 0.94, waist - 0.01)
    high = rectangle(back + rear, front - slope, -half * 0.74, half * 0.74, height)
    sides = hexahedron(cabin, low, high, colour)
    cabin.face(on_side(sides[0], 0.05, 0.95, 0.08, 0.92), GLASS)
    cabin.face(on_side(sides[0], 0.1, 0.42, 0.12, 0.88), GLASS_LIGHT)
    cabin.face(on_side(sides[2], 0.08, 0.92, 0.14, 0.9), GLASS)
    for side in (sides[1], sides[3]):
        for u0, u1 in ((0.06, 0.48), (0.52, 0.93)):
            cabin.face(on_side(side, u0, u1, 0.1, 0.88), GLASS)
            cabin.face(on_side(side, u0 + 0.03, u0 + 0.16, 0.1, 0.88), GLASS_LIGHT)
    lid = high * np.array([0.9, 0.7, 1.0])
    cabin.face(lid, tuple(min(255.0, c * 1.08 + 6) for c in colour))  # type: ignore[arg-type]


def make_truck(rng: np.random.Generator) -> Vehicle:
    """A cab with a box, tank-free and trailer-free: the common delivery truck."""
    length, half = rng.uniform(6.2, 8.2), rng.uniform(1.12, 1.24)
    height = rng.uniform(2.9, 3.5)
    front, back = length / 2, -length / 2
    split = front - rng.uniform(1.7, 2.0)
    cab_paint = _vary(rng, CAR_PAINTS[rng.integers(len(CAR_PAINTS))])
    box_paint = _vary(rng, BOX_PAINTS[rng.integers(len(BOX_PAINTS))])
    mesh = Mesh(stacked=False)
    _truck_box(mesh, rng, box_paint, (back, split - 0.15), half, height)
    _truck_cab(mesh, cab_paint, (split, front), half * 0.95, min(2.55, height - 0.3))
    return Vehicle(mesh, length, 2 * half, height)


def _truck_box(
    mesh: Mesh,
    rng: np.random.Generator,
    paint: Vec,
    span: tuple[float, float],
    half: float,
    height: float,
) -> None:
    back, front = span
    middle = (back + front) / 2
    part = mesh.part((middle, 0, 1.2))
    hexahedron(
        part,
        rectangle(back + 0.1, front + 0.1, -half * 0.8, half * 0.8, 0.45),
        rectangle(back + 0.1, front + 0.1, -half * 0.8, half * 0.8, 0.95),
        TRIM,
    )
    _wheels(part, (back + 0.9, back + 1.9) if front - back > 5 else (back + 1.1,), half * 0.86, 0.45)
    sides = hexahedron(
        part, rectangle(back, front, -half, half, 0.92), rectangle(back, front, -half, half, height), paint
    )
    band = _vary(rng, CAR_PAINTS[rng.integers(len(CAR_PAINTS))])
    style = rng.integers(3)
    for side in (sides[1], sides[3]):
        part.face(on_side(side, 0, 1, 0, 0.05), _darker(paint, 0.6))
        if style == 0:
            part.face(on_side(side, 0, 1, 0.38, 0.6), band)
        elif style == 1:
            part.face(on_side(side, 0.18, 0.82, 0.3, 0.75), band)
            part.face(on_side(side, 0.24, 0.76, 0.45, 0.6), paint)
        else:
            for u in np.arange(0.1, 0.95, 0.1):
                part.face(on_side(side, u, u + 0.012, 0.05, 0.97), _darker(paint, 0.82))
    part.face(on_side(sides[2], 0.495, 0.505, 0.04, 0.96), _darker(paint, 0.55))
    part.face(on_side(sides[2], 0.03, 0.97, 0.0, 0.06), TRIM)
    for u in (0.06, 0.84):
        part.face(on_side(sides[2], u, u + 0.1, 0.01, 0.05), TAILLIGHT, 0.9)


def _truck_cab(mesh: Mesh, paint: Vec, span: tuple[float, float], half: float, height: float) -> None:
    back, front = span
    part = mesh.part(((back + front) / 2, 0, 1.2))
    hexahedron(
        part,
        rectangle(back - 0.1, front, -half, half, 0.35),
        rectangle(back - 0.1, front, -half, half, 0.8),
        TRIM,
    )
    low = rectangle(back, front, -half, half, 0.7)
    high = rectangle(back, front - 0.06, -half, half, 1.5)
    lower = hexahedron(part, low, high, paint)
    top = rectangle(back, front - 0.38, -half * 0.94, half * 0.94, height)
    upper = hexahedron(part, high, top, paint)
    part.face(on_side(upper[0], 0.06, 0.94, 0.08, 0.82), GLASS)
    part.face(on_side(upper[0], 0.12, 0.42, 0.1, 0.8), GLASS_LIGHT)
    for index in (1, 3):
        near, far = (0.1, 0.72) if index == 1 else (0.28, 0.9)
        part.face(on_side(upper[index], near, far, 0.06, 0.74), GLASS)
        part.face(on_side(lower[index], near, far, 0.02, 0.06), _darker(paint, 0.6))
    part.face(on_side(lower[0], 0.2, 0.8, 0.2, 0.7), TRIM)
    for u in (0.05, 0.81):
        part.face(on_side(lower[0], u, u + 0.14, 0.12, 0.4), HEADLIGHT, 1.0)
    _wheels(part, ((back + front) / 2 + 0.05,), half, 0.45)


def make_bus(rng: np.random.Generator) -> Vehicle:
    """A city bus: one long box with a row of windows and doors."""
    length, half, height = rng.uniform(8.6, 10.6), 1.25, rng.uniform(2.9, 3.15)
    paint = _vary(rng, BUS_PAINTS[rng.integers(len(BUS_PAINTS))], 8)
    front, back = length / 2, -length / 2
    mesh = Mesh()
    skirt = mesh.part((0, 0, 0.3))
    hexahedron(
        skirt,
        rectangle(back + 0.1, front - 0.1, -half, half, 0.22),
        rectangle(back, front, -half, half, 0.45),
        TRIM,
    )
    part = mesh.part((0, 0, 1.5))
    sides = hexahedron(
        part,
        rectangle(back, front, -half, half, 0.4),
        rectangle(back + 0.05, front - 0.14, -half * 0.97, half * 0.97, height),
        paint,
    )
    stripe: Vec = (244, 244, 240) if sum(paint) < 640 else (70, 120, 178)
    for index in (1, 3):
        _bus_side(part, sides[index], stripe, index == 3, round(length / 1.25))
    _bus_ends(part, sides[0], sides[2])
    _wheels(part, (front - 2.2, back + 2.3), half, 0.46)
    roof = mesh.part((0, 0, height))
    hexahedron(
        roof,
        rectangle(back + 1.5, front - 3.0, -half * 0.6, half * 0.6, height),
        rectangle(back + 1.7, front - 3.2, -half * 0.5, half * 0.5, height + 0.22),
        (226, 228, 228),
    )
    return Vehicle(mesh, length, 2 * half, height + 0.2)


def _bus_side(part: Part, side: np.ndarray, stripe: Vec, doors: bool, panes: int) -> None:
    part.face(on_side(side, 0.0, 1.0, 0.26, 0.32), stripe)
    part.face(on_side(side, 0.015, 0.985, 0.42, 0.86), TRIM)
    for i in range(panes):
        u0 = 0.02 + 0.96 * i / panes
        u1 = u0 + 0.96 / panes - 0.008
        part.face(on_side(side, u0, u1, 0.44, 0.84), GLASS, 0.3)
        part.face(on_side(side, u0 + 0.01, u0 + 0.03, 0.44, 0.84), GLASS_LIGHT)
    if doors:
        for u in (0.06, 0.52) if side[0][0] < side[1][0] else (0.42, 0.88):
            part.face(on_side(side, u, u + 0.1, 0.04, 0.86), TRIM)
            part.face(on_side(side, u + 0.008, u + 0.046, 0.08, 0.83), GLASS_LIGHT)
            part.face(on_side(side, u + 0.054, u + 0.092, 0.08, 0.83), GLASS_LIGHT)


def _bus_ends(part: Part, front: np.ndarray, back: np.ndarray) -> None:
    part.face(on_side(front, 0.04, 0.96, 0.36, 0.84), GLASS)
    part.face(on_side(front, 0.1, 0.4, 0.38, 0.82), GLASS_LIGHT)
    part.face(on_side(front, 0.2, 0.8, 0.87, 0.97), (40, 42, 48))
    part.face(on_side(front, 0.28, 0.72, 0.89, 0.95), (255, 176, 60), 1.0)
    part.face(on_side(back, 0.12, 0.88, 0.5, 0.86), GLASS)
    part.face(on_side(back, 0.2, 0.8, 0.1, 0.3), TRIM)
    for u in (0.05, 0.83):
        part.face(on_side(front, u, u + 0.12, 0.1, 0.2), HEADLIGHT, 1.0)
        part.face(on_side(back, u, u + 0.12, 0.12, 0.3), TAILLIGHT, 0.9)
