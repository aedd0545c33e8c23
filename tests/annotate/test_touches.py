"""What a drawing says that it will touch holds all that it changes, and all that it looks at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.annotate.made import CATEGORIES, annotator, clip, entry, flow, objects, segments, uniform
from vidinfer.annotate import DrawingAnnotator
from vidinfer.detections import Classes, Results
from vidinfer.record import Entry, Outcome
from vidinfer.stages import BoundedAnnotator

WIDTH, HEIGHT = 200, 120
NOTHING = Results(0, CATEGORIES)

numbers = st.one_of(st.floats(-100, 300, width=32), st.sampled_from([np.nan, np.inf, -np.inf, 0.5, 1.5]))
boxes = st.lists(st.tuples(*[numbers] * 4), max_size=8)
STANDING = annotator(WIDTH, HEIGHT)
"""For drawings that leave nothing behind: making one takes longer than drawing."""


def noise(seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def classes(*labels: int) -> Results:
    scores = np.geomspace(0.8, 0.001, len(labels)).astype(np.float32)
    return Results(1, CATEGORIES, classes=Classes(np.array([labels], np.int64), scores[None]))


def touched(drawing: DrawingAnnotator, results: Results, at: Entry) -> np.ndarray:
    """``(height, width)``: inside one of the rectangles."""
    marks = np.zeros((drawing._height, drawing._width), np.bool_)
    rectangles = drawing.touches(at, results)
    assert rectangles is not None
    assert rectangles.shape[1:] == (4,)
    for x1, y1, x2, y2 in rectangles.clip(0).tolist():
        marks[y1:y2, x1:x2] = True
    return marks


def check(drawing: DrawingAnnotator, results: Results, at: Entry | None = None) -> float:
    """Draw on two pictures that agree only where it is said to touch them; the share of the picture that this is."""
    at = at or entry()
    inside = touched(drawing, results, at)
    height, width = inside.shape
    before = noise(0, width, height)
    other = np.where(inside[..., None], before, noise(1, width, height))
    after, garbage = before.copy(), other.copy()
    kept = drawing._clip
    drawing.draw(after, at, results)
    drawing._clip = kept
    drawing.draw(garbage, at, results)
    assert (after == before)[~inside].all(), "changed outside"
    assert (after == garbage)[inside].all(), "looked at what is outside"
    return float(inside.mean())


def test_the_annotator_is_one_that_says_so() -> None:
    assert isinstance(DrawingAnnotator(), BoundedAnnotator)


@settings(deadline=None, max_examples=200)
@given(boxes)
def test_boxes_and_labels(rows: list[tuple[float, ...]]) -> None:
    check(STANDING, objects(rows))


@pytest.mark.parametrize("size", [(426, 240), (1280, 720), (1920, 1080), (3840, 2160), (720, 1280)])
def test_lines_of_every_width(size: tuple[int, int]) -> None:
    w, h = size
    rows = [(0.2 * w, 0.3 * h, 0.8 * w, 0.9 * h), (-5, -5, 0.1 * w, 0.1 * h), (0.7 * w, 0.7 * h, w, h)]
    assert check(annotator(w, h), objects(rows)) < 0.25, "lines and labels, not what is inside of a box"


@settings(deadline=None, max_examples=50)
@given(boxes, st.integers(0, 1000))
def test_masks(rows: list[tuple[float, ...]], seed: int) -> None:
    masks = np.random.default_rng(seed).random((len(rows), 28, 28), np.float32)
    check(STANDING, objects(rows, masks=masks))


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(numbers, numbers, st.sampled_from([1.0, 0.2, -1.0, np.nan])), min_size=3, max_size=3),
)
def test_figures(points: list[tuple[float, float, float]]) -> None:
    keypoints = np.array([points], np.float32)
    check(STANDING, objects([(1, 2, 20, 20)], keypoints=keypoints))


@pytest.mark.parametrize("size", [(640, 480), (1920, 1080), (3840, 2160)])
def test_large_figures_have_wide_lines(size: tuple[int, int]) -> None:
    w, h = size
    points = np.array([[(0.1 * w, 0.5 * h, 1), (0.9 * w, 0.5 * h, 1), (0.9 * w, 0.9 * h, 1)]], np.float32)
    check(annotator(w, h), objects([(1, 2, 20, 20)], keypoints=points))


@pytest.mark.parametrize("size", [(100, 100), (100, 800), (800, 100), (320, 240), (1280, 720), (1920, 1080)])
@pytest.mark.parametrize("labels", [(), (1,), (1, 2, 3, 0, 77), tuple(range(60))])
def test_panels_strips_and_tags(size: tuple[int, int], labels: tuple[int, ...]) -> None:
    drawing = annotator(*size)
    check(drawing, classes(*labels))
    check(drawing, NOTHING, entry(Outcome.FAILED))
    check(drawing, clip(*labels))
    drawing.draw(noise(0, *size), entry(), clip(1, 2, 3))
    check(drawing, NOTHING)
    check(drawing, NOTHING, entry(Outcome.CORRUPT))
    check(drawing, classes(1))


def test_nothing_found_touches_nothing() -> None:
    assert check(annotator(WIDTH, HEIGHT), objects([])) == 0
    assert check(annotator(WIDTH, HEIGHT), NOTHING, entry(Outcome.DROPPED)) == 0


def test_what_tints_the_picture_touches_everything() -> None:
    drawing = annotator(WIDTH, HEIGHT)
    assert drawing.touches(entry(), segments(np.ones((4, 4), np.uint8))) is None
    assert drawing.touches(entry(), flow(uniform(1, 2))) is None


def test_small_pictures_are_drawn_whole() -> None:
    assert annotator(99, 400).touches(entry(), objects([(1, 1, 9, 9)])) is None


def test_asking_changes_nothing() -> None:
    results = objects([(10, 30, 90, 100)], masks=np.ones((1, 28, 28), np.float32))
    asked, not_asked = noise(0), noise(0)
    drawing = annotator(WIDTH, HEIGHT)
    drawing.touches(entry(), results)
    drawing.draw(asked, entry(), results)
    annotator(WIDTH, HEIGHT).draw(not_asked, entry(), results)
    assert (asked == not_asked).all()
    moved = objects([(60, 30, 190, 100)])
    drawing.touches(entry(), moved)
    drawing.draw(asked, entry(), moved)
    annotator(WIDTH, HEIGHT).draw(not_asked, entry(), moved)
    assert (asked == not_asked).all()
