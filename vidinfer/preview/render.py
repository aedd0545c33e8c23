"""One labelled picture as a JPEG: scaled down first, then drawn on, so that letters stay as large as letters are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.detections import Objects, Results
from vidinfer.frame import Picture, ScalablePicture, SourceInfo
from vidinfer.record import Entry
from vidinfer.stages import Annotator, ModelInfo

__all__ = ["WIDTHS", "Renderer", "Shown", "fitted", "step"]

WIDTHS = (320, 480, 640, 960)
"""Pixels across that JPEGs are made in; smaller where the picture is."""
_QUALITY = 75


@dataclass(frozen=True, slots=True)
class Shown:
    """A labelled frame that may be drawn."""

    picture: Picture
    entry: Entry
    results: Results
    """Of one frame, or of none."""
    source: SourceInfo
    model: ModelInfo


def step(wanted: int) -> int:
    """The smallest of :data:`WIDTHS` that is at least ``wanted`` pixels; else the largest."""
    return next((width for width in WIDTHS if width >= wanted), WIDTHS[-1])


def fitted(width: int, height: int, wanted: int) -> tuple[int, int]:
    """The size, at least a pixel each way, of a ``width`` x ``height`` picture that is at most ``wanted`` wide."""
    if width <= wanted:
        return max(width, 1), max(height, 1)
    return wanted, max(1, round(height * wanted / width))


class Renderer:
    """Draws one stream. Thread rule: one thread at a time."""

    def __init__(self, make: Callable[[], Annotator]) -> None:
        """``make`` gives an annotator that was not opened yet; called again where size, source or model change."""
        self._make = make
        self._made_for: tuple[object, ...] = ()
        self._annotator: Annotator | None = None

    def jpeg(self, shown: Shown, wanted: int) -> bytes:
        """The picture with what was found, at most ``wanted`` pixels wide.

        Raises:
            Exception: whatever the picture or the annotator raises.
        """
        source = shown.source
        width, height = fitted(source.width, source.height, wanted)
        rgb = _scaled(shown.picture, width, height)
        results = _resized(shown.results, width / max(source.width, 1), height / max(source.height, 1))
        self._annotator_for(shown, width, height).draw(rgb, shown.entry, results)
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        return bytes(data)

    def _annotator_for(self, shown: Shown, width: int, height: int) -> Annotator:
        made_for = (shown.source, shown.model, width, height)
        annotator = self._annotator
        if annotator is None or self._made_for != made_for:
            annotator = self._make()
            annotator.open(replace(shown.source, width=width, height=height), shown.model)
            self._annotator, self._made_for = annotator, made_for
        return annotator


def _scaled(picture: Picture, width: int, height: int) -> NDArray[np.uint8]:
    """``(height, width, 3)``, free to be drawn on."""
    if isinstance(picture, ScalablePicture):
        rgb = picture.rgb_scaled(width, height, smooth=True)
    else:
        rgb = picture.rgb()
        if rgb.shape[:2] != (height, width):
            rgb = np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return rgb if rgb.flags.writeable else rgb.copy()


def _resized(results: Results, x: float, y: float) -> Results:
    """Boxes and figures moved with the picture; what is stretched over it, and lengths that are told, stay."""
    objects = results.objects
    if objects is None or (x == 1.0 and y == 1.0):
        return results
    keypoints = objects.keypoints
    moved = Objects(
        objects.offsets,
        objects.boxes * np.array([x, y, x, y], np.float32),
        objects.scores,
        objects.labels,
        objects.masks,
        None if keypoints is None else keypoints * np.array([x, y, 1.0], np.float32),
    )
    return replace(results, objects=moved)
