"""Made-up results and pictures for the tests of drawing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate import DrawingAnnotator
from vidinfer.detections import Classes, Flow, Objects, Results, Segments
from vidinfer.frame import FrameStamp, SourceInfo
from vidinfer.record import Entry, Outcome, Span
from vidinfer.stages import ModelInfo

Pixels = NDArray[np.uint8]

CATEGORIES = ("__background__", "car", "hen-of-the-woods, hen of the woods, Polyporus frondosus", "vélo")
SKELETON = ((0, 1), (1, 2))
GREY = 100
BORDER = 40


def entry(outcome: Outcome = Outcome.LABELLED, seconds: float | None = None) -> Entry:
    span = None if seconds is None else Span(0, 1, 2, seconds)
    row = 0 if outcome is Outcome.LABELLED else -1
    return Entry(outcome, FrameStamp(0, 0, Fraction(1, 25)), row=row, span=span)


def annotator(width: int, height: int) -> DrawingAnnotator:
    made = DrawingAnnotator()
    model = ModelInfo("m", "any", CATEGORIES, keypoints=("a", "b", "c"), skeleton=SKELETON)
    made.open(SourceInfo("made", width, height, Fraction(1, 25)), model)
    return made


def draw(drawing: DrawingAnnotator, results: Results, at: Entry | None = None) -> Pixels:
    """Draw on grey inside a larger array: what surrounds the picture must stay as it is."""
    height, width = drawing._height, drawing._width
    whole = np.full((height + 2 * BORDER, width + 2 * BORDER, 3), GREY, np.uint8)
    rgb = whole[BORDER:-BORDER, BORDER:-BORDER]
    drawing.draw(rgb, at or entry(), results)
    around = whole.copy()
    around[BORDER:-BORDER, BORDER:-BORDER] = GREY
    assert (around == GREY).all(), "drawn outside the picture"
    return rgb


def drawn(width: int, height: int, results: Results, at: Entry | None = None) -> Pixels:
    return draw(annotator(width, height), results, at)


def changed(rgb: Pixels) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (rgb != GREY).any(axis=2)
    return found


def objects(
    boxes: list[tuple[float, ...]],
    *,
    masks: NDArray[np.float32] | None = None,
    keypoints: NDArray[np.float32] | None = None,
) -> Results:
    m = len(boxes)
    rows = np.array(boxes, np.float32).reshape(m, 4)
    scores = np.linspace(0.98, 0.5, m).astype(np.float32)
    labels = np.ones(m, np.int64)
    return Results(1, CATEGORIES, objects=Objects(np.array([0, m]), rows, scores, labels, masks, keypoints))


def segments(class_map: NDArray[np.uint8]) -> Results:
    return Results(1, CATEGORIES, segments=Segments(class_map[None]))


def clip(*labels: int) -> Results:
    scores = np.geomspace(0.8, 0.001, len(labels)).astype(np.float32)
    return Results(1, CATEGORIES, clips=Classes(np.array([labels]), scores[None]))


def flow(field: NDArray[np.float32]) -> Results:
    with np.errstate(all="ignore"):
        lengths = np.hypot(field[..., 0], field[..., 1])
        mean = lengths.mean() if lengths.size else np.float32(0)
    one, none = np.array([mean], np.float32), np.zeros(1, np.float32)
    return Results(1, (), flow=Flow(one, one, none, none, field[None]))


def uniform(x: float, y: float, width: int = 64, height: int = 40) -> NDArray[np.float32]:
    """A field where everything moves the same way."""
    return np.broadcast_to(np.array([x, y], np.float32), (height, width, 2)).copy()
