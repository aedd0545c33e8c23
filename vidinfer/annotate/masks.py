"""Instance masks: the object's pixels tinted, and the line around them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.bands import bands
from vidinfer.annotate.palette import Colour

__all__ = ["draw_masks", "mask_bounds"]

_TINT = 0.45
"""Share of the object's colour in what is shown."""
_INSIDE = 127
"""A mask value above this, of 255, is the object."""


def draw_masks(
    rgb: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    masks: NDArray[np.float32],
    colours: Sequence[Colour],
    line: int,
) -> None:
    """Tint the objects in their colours; the first on top. Memory for one box at a time.

    Args:
        rgb: ``(height, width, 3)``, drawn on in place; nothing outside the boxes changes.
        boxes: ``(m, 4)``: x1, y1, x2, y2 in pixels; those that are empty or not finite are left out.
        masks: ``(m, h, w)`` in [0, 1], stretched over the boxes.
        colours: ``m``.
        line: width of the outline in pixels.
    """
    if masks.size == 0:
        return
    bounds = mask_bounds(boxes, rgb.shape[1], rgb.shape[0]).tolist()
    for i in reversed(range(len(bounds))):
        x1, y1, x2, y2 = bounds[i]
        if x1 < x2 and y1 < y2:
            inside = _inside(masks[i], boxes[i].tolist(), x1, y1, x2, y2)
            _draw_one(rgb[y1:y2, x1:x2], inside, colours[i], line)


def mask_bounds(boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.int64]:
    """``(m, 4)``: the pixels of the picture that lie in each box at least in part; empty where it is no box.

    They are all that ``draw_masks`` changes.
    """
    known = np.all(np.isfinite(boxes), axis=1) & np.all(boxes[:, :2] < boxes[:, 2:], axis=1)
    near = np.clip(np.where(np.expand_dims(known, 1), boxes, 0), 0, [width, height] * 2)
    return np.concatenate([np.floor(near[:, :2]), np.ceil(near[:, 2:])], axis=1).astype(np.int64)


def _inside(
    mask: NDArray[np.float32], box: Sequence[float], x1: int, y1: int, x2: int, y2: int
) -> NDArray[np.uint8]:
    """255 where the pixels ``[y1:y2, x1:x2]`` belong to the object, else 0. Outside of its box nothing does."""
    h, w = mask.shape
    across, down = w / (box[2] - box[0]), h / (box[3] - box[1])
    # Pixel (x, y) of the part shows the mask at its own centre, counted from the centre of the mask's first value.
    to_mask = np.array(
        [
            [across, 0, (x1 + 0.5 - box[0]) * across - 0.5],
            [0, down, (y1 + 0.5 - box[1]) * down - 0.5],
        ]
    )
    values = (np.nan_to_num(mask).clip(0, 1) * 255).astype(np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    stretched = cv2.warpAffine(values, to_mask, (x2 - x1, y2 - y1), flags=flags)
    return np.asarray(cv2.threshold(stretched, _INSIDE, 255, cv2.THRESH_BINARY, dst=stretched)[1])


def _draw_one(pixels: NDArray[np.uint8], inside: NDArray[np.uint8], colour: Colour, line: int) -> None:
    steps = np.arange(256)[:, None] * (1 - _TINT) + np.array(colour) * _TINT
    table = np.rint(steps).astype(np.uint8)[None]
    for part in bands(*inside.shape):
        cv2.copyTo(cv2.LUT(pixels[part], table), inside[part], pixels[part])
    outlines, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(pixels, outlines, -1, colour, line, cv2.LINE_AA)
