"""One stable colour per class: the same id has the same colour in every frame, every run and every model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Colour", "Palette", "contrast", "ink_on"]

Colour = tuple[int, int, int]
"""Red, green, blue in 0..255."""

DARK: Colour = (12, 14, 18)
LIGHT: Colour = (255, 255, 255)

_LARGEST = 192
"""Distinct colours; beyond that neighbours could not be told apart anyway, so ids start over."""

_LIGHTNESS = np.linspace(0.64, 0.86, 5)
"""OKLab lightness that stands out on dark and on bright pictures alike."""
_CHROMA = np.array([0.12, 0.15, 0.18])
_HUES = np.arange(0, 360, 7.5)


class Palette:
    """Colours by class id, chosen so that each is as far from all earlier ones as the gamut allows.

    The order does not depend on how many classes there are, so class 3 looks the same in every model.
    """

    def __init__(self, classes: int) -> None:
        """Prepare ``classes`` colours (at least one)."""
        self._colours = _spread(min(max(classes, 1), _LARGEST))

    def __getitem__(self, label: int) -> Colour:
        """The colour of class ``label``."""
        return self._colours[label % len(self._colours)]

    def __len__(self) -> int:
        """How many distinct colours there are."""
        return len(self._colours)


def contrast(a: Colour, b: Colour) -> float:
    """The WCAG contrast ratio of two colours, 1 (equal) to 21 (black on white)."""
    bright, dim = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def ink_on(background: Colour) -> Colour:
    """The colour, near black or white, that text on ``background`` is best read in."""
    return max(DARK, LIGHT, key=lambda ink: contrast(ink, background))


def _luminance(colour: Colour) -> float:
    c = np.asarray(colour, np.float64) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _spread(count: int) -> tuple[Colour, ...]:
    """Greedy farthest points in OKLab, where distance is close to what the eye sees."""
    lab, rgb = _candidates()
    chosen = [int(np.argmin(np.linalg.norm(lab - [0.70, -0.03, -0.13], axis=1)))]  # a clear blue comes first
    distance = np.linalg.norm((lab - lab[chosen[0]]) * _WEIGHTS, axis=1)
    vivid = np.hypot(lab[:, 1], lab[:, 2]) + lab[:, 0] / 4  # dull and dark ones wait until they are needed
    while len(chosen) < count:
        chosen.append(int(np.argmax(distance * vivid)))
        distance = np.minimum(distance, np.linalg.norm((lab - lab[chosen[-1]]) * _WEIGHTS, axis=1))
    return tuple((int(r), int(g), int(b)) for r, g, b in rgb[chosen])


_WEIGHTS = np.array([0.55, 1.0, 1.0])
"""Hue separates thin lines better than lightness does, so lightness counts for less."""


def _candidates() -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """All colours to choose from that sRGB can show: OKLab ``(n, 3)`` and sRGB ``(n, 3)``."""
    light, chroma, hue = (
        a.ravel() for a in np.meshgrid(_LIGHTNESS, _CHROMA, np.radians(_HUES), indexing="ij")
    )
    lab = np.stack([light, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)
    linear = _linear_rgb(lab)
    shown = ((linear >= 0) & (linear <= 1)).all(axis=1)
    lab, linear = lab[shown], linear[shown]
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return lab, np.rint(encoded * 255).astype(np.uint8)


def _linear_rgb(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """OKLab to linear sRGB (Ottosson's matrices); values outside 0..1 are out of gamut."""
    to_lms = np.array(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    rgb: NDArray[np.float64] = (lab @ to_lms.T) ** 3 @ to_rgb.T
    return rgb
