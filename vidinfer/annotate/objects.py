"""Detected objects: masks, boxes, figures, and labels with name and score."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.layout import place_labels
from vidinfer.annotate.lettering import Lettering
from vidinfer.annotate.masks import draw_masks, mask_bounds
from vidinfer.annotate.palette import Colour, Palette
from vidinfer.annotate.skeleton import draw_skeletons, skeleton_bounds
from vidinfer.annotate.wording import name_of, percent
from vidinfer.detections import PIXEL_DECIMALS, SCORE_DECIMALS, Objects, rounded

__all__ = ["ObjectDrawing"]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Of ``m`` objects."""

    boxes: NDArray[np.int64]
    """``(m, 4)`` whole pixels inside the picture."""
    colours: list[Colour]
    tiles: list[NDArray[np.uint8]]
    """The labels."""
    sizes: NDArray[np.int64]
    """``(m, 2)`` width and height of the labels."""
    corners: NDArray[np.int64]
    """``(m, 2)`` x, y of their top left corners."""
    points: NDArray[np.float64] | None
    """``(m, k, 3)``: keypoints."""


class ObjectDrawing:
    """Draws the objects of a frame in the colours of their classes; the best on top.

    Coordinates and scores are rounded as in the records, so that the same picture can be drawn from these.

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
        self._planned: tuple[Objects, _Plan] | None = None

    def touches(self, objects: Objects, categories: tuple[str, ...]) -> list[NDArray[np.int64]]:
        """What ``draw`` reads or changes: rectangles ``(k, 4)``, x1, y1, x2, y2 in pixels."""
        if len(objects) == 0:
            return []
        plan = self._plan(objects, categories)
        found = [
            self._outlines(plan.boxes),
            np.concatenate([plan.corners, plan.corners + plan.sizes], axis=1),
        ]
        if objects.masks is not None:
            found.append(mask_bounds(objects.boxes, self._width, self._height))
        if plan.points is not None:
            size = self._width, self._height
            found.append(skeleton_bounds(plan.points, self._skeleton, self._figure, *size))
        return found

    def draw(self, rgb: NDArray[np.uint8], objects: Objects, categories: tuple[str, ...]) -> None:
        """Draw in place on ``rgb`` ``(height, width, 3)``."""
        if len(objects) == 0:
            return
        plan = self._plan(objects, categories)
        if objects.masks is not None:
            draw_masks(rgb, objects.boxes, objects.masks, plan.colours, max(1, self._line // 2))
        self._draw_boxes(rgb, plan.boxes, plan.colours)
        if plan.points is not None:
            draw_skeletons(rgb, plan.points, self._skeleton, plan.colours, self._figure)
        for tile, (x, y) in zip(reversed(plan.tiles), reversed(plan.corners.tolist()), strict=True):
            target = rgb[y : y + tile.shape[0], x : x + tile.shape[1]]
            target[:] = tile[: target.shape[0], : target.shape[1]]

    def _plan(self, objects: Objects, categories: tuple[str, ...]) -> _Plan:
        """Where everything goes; kept until other objects come, as it is asked for before and while drawing."""
        if self._planned is None or self._planned[0] is not objects:
            self._planned = objects, self._lay_out(objects, categories)
        return self._planned[1]

    def _lay_out(self, objects: Objects, categories: tuple[str, ...]) -> _Plan:
        boxes = self._corners(objects.boxes)
        labels = objects.labels.tolist()
        colours = [self._palette[label] for label in labels]
        widths = (boxes[:, 2] - boxes[:, 0]).tolist()
        tiles = [
            self._tile(f"{name_of(label, categories)} {percent(score)}", colour, width)
            for label, score, colour, width in zip(
                labels, rounded(objects.scores, SCORE_DECIMALS).tolist(), colours, widths, strict=True
            )
        ]
        sizes = np.array([(tile.shape[1], tile.shape[0]) for tile in tiles], np.int64)
        reach = boxes + np.array([-1, -1, 1, 1]) * (self._line // 2)  # labels sit on the outside of the line
        corners = place_labels(reach, sizes, self._width, self._height)
        points = None if objects.keypoints is None else rounded(objects.keypoints, PIXEL_DECIMALS)
        if points is not None and objects.keypoints is not None:
            points[..., 2] = rounded(objects.keypoints[..., 2], SCORE_DECIMALS)
        return _Plan(boxes, colours, tiles, sizes, corners, points)

    def _outlines(self, boxes: NDArray[np.int64]) -> NDArray[np.int64]:
        """``(4 m, 4)``: the four sides of ``boxes`` as they are drawn."""
        widest = self._line + 2 if self._line > 1 else 1
        reach = 0 if widest == 1 else (widest + 1) // 2  # OpenCV's lines of 3 pixels have 5 along a rectangle
        x1, y1 = np.minimum(boxes[:, :2], boxes[:, 2:]).T  # OpenCV draws boxes that are inside out, too
        x2, y2 = np.maximum(boxes[:, :2], boxes[:, 2:]).T
        sides = [(x1, y1, x2, y1), (x1, y2, x2, y2), (x1, y1, x1, y2), (x2, y1, x2, y2)]
        lines = np.concatenate([np.stack(side, axis=1) for side in sides])
        return np.asarray(lines + np.array([-reach, -reach, reach + 1, reach + 1]))

    def _corners(self, boxes: NDArray[np.float32]) -> NDArray[np.int64]:
        """``(m, 4)`` whole pixels inside the picture; edges that are not numbers go to 0."""
        last = np.array([self._width, self._height] * 2) - 1
        finite = np.nan_to_num(rounded(boxes, PIXEL_DECIMALS), nan=0.0, posinf=1e9, neginf=-1e9)
        return np.clip(np.rint(finite), 0, last).astype(np.int64)

    def _draw_boxes(self, rgb: NDArray[np.uint8], boxes: NDArray[np.int64], colours: list[Colour]) -> None:
        """Coloured lines on a dark edge, so that they show on any background; the best on top."""
        line = self._line
        for (x1, y1, x2, y2), colour in zip(boxes[::-1].tolist(), colours[::-1], strict=True):
            if line > 1:
                edge = (colour[0] // 5, colour[1] // 5, colour[2] // 5)
                cv2.rectangle(rgb, (x1, y1), (x2, y2), edge, line + 2)
            cv2.rectangle(rgb, (x1, y1), (x2, y2), colour, line)

    def _tile(self, text: str, colour: Colour, box_width: int) -> NDArray[np.uint8]:
        """The label in normal letters, or in smaller ones over boxes much narrower than it."""
        letters = self._letters
        if letters.width(text) > 1.6 * box_width:
            letters = self._small
        return letters.tile(letters.fit(text, self._width - 2 * letters.pad), colour)
