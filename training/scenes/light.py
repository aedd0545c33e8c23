"""Sun, sky colour and haze of one scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.scenes.camera import FloatArray


@dataclass(frozen=True)
class Light:
    """How surfaces take their colour.

    Attributes:
        name: day, overcast, dusk or night.
        sun: unit vector towards the sun, world axes, shape (3,).
        ambient: share of light that comes from everywhere, (3,) per channel.
        direct: share that comes from the sun, (3,) per channel.
        shadow: darkness of ground shadows, 0..1.
        haze: colour that far things fade to, (3,) in 0..255.
        haze_length: metres after which about two thirds have faded.
        sky_top: colour of the sky overhead, (3,).
        sky_low: colour of the sky at the horizon, (3,).
        lamps: how brightly lamps and lit windows show, 0..1.
    """

    name: str
    sun: FloatArray
    ambient: FloatArray
    direct: FloatArray
    shadow: float
    haze: FloatArray
    haze_length: float
    sky_top: FloatArray
    sky_low: FloatArray
    lamps: float

    def shade(self, colours: FloatArray, normals: FloatArray, distance: float) -> FloatArray:
        """Flat shading: colours (N, 3), outward normals (N, 3) to colours (N, 3)."""
        facing = np.clip(normals @ self.sun, 0.0, 1.0)[:, None]
        upward = (0.88 + 0.12 * normals[:, 2])[:, None]
        lit = colours * (self.ambient * upward + self.direct * facing)
        return self.fade(np.clip(lit, 0, 255), distance)

    def fade(self, colours: FloatArray, distance: float) -> FloatArray:
        """Mix colours with the haze seen over `distance` metres."""
        share = 1.0 - np.exp(-max(distance, 0.0) / self.haze_length)
        result: FloatArray = colours + (self.haze - colours) * share
        return result


# name: ambient, direct, shadow, haze, haze length, sky top, sky low, lamps
_MOODS: dict[str, tuple[object, ...]] = {
    "day": (
        (0.66, 0.69, 0.76),
        (0.46, 0.44, 0.38),
        0.42,
        (206, 224, 238),
        260.0,
        (92, 160, 222),
        (214, 234, 244),
        0.0,
    ),
    "overcast": (
        (0.82, 0.84, 0.87),
        (0.12, 0.12, 0.12),
        0.2,
        (196, 202, 208),
        150.0,
        (160, 172, 186),
        (214, 220, 224),
        0.1,
    ),
    "dusk": (
        (0.56, 0.50, 0.60),
        (0.50, 0.34, 0.20),
        0.36,
        (238, 186, 158),
        200.0,
        (92, 98, 160),
        (250, 196, 146),
        0.6,
    ),
    "night": (
        (0.34, 0.37, 0.50),
        (0.10, 0.10, 0.13),
        0.25,
        (40, 48, 78),
        200.0,
        (16, 22, 52),
        (52, 62, 104),
        1.0,
    ),
}


def make_light(rng: np.random.Generator, name: str) -> Light:
    """A light of the named mood with the sun somewhere behind the camera."""
    ambient, direct, shadow, haze, length, top, low, lamps = _MOODS[name]
    low_sun = name == "dusk"
    height = np.deg2rad(rng.uniform(22, 34) if low_sun else rng.uniform(40, 68))
    side = np.deg2rad(rng.uniform(-70, 70))
    sun = np.array([np.sin(side) * np.cos(height), -np.cos(side) * np.cos(height), np.sin(height)])
    gain = rng.uniform(0.88, 1.1)
    return Light(
        name=name,
        sun=sun,
        ambient=np.array(ambient) * gain,
        direct=np.array(direct) * gain,
        shadow=float(shadow),  # type: ignore[arg-type]
        haze=np.array(haze, dtype=np.float64),
        haze_length=float(length) * rng.uniform(0.7, 1.3),  # type: ignore[arg-type]
        sky_top=np.array(top, dtype=np.float64),
        sky_low=np.array(low, dtype=np.float64),
        lamps=float(lamps),  # type: ignore[arg-type]
    )
