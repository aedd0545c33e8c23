"""Walking people and riders, drawn as rounded limbs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from training.scenes.camera import Camera, FloatArray
from training.scenes.canvas import Canvas
from training.scenes.light import Light
from training.scenes.mesh import Vec, rotation

SKIN: tuple[Vec, ...] = ((242, 204, 176), (224, 172, 136), (188, 132, 96), (140, 92, 66), (98, 64, 48))
HAIR: tuple[Vec, ...] = (
    (44, 34, 30),
    (84, 56, 40),
    (148, 104, 62),
    (206, 170, 108),
    (150, 150, 150),
    (164, 72, 40),
)
TOPS: tuple[Vec, ...] = (
    (218, 70, 62),
    (68, 112, 184),
    (240, 240, 236),
    (56, 62, 74),
    (244, 190, 72),
    (84, 156, 120),
    (150, 96, 168),
    (236, 140, 90),
    (40, 130, 146),
    (176, 190, 204),
    (124, 80, 64),
    (232, 150, 176),
)
BOTTOMS: tuple[Vec, ...] = (
    (52, 66, 98),
    (44, 46, 54),
    (110, 98, 86),
    (80, 104, 140),
    (170, 158, 138),
    (88, 54, 62),
)


@dataclass(frozen=True)
class Limb:
    """A rounded stick between two joints (3,), metres, with a radius at each."""

    start: FloatArray
    end: FloatArray
    radius: float
    radius_end: float
    colour: Vec


@dataclass(frozen=True)
class Outfit:
    """What one person looks like."""

    height: float
    skin: Vec
    hair: Vec
    top: Vec
    bottom: Vec
    shoes: Vec
    skirt: bool
    long_hair: bool
    hat: bool
    bag: Vec | None
    build: float


def make_outfit(rng: np.random.Generator) -> Outfit:
    """Clothes, hair and size of a random person."""

    def pick(options: tuple[Vec, ...]) -> Vec:
        base = np.clip(np.array(options[rng.integers(len(options))]) + rng.normal(0, 9, 3), 10, 250)
        return (float(base[0]), float(base[1]), float(base[2]))

    child = rng.random() < 0.08
    return Outfit(
        height=rng.uniform(1.3, 1.5) if child else rng.uniform(1.62, 1.9),
        skin=pick(SKIN),
        hair=pick(HAIR),
        top=pick(TOPS),
        bottom=pick(BOTTOMS),
        shoes=(236, 236, 236) if rng.random() < 0.3 else (44, 40, 42),
        skirt=bool(rng.random() < 0.22),
        long_hair=bool(rng.random() < 0.4),
        hat=bool(rng.random() < 0.15),
        bag=pick(TOPS) if rng.random() < 0.35 else None,
        build=rng.uniform(0.92, 1.14),
    )


def joint(x: float, y: float, z: float) -> FloatArray:
    """A point (3,) in own axes, metres."""
    return np.array([x, y, z])


def _dim(colour: Vec, share: float) -> Vec:
    return (colour[0] * share, colour[1] * share, colour[2] * share)


def walking(outfit: Outfit, phase: float, stride: float = 1.0) -> list[Limb]:
    """Limbs of a walker; phase in radians, stride 0 stands still."""
    scale = outfit.height / 1.75
    hip_z = 0.9 + 0.025 * math.cos(2 * phase) * stride
    limbs: list[Limb] = []
    for side, turn in ((1, 0.0), (-1, math.pi)):
        limbs += _leg(outfit, hip_z, side, phase + turn, stride)
        limbs += _arm(outfit, hip_z, side, phase + turn + math.pi, stride)
    limbs += trunk(outfit, joint(0.0, 0, hip_z), joint(0.04, 0, hip_z + 0.53))
    if outfit.skirt:
        limbs.append(Limb(joint(0, 0, hip_z + 0.08), joint(0.02, 0, hip_z - 0.34), 0.14, 0.22, outfit.top))
    return [_scaled(limb, scale) for limb in limbs]


def _scaled(limb: Limb, scale: float) -> Limb:
    return Limb(
        limb.start * scale, limb.end * scale, limb.radius * scale, limb.radius_end * scale, limb.colour
    )


def _leg(outfit: Outfit, hip_z: float, side: int, phase: float, stride: float) -> list[Limb]:
    swing = 0.46 * math.sin(phase) * stride
    bend = (0.12 + 0.55 * max(0.0, math.cos(phase))) * stride
    hip = joint(0, 0.09 * side, hip_z)
    knee = hip + 0.44 * joint(math.sin(swing), 0, -math.cos(swing))
    ankle = knee + 0.40 * joint(math.sin(swing - bend), 0, -math.cos(swing - bend))
    ankle[2] = max(ankle[2], 0.07)
    toe = ankle + joint(0.15, 0, -0.03)
    cloth = outfit.skin if outfit.skirt else outfit.bottom
    cloth = cloth if side > 0 else _dim(cloth, 0.86)
    return [
        Limb(ankle, toe, 0.05, 0.045, outfit.shoes),
        Limb(knee, ankle, 0.07, 0.055, cloth),
        Limb(hip, knee, 0.095, 0.07, cloth),
    ]


def _arm(outfit: Outfit, hip_z: float, side: int, phase: float, stride: float) -> list[Limb]:
    swing = 0.42 * math.sin(phase) * stride
    bend = 0.35 + 0.2 * math.sin(phase) * stride
    shoulder = joint(0.03, 0.2 * side * outfit.build, hip_z + 0.5)
    elbow = shoulder + 0.28 * joint(math.sin(swing), 0.12 * side, -math.cos(swing))
    hand = elbow + 0.25 * joint(math.sin(swing + bend), 0, -math.cos(swing + bend))
    sleeve = _dim(outfit.top, 0.88)
    return [Limb(elbow, hand, 0.045, 0.04, outfit.skin), Limb(shoulder, elbow, 0.062, 0.05, sleeve)]


def trunk(outfit: Outfit, hip: FloatArray, neck: FloatArray) -> list[Limb]:
    """Body, head, hair and bag between the hip and the neck, both (3,)."""
    head = neck + joint(0.03, 0, 0.2)
    wide = 0.155 * outfit.build
    limbs = [
        Limb(hip, hip + 0.3 * (neck - hip), 0.15 * outfit.build, 0.14 * outfit.build, outfit.bottom),
        Limb(
            hip + 0.25 * (neck - hip), neck - joint(0, 0, 0.1), 0.15 * outfit.build, wide + 0.02, outfit.top
        ),
        Limb(neck - joint(0, 0, 0.03), head, 0.06, 0.06, _dim(outfit.skin, 0.9)),
        Limb(head + joint(0.01, 0, -0.02), head + joint(0.01, 0, 0.03), 0.105, 0.11, outfit.skin),
        Limb(head + joint(-0.03, 0, 0.04), head + joint(0.0, 0, 0.07), 0.11, 0.105, outfit.hair),
    ]
    if outfit.long_hair:
        limbs.insert(
            3, Limb(head + joint(-0.06, 0, 0.02), neck + joint(-0.1, 0, -0.04), 0.1, 0.08, outfit.hair)
        )
    if outfit.hat:
        limbs.append(Limb(head + joint(-0.02, 0, 0.09), head + joint(0.1, 0, 0.07), 0.1, 0.05, outfit.top))
    if outfit.bag is not None:
        middle = hip + 0.75 * (neck - hip)
        limbs.append(
            Limb(middle + joint(-0.2, 0, 0.02), middle + joint(-0.21, 0, -0.26), 0.11, 0.12, outfit.bag)
        )
    return limbs


def draw_limbs(
    limbs: list[Limb],
    canvas: Canvas,
    camera: Camera,
    light: Light,
    at: FloatArray,
    heading: float,
) -> None:
    """Draw limbs standing at `at` (3,), the farthest from the camera first."""
    turn = rotation(heading)
    ends = np.array([end for limb in limbs for end in (limb.start, limb.end)])
    pixels, depth = camera.project(ends @ turn.T + at)
    if depth.min() < 0.8:
        return
    distance = float(depth.mean())
    sun_side = 0.5 + 0.5 * float(light.sun[2])
    for index in np.argsort(-(depth[0::2] + depth[1::2]), kind="stable"):
        limb = limbs[index]
        base = np.array(limb.colour)
        colour = light.fade(np.clip(base * (light.ambient + light.direct * sun_side * 0.7), 0, 255), distance)
        scale = camera.focal / depth[2 * index]
        _capsule(
            canvas,
            pixels[2 * index],
            pixels[2 * index + 1],
            limb.radius * scale,
            limb.radius_end * scale,
            colour,
        )


_HALF = np.linspace(np.pi / 2, 3 * np.pi / 2, 7)
HALF_TURN = np.stack([np.cos(_HALF), np.sin(_HALF)], axis=1)


def _capsule(canvas: Canvas, a: FloatArray, b: FloatArray, ra: float, rb: float, colour: FloatArray) -> None:
    along = b - a
    length = float(np.hypot(along[0], along[1]))
    if length < 0.2 * max(ra, rb):
        canvas.circle((a + b) / 2, max(ra, rb), colour)
        return
    c, s = along / length
    turn = np.array([[c, s], [-s, c]])
    outline = np.concatenate([a + ra * (HALF_TURN @ turn), b - rb * (HALF_TURN @ turn)])
    canvas.polygon(outline, colour)
    if ra > 5 and light_enough(colour):
        # A lighter band on the sunny side rounds the limb off.
        offset = np.array([-s, c]) if c >= 0 else np.array([s, -c])
        shine = np.clip(colour * 1.1 + 5, 0, 255)
        inner = np.array(
            [a - offset * ra * 0.75, a - offset * ra * 0.2, b - offset * rb * 0.2, b - offset * rb * 0.75]
        )
        canvas.polygon(inner, shine)


def light_enough(colour: FloatArray) -> bool:
    """Whether a highlight would show on this colour."""
    return bool(colour.sum() > 90)
