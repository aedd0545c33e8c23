"""Draws what was found onto the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.flow import FlowDrawing
from vidinfer.annotate.lettering import Lettering, font_size
from vidinfer.annotate.objects import ObjectDrawing
from vidinfer.annotate.palette import Colour, Palette
from vidinfer.annotate.panel import ClassPanel
from vidinfer.annotate.segments import SegmentDrawing
from vidinfer.annotate.strip import Strip
from vidinfer.annotate.wording import name_of
from vidinfer.detections import SCORE_DECIMALS, Classes, Results, rounded
from vidinfer.frame import SourceInfo
from vidinfer.record import Entry, Outcome
from vidinfer.stages import ModelInfo

__all__ = ["DrawingAnnotator"]

_TAGS: dict[Outcome, str] = {Outcome.CORRUPT: "damaged", Outcome.FAILED: "failed"}
_TAG_GROUND: Colour = (54, 48, 40)
_SMALL = 100
"""Pixels of the shorter side."""

Shares = tuple[list[str], list[float], list[Colour]]
"""Names, scores and colours of classes, best first."""


class DrawingAnnotator:
    """Objects with boxes, masks, figures and names; the best classes; segments; flow: each sized for the picture.

    The classes of a clip stay on the picture until the next clip's are known. Implements
    :class:`vidinfer.stages.BoundedAnnotator`. Thread rule: one thread at a time.
    """

    def __init__(self) -> None:
        self._width = self._height = 0

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        """Choose sizes and colours for this source's picture size and this model's categories."""
        cv2.setNumThreads(1)  # drawing is far too small to share; the other cores have work
        width, height = self._width, self._height = source.width, source.height
        size = font_size(width, height)
        self._letters = Lettering(size)
        self._small = Lettering(max(round(size * 0.8), min(size, 9)))
        self._palette = Palette(len(model.categories))
        letters, small, palette, names = self._letters, self._small, self._palette, model.categories
        self._objects = ObjectDrawing(letters, small, palette, model.skeleton, width, height)
        self._panel = ClassPanel(letters, names, width, height)
        self._segments = SegmentDrawing(letters, palette, names, width, height)
        self._flow = FlowDrawing(letters, width, height)
        self._strip = Strip(letters, small, names, width, height)
        self._clip: Shares | None = None

    def touches(self, entry: Entry, results: Results) -> NDArray[np.int64] | None:
        """The rectangles ``(k, 4)`` (x1, y1, x2, y2 in pixels) that ``draw`` will read or change; ``None``: everything.

        Segments and flow tint the whole picture. Small pictures are not worth the question, and too tight for some of
        the drawings.
        """
        if min(self._width, self._height) < _SMALL:
            return None
        parts: list[NDArray[np.int64]] = []
        clip = self._clip is not None
        if results.frames > 0:
            if results.flow is not None or results.segments is not None:
                return None
            if results.objects is not None:
                parts += self._objects.touches(results.objects, results.categories)
            if results.classes is not None:
                parts.append(np.array([self._panel.touches(results.classes.labels.shape[1])]))
            clip = clip or results.clips is not None
        if clip:
            parts.append(np.array([self._strip.rectangle]))
        tag = _TAGS.get(entry.outcome)
        if tag is not None:
            left, top, tile = self._place_tag(tag, clip)
            parts.append(np.array([(left, top, left + tile.shape[1], top + tile.shape[0])]))
        return np.concatenate([np.zeros((0, 4), np.int64), *parts])

    def draw(self, rgb: NDArray[np.uint8], entry: Entry, results: Results) -> None:
        """Draw in place on ``rgb`` ``(height, width, 3)`` what ``results`` say of the one frame of ``entry``.

        Frames that no model saw get a small tag in the corner instead.

        Raises:
            ValueError: ``rgb`` has not the size that the source announced.
        """
        if rgb.shape != (self._height, self._width, 3):
            raise ValueError(f"picture is {rgb.shape}, expected ({self._height}, {self._width}, 3)")
        if results.frames > 0:
            self._draw_results(rgb, entry, results)
        if self._clip is not None:
            self._strip.draw(rgb, *self._clip)
        tag = _TAGS.get(entry.outcome)
        if tag is not None:
            left, top, tile = self._place_tag(tag, self._clip is not None)
            target = rgb[max(top, 0) : max(top + len(tile), 0), left : left + tile.shape[1]]
            target[:] = tile[: target.shape[0], : target.shape[1]]

    def _draw_results(self, rgb: NDArray[np.uint8], entry: Entry, results: Results) -> None:
        """What tints the picture first, what stands on it last."""
        if results.flow is not None:
            self._flow.draw(rgb, results.flow, entry.span)
        if results.segments is not None:
            self._segments.draw(rgb, results.segments.class_maps[0])
        if results.objects is not None:
            self._objects.draw(rgb, results.objects, results.categories)
        if results.classes is not None:
            self._panel.draw(rgb, *self._shares(results.classes, results.categories))
        if results.clips is not None:
            self._clip = self._shares(results.clips, results.categories)

    def _shares(self, classes: Classes, categories: tuple[str, ...]) -> Shares:
        """Of the one frame or clip of ``classes``."""
        labels = classes.labels[0].tolist()
        names = [name_of(label, categories) for label in labels]
        return (
            names,
            rounded(classes.scores[0], SCORE_DECIMALS).tolist(),
            [self._palette[label] for label in labels],
        )

    def _place_tag(self, text: str, clip: bool) -> tuple[int, int, NDArray[np.uint8]]:
        """Left, top and picture of a tag: bottom left, where the panels are not; above the strip of a ``clip``."""
        letters = self._small
        tile = letters.tile(letters.fit(text, self._width - 2 * letters.pad), _TAG_GROUND)
        edge = letters.pad if min(self._width, self._height) > 100 else 0
        bottom = self._height - edge - (self._strip.height if clip else 0)
        return edge, bottom - len(tile), tile
