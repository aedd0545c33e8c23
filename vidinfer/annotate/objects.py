"""Detected objects: masks, boxes, figures, and labels with name and score."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.layout import place_labels
from vidinfer.annotate.lettering import Lettering
from vidinfer.annotate.masks import draw_masks
from vidinfer.annotate.palette import Colour, Palette
from vidinfer.annotate.skeleton import draw_skeletons
from vidinfer.annotate.wording import name_of, percent
from vidinfer.detections import Objects

__all__ = ["ObjectDrawing"]


class ObjectDrawing:
    """Draws the objects of a frame in the colours of their classes; the best on top.

    Thread rule: one thread at a time.
    """

    def __init__(
        self,
        letters: Lettering,
        small: Lettering,
        palette: Palette,
        skeleton: tuple[tuple[int, int], ...],
        width: int,
        height: int,
    ) -> None:
        """Choose line widths for pictures of ``width`` x ``height`` pixels."""
        self._width, self._height = width, height
        self._letters, self._small = letters, small
        self._palette = palette
        self._skeleton = skeleton
        self._line = max(1, round(letters.size / 9))
        self._figure = max(1, round(letters.size / 6.5))

    def draw(self, rgb: NDArray[np.uint8], objects: Objects, categories: tuple[str, ...]) -> None:
        """Draw in place on ``rgb`` ``(height, width, 3)``."""
        if len(objects) == 0:
            return
        boxes = self._corners(objects.boxes)
        labels = objects.labels.tolist()
        colours = [self._palette[label] for label in labels]
        texts = [
            f"{name_of(label, categories)} {percent(score)}"
            for label, score in zip(labels, objects.scores.tolist(), strict=True)
        ]
        if objects.masks is not None:
            draw_masks(rgb, objects.boxes, objects.masks, colours, max(1, self._line // 2))
        self._draw_boxes(rgb, boxes, colours)
        if objects.keypoints is not None:
            draw_skeletons(rgb, objects.keypoints, self._skeleton, colours, self._figure)
        self._draw_labels(rgb, boxes, texts, colours)

    def _corners(self, boxes: NDArray[np.float32]) -> NDArray[np.int64]:
        """``(m, 4)`` whole pixels inside the picture; edges that are not numbers go to 0."""
        last = np.array([self._width, self._height] * 2) - 1
        finite = np.nan_to_num(boxes, nan=0.0, posinf=1e9, neginf=-1e9)
        return np.clip(np.rint(finite), 0, last).astype(np.int64)

    def _draw_boxes(self, rgb: NDArray[np.uint8], boxes: NDArray[np.int64], colours: list[Colour]) -> None:
        """Coloured lines on a dark edge, so that they show on any background; the best on top."""
        line = self._line
        for (x1, y1, x2, y2), colour in zip(boxes[::-1].tolist(), colours[::-1], strict=True):
            if line > 1:
                edge = (colour[0] // 5, colour[1] // 5, colour[2] // 5)
                cv2.rectangle(rgb, (x1, y1), (x2, y2), edge, line + 2)
            cv2.rectangle(rgb, (x1, y1), (x2, y2), colour, line)

    def _draw_labels(
        self, rgb: NDArray[np.uint8], boxes: NDArray[np.int64], texts: list[str], colours: list[Colour]
    ) -> None:
        tiles = [
            self._tile(text, colour, x2 - x1)
            for text, colour, (x1, _, x2, _) in zip(texts, colours, boxes.tolist(), strict=True)
        ]
        sizes = np.array([(tile.shape[1], tile.shape[0]) for tile in tiles], np.int64)
        reach = boxes + np.array([-1, -1, 1, 1]) * (self._line // 2)  # labels sit on the outside of the line
        corners = place_labels(reach, sizes, self._width, self._height).tolist()
        for tile, (x, y) in zip(reversed(tiles), reversed(corners), strict=True):
            target = rgb[y : y + tile.shape[0], x : x + tile.shape[1]]
            target[:] = tile[: target.shape[0], : target.shape[1]]

    def _tile(self, text: str, colour: Colour, box_width: int) -> NDArray[np.uint8]:
        """The label in normal letters, or in smaller ones over boxes much narrower than it."""
        letters = self._letters
        if letters.width(text) > 1.6 * box_width:
            letters = self._small
        return letters.tile(letters.fit(text, self._width - 2 * letters.pad), colour)
