"""Pictures that look like something: slopes, edges, small detail and noise, so that resampling matters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def scene(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """``(height, width, 3)`` uint8, the same for the same arguments."""
    rng = np.random.default_rng([seed, width, height])
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    slopes = [x / width, y / height, (x + y) / (width + height)]
    picture = 40 + 160 * np.stack(slopes, axis=-1)
    picture += 30 * np.sin(x * 0.9 + seed)[..., None] * np.sin(y * 0.31)[..., None]
    for _ in range(14):
        x0, y0 = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(2, max(3, width // 3)), rng.integers(2, max(3, height // 3))
        picture[y0 : y0 + h, x0 : x0 + w] = rng.integers(0, 256, 3)
    picture += rng.normal(0, 12, picture.shape)
    return picture.clip(0, 255).astype(np.uint8)
