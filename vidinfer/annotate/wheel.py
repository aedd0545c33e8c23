"""The colour wheel of optical flow: the hue is the direction, the saturation the length.

After S. Baker, D. Scharstein, J. P. Lewis, S. Roth, M. J. Black and R. Szeliski, "A Database and Evaluation Methodology
for Optical Flow", International Journal of Computer Vision 92 (2011): 55 hues, so spaced that equal steps of direction
look equally far apart; white is no movement.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["wheel_picture"]

_RED, _YELLOW, _GREEN, _CYAN, _BLUE, _MAGENTA = np.array(
    [(255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255)], np.float64
)
_STEPS = (
    (_RED, _YELLOW, 15),
    (_YELLOW, _GREEN, 6),
    (_GREEN, _CYAN, 4),
    (_CYAN, _BLUE, 11),
    (_BLUE, _MAGENTA, 13),
    (_MAGENTA, _RED, 6),
)


def wheel_picture(radius: int) -> NDArray[np.uint8]:
    """The wheel: pixel ``(radius + y, radius + x)`` has the colour of the vector ``(x, y) / radius``.

    Vectors longer than 1 have the colour of those of length 1.

    Returns:
        ``(2 * radius + 1, 2 * radius + 1, 3)``.
    """
    axis = np.arange(-radius, radius + 1) / max(radius, 1)
    x, y = np.meshgrid(axis, axis)
    hues = np.concatenate([np.linspace(a, b, n, endpoint=False) for a, b, n in _STEPS])
    turn = (np.arctan2(-y, -x) / np.pi + 1) / 2 * (len(hues) - 1)
    low = np.floor(turn).astype(np.int64)
    share = (turn - low)[..., None]
    hue = hues[low] * (1 - share) + hues[(low + 1) % len(hues)] * share
    length = np.minimum(np.hypot(x, y), 1)[..., None]
    return np.rint(255 - length * (255 - hue)).astype(np.uint8)
