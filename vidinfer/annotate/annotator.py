"""Draws what was found onto the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.layout import place_labels
from vidinfer.annotate.lettering import Lettering, font_size
from vidinfer.annotate.palette import Colour, Palette
from vidinfer.annotate.panel import ClassPanel, percent
from vidinfer.detections import Classes, Objects, Results
from vidinfer.frame import SourceInfo
from vidinfer.record import Entry, Outcome
from vidinfer.stages import ModelInfo

__all__ = ["DrawingAnnotator"]

_TAGS: dict[Outcome, str] = {Outcome.CORRUPT: "damaged", Outcome.FAILED: "failed"}
_TAG_GROUND: Colour = (54, 48, 40)


class DrawingAnnotator:
    """Boxes with name and score, or the best classes as a panel, sized for the picture.

    Implements :class:`vidinfer.stages.Annotator`. Thread rule: one thread at a time.
    """

    def __init__(self) -> None:
        self._width = self._height = 0

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        """Choose sizes and colours for this source's picture size and this model's categories."""
        cv2.setNumThreads(1)  # drawing is far too small to share; the other cores have work
        self._width, self._height = source.width, source.height
        size = font_size(source.width, source.height)
        self._letters = Lettering(size)
        self._small = Lettering(max(round(size * 0.8), min(size, 9)))
        self._line = max(1, round(size / 9))
        self._palette = Palette(len(model.categories))
        self._panel = ClassPanel(self._letters, model.categories, source.width, source.height)

    def draw(self, rgb: NDArray[np.uint8], entry: Entry, results: Results) -> None:
        """Draw in place on ``rgb`` ``(height, width, 3)`` what ``results`` say of the one frame of ``entry``.

        Frames that no model saw get a small tag in the corner instead.

        Raises:
            ValueError: ``rgb`` has not the size that the source announced.
        """
        if rgb.shape != (self._height, self._width, 3):
            raise ValueError(f"picture is {rgb.shape}, expected ({self._height}, {self._width}, 3)")
        tag = _TAGS.get(entry.outcome)
        if tag is not None:
            self._draw_tag(rgb, tag)
        if results.frames == 0:
            return
        if results.objects is not None:
            self._draw_objects(rgb, results.objects, results.categories)
        if results.classes is not None:
            self._draw_classes(rgb, results.classes, results.categories)

    def _draw_objects(self, rgb: NDArray[np.uint8], objects: Objects, categories: tuple[str, ...]) -> None:
        if len(objects) == 0:
            return
        boxes = self._corners(objects.boxes)
        labels = objects.labels.tolist()
        colours = [self._palette[label] for label in labels]
        texts = [
            f"{name_of(label, categories)} {percent(score)}"
            for label, score in zip(labels, objects.scores.tolist(), strict=True)
        ]
        self._draw_boxes(rgb, boxes, colours)
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

    def _draw_classes(self, rgb: NDArray[np.uint8], classes: Classes, categories: tuple[str, ...]) -> None:
        labels = classes.labels[0].tolist()
        names = [name_of(label, categories) for label in labels]
        self._panel.draw(rgb, names, classes.scores[0].tolist(), [self._palette[label] for label in labels])

    def _draw_tag(self, rgb: NDArray[np.uint8], text: str) -> None:
        """Bottom left, where the panel is not."""
        letters = self._small
        tile = letters.tile(letters.fit(text, self._width - 2 * letters.pad), _TAG_GROUND)
        height, width = tile.shape[:2]
        edge = letters.pad if min(self._width, self._height) > 100 else 0
        bottom = self._height - edge
        target = rgb[max(bottom - height, 0) : bottom, edge : edge + width]
        target[:] = tile[: target.shape[0], : target.shape[1]]


def name_of(label: int, categories: tuple[str, ...]) -> str:
    """The name of class ``label``, or its number where the model has no name for it."""
    return categories[label] if 0 <= label < len(categories) else f"class {label}"
