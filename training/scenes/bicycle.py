"""Bicycles, always with a rider, in one object."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from training.scenes.camera import FloatArray
from training.scenes.mesh import Vec
from training.scenes.people import Limb, Outfit, joint, trunk

WHEEL = 0.34  # metres
LENGTH = 1.75
FRAMES: tuple[Vec, ...] = (
    (214, 58, 52),
    (44, 92, 170),
    (40, 42, 48),
    (236, 236, 232),
    (62, 150, 120),
    (240, 168, 52),
    (128, 132, 140),
)


def riding(outfit: Outfit, frame: Vec, phase: float) -> list[Limb]:
    """Limbs of a bicycle and its rider; phase is the angle of the pedals."""
    return _wheel(-0.53, phase) + _wheel(0.53, phase) + _frame(frame) + _rider(outfit, phase)


def _wheel(x: float, phase: float) -> list[Limb]:
    count = 14
    angle = np.arange(count + 1) * (2 * math.pi / count)
    rim = [joint(x + WHEEL * math.cos(a), 0, WHEEL + WHEEL * math.sin(a)) for a in angle]
    tyre: Vec = (38, 38, 42)
    limbs = [Limb(a, b, 0.03, 0.03, tyre) for a, b in pairwise(rim)]
    hub = joint(x, 0, WHEEL)
    for k in range(3):
        turn = phase * 1.6 + k * math.pi / 3
        spoke = 0.92 * WHEEL * joint(math.cos(turn), 0, math.sin(turn))
        limbs.append(Limb(hub - spoke, hub + spoke, 0.009, 0.009, (170, 172, 178)))
    return limbs


def _frame(colour: Vec) -> list[Limb]:
    rear, front = joint(-0.53, 0, WHEEL), joint(0.53, 0, WHEEL)
    crank, seat = joint(-0.06, 0, 0.3), joint(-0.24, 0, 0.86)
    head_low, head = joint(0.42, 0, 0.62), joint(0.36, 0, 0.92)
    tubes = [(rear, crank), (rear, seat), (crank, seat), (crank, head_low), (seat, head_low), (head, front)]
    limbs = [Limb(a, b, 0.028, 0.028, colour) for a, b in tubes]
    limbs.append(Limb(joint(-0.34, 0, 0.9), joint(-0.14, 0, 0.91), 0.06, 0.035, (40, 38, 40)))
    for side in (1, -1):
        limbs.append(Limb(joint(0.36, 0, 0.98), joint(0.3, 0.24 * side, 1.02), 0.022, 0.022, (50, 50, 54)))
    return limbs


def _rider(outfit: Outfit, phase: float) -> list[Limb]:
    hip, neck = joint(-0.22, 0, 0.98), joint(0.1, 0, 1.44)
    limbs: list[Limb] = []
    for side, turn in ((1, 0.0), (-1, math.pi)):
        limbs += _pedalling_leg(outfit, hip, side, phase + turn)
        shoulder, hand = joint(0.06, 0.19 * side, 1.38), joint(0.32, 0.24 * side, 1.04)
        elbow = (shoulder + hand) / 2 + joint(-0.06, 0.06 * side, -0.06)
        limbs.append(Limb(elbow, hand, 0.045, 0.04, outfit.skin))
        limbs.append(Limb(shoulder, elbow, 0.06, 0.05, outfit.top))
    return limbs + trunk(outfit, hip, neck)


def _pedalling_leg(outfit: Outfit, hip: FloatArray, side: int, phase: float) -> list[Limb]:
    thigh, shin = 0.44, 0.46
    start = hip + joint(0, 0.09 * side, -0.02)
    foot = joint(-0.06 + 0.17 * math.cos(-phase), 0.1 * side, 0.34 + 0.17 * math.sin(-phase))
    gap = foot - start
    reach = min(float(np.hypot(gap[0], gap[2])), thigh + shin - 0.01)
    direction = math.atan2(gap[0], -gap[2])
    opening = math.acos((thigh**2 + reach**2 - shin**2) / (2 * thigh * reach))
    knee = start + thigh * joint(math.sin(direction + opening), 0, -math.cos(direction + opening))
    cloth = outfit.bottom
    return [
        Limb(foot, foot + joint(0.14, 0, -0.01), 0.05, 0.04, outfit.shoes),
        Limb(knee, foot, 0.07, 0.05, cloth),
        Limb(start, knee, 0.095, 0.07, cloth),
    ]
