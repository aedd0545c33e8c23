"""Keypoints: dots, and the lines that make them a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.palette import Colour

__all__ = ["draw_skeletons", "skeleton_bounds"]

_SHIFT = 4
"""Bits of a pixel in OpenCV's coordinates: figures move smoothly instead of jumping from pixel to pixel."""
_PIXEL = 1 << _SHIFT
_LINE_OF_SIZE = 1 / 80
"""Width of the lines by size of the figure, where that is less than asked for: small figures stay figures."""
_EDGE_OF_LINE = 1 / 3
_PLAIN = 64
"""Figures up to this size, in pixels, have no dark edges, which would hide them."""


def draw_skeletons(
    rgb: NDArray[np.uint8],
    keypoints: NDArray[np.floating[Any]],
    skeleton: Sequence[tuple[int, int]],
    colours: Sequence[Colour],
    line: int,
) -> None:
    """Draw the figures; the first on top.

    Args:
        rgb: ``(height, width, 3)``, drawn on in place.
        keypoints: ``(m, k, 3)``: x, y in pixels, score; points with a score of 0 or less are not shown.
        skeleton: pairs of points to join, where both are shown.
        colours: ``m``.
        line: width of the lines in pixels, at most.
    """
    shown = _shown(keypoints, rgb.shape[1], rgb.shape[0])
    where = np.rint(np.where(np.expand_dims(shown, 2), keypoints[..., :2], 0) * _PIXEL).astype(np.int64)
    for i in reversed(range(len(keypoints))):
        if np.any(shown[i]):
            points, seen = where[i].tolist(), shown[i].tolist()
            size = float(np.ptp(where[i][shown[i]], axis=0).max()) / _PIXEL
            thin = max(1, min(line, round(size * _LINE_OF_SIZE)))
            edge = max(1, round(thin * _EDGE_OF_LINE)) if size > _PLAIN else 0
            pairs = [(a, b) for a, b in skeleton if max(a, b) < len(seen) and seen[a] and seen[b]]
            _draw_lines(rgb, [(points[a], points[b]) for a, b in pairs], colours[i], thin, edge)
            _draw_dots(
                rgb, [p for p, there in zip(points, seen, strict=True) if there], colours[i], thin, edge
            )


def skeleton_bounds(
    keypoints: NDArray[np.floating[Any]],
    skeleton: Sequence[tuple[int, int]],
    line: int,
    width: int,
    height: int,
) -> NDArray[np.int64]:
    """``(n, 4)``: what ``draw_skeletons`` changes: a rectangle for each point and line; x1, y1, x2, y2 in pixels."""
    shown = _shown(keypoints, width, height)
    count = keypoints.shape[1]
    pairs = [(a, a) for a in range(count)] + [(a, b) for a, b in skeleton if max(a, b) < count]
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    there = shown[:, first] & shown[:, second]
    a, b = keypoints[:, first, :2][there], keypoints[:, second, :2][there]
    reach = line + max(1, round(line * _EDGE_OF_LINE)) + 1  # of the dots, which are wider than the lines
    low = np.floor(np.minimum(a, b)).astype(np.int64) - reach
    high = np.ceil(np.maximum(a, b)).astype(np.int64) + reach + 1
    return np.concatenate([low, high], axis=1)


def _shown(keypoints: NDArray[np.floating[Any]], width: int, height: int) -> NDArray[np.bool_]:
    """``(m, k)``: points that have a score, and are not absurdly far away."""
    near = np.all(np.abs(keypoints[..., :2]) < 4 * max(width, height), axis=2)
    return np.asarray((keypoints[..., 2] > 0) & near)


def _draw_lines(
    rgb: NDArray[np.uint8], ends: list[tuple[list[int], list[int]]], colour: Colour, line: int, edge: int
) -> None:
    """Dark edges first, below all lines of the figure."""
    if edge:
        for a, b in ends:
            cv2.line(rgb, (a[0], a[1]), (b[0], b[1]), _dark(colour), line + 2 * edge, cv2.LINE_AA, _SHIFT)
    for a, b in ends:
        cv2.line(rgb, (a[0], a[1]), (b[0], b[1]), colour, line, cv2.LINE_AA, _SHIFT)


def _draw_dots(rgb: NDArray[np.uint8], points: list[list[int]], colour: Colour, line: int, edge: int) -> None:
    """Dots lighter than the lines."""
    light = (128 + colour[0] // 2, 128 + colour[1] // 2, 128 + colour[2] // 2)
    radius = round(line * (1.0 if edge else 0.5) * _PIXEL)
    for x, y in points:
        if edge:
            outer = radius + edge * _PIXEL
            cv2.circle(rgb, (x, y), outer, _dark(colour), cv2.FILLED, cv2.LINE_AA, _SHIFT)
        cv2.circle(rgb, (x, y), radius, light, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _dark(colour: Colour) -> Colour:
    return (colour[0] // 5, colour[1] // 5, colour[2] // 5)
