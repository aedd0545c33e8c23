"""Semantic segmentation: each class in its colour over the picture, and a legend."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.bands import bands
from vidinfer.annotate.legend import Legend
from vidinfer.annotate.lettering import Lettering
from vidinfer.annotate.palette import Palette
from vidinfer.annotate.wording import name_of
from vidinfer.detections import BACKGROUND, NOT_REPORTED

__all__ = ["SegmentDrawing"]

_TINT = 0.5
"""Share of the class's colour in what is shown."""


class SegmentDrawing:
    """Tints the picture by class; background and what is not reported stay as they are.

    Thread rule: one thread at a time.
    """

    def __init__(
        self, letters: Lettering, palette: Palette, categories: tuple[str, ...], width: int, height: int
    ) -> None:
        """Choose the colours, and lay the legend out for pictures of ``width`` x ``height`` pixels."""
        self._categories, self._palette = categories, palette
        named = [name for name in categories if name != BACKGROUND]
        self._legend = Legend(letters, named, width, height)
        self._colours = np.array([[palette[label]] for label in range(256)], np.uint8)
        shown = [label != NOT_REPORTED and name_of(label, categories) != BACKGROUND for label in range(256)]
        self._shown = np.array(shown, np.uint8) * np.uint8(255)

    def draw(self, rgb: NDArray[np.uint8], class_map: NDArray[np.uint8]) -> None:
        """Draw ``class_map`` ``(h, w)``, stretched over ``rgb`` to the nearest pixel, and what it holds."""
        if class_map.size == 0:
            return
        counts = np.bincount(class_map.ravel(), minlength=256) * (self._shown > 0)
        if counts.any():
            self._tint(rgb, class_map)
            self._explain(rgb, counts / class_map.size)

    def _tint(self, rgb: NDArray[np.uint8], class_map: NDArray[np.uint8]) -> None:
        height, width = rgb.shape[:2]
        wide = np.take(class_map, _nearest(class_map.shape[1], width), axis=1)
        rows = _nearest(class_map.shape[0], height)
        for part in bands(height, width):
            classes, pixels = wide[rows[part]], rgb[part]
            tinted = cv2.applyColorMap(classes, self._colours)
            cv2.addWeighted(pixels, 1 - _TINT, tinted, _TINT, 0, dst=tinted)
            cv2.copyTo(tinted, cv2.LUT(classes, self._shown), pixels)

    def _explain(self, rgb: NDArray[np.uint8], shares: NDArray[np.float64]) -> None:
        """The legend, from ``shares`` ``(256,)`` of the picture by class; the largest first."""
        order = np.argsort(-shares, kind="stable")[: self._legend.rows]
        labels = [label for label in order.tolist() if shares[label] > 0]
        names = [name_of(label, self._categories) for label in labels]
        colours = [self._palette[label] for label in labels]
        self._legend.draw(rgb, names, shares[labels].tolist(), colours)


def _nearest(size: int, out: int) -> NDArray[np.int64]:
    """For each of ``out`` pixels the one of ``size`` that its centre falls on, exactly as the labels have it.

    OpenCV's own way is off by a pixel in some versions.
    """
    return (2 * np.arange(out) + 1) * size // (2 * out)
