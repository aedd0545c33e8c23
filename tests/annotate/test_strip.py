"""The strip of a clip's classes: it stays until the next clip is known, and does not move."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.annotate.made import CATEGORIES, annotator, changed, clip, draw, drawn, entry
from vidinfer.annotate.palette import Palette
from vidinfer.detections import Results
from vidinfer.frame import SourceInfo
from vidinfer.record import Outcome
from vidinfer.stages import ModelInfo

NOTHING = Results(0, CATEGORIES)


def test_it_stays_until_another_clip_is_known() -> None:
    drawing = annotator(1280, 720)
    assert not changed(draw(drawing, NOTHING)).any(), "before the first clip"
    first = draw(drawing, clip(1, 3, 2))
    assert changed(first)[-2:].all()
    assert np.array_equal(draw(drawing, NOTHING), first)
    assert np.array_equal(draw(drawing, NOTHING, entry(Outcome.DROPPED)), first)
    second = draw(drawing, clip(3, 1, 2))
    assert not np.array_equal(second, first)
    assert np.array_equal(draw(drawing, NOTHING), second)


def test_open_forgets_it() -> None:
    drawing = annotator(1280, 720)
    draw(drawing, clip(1))
    drawing.open(SourceInfo("next", 1280, 720, Fraction(1, 25)), ModelInfo("m", "any", CATEGORIES))
    assert not changed(draw(drawing, NOTHING)).any()


def test_it_stands_still_at_the_bottom() -> None:
    found = [np.argwhere(changed(drawn(1280, 720, clip(*labels)))) for labels in ((1, 3, 2), (2, 1, 3), (3,))]
    assert all((one.min(axis=0) == found[0].min(axis=0)).all() for one in found)
    assert all((one.max(axis=0) == (719, 1279)).all() for one in found)
    assert found[0][:, 0].min() > 0.92 * 720


def test_bars_are_as_long_as_the_scores() -> None:
    rgb = drawn(1280, 720, clip(1, 3))
    palette = Palette(len(CATEGORIES))
    bars = [int((rgb == palette[label]).all(axis=2).sum(axis=1).max()) for label in (1, 3)]
    assert bars[0] > 400
    assert bars[1] <= 3


def test_the_tag_of_a_damaged_frame_is_above_it() -> None:
    drawing = annotator(1280, 720)
    strip = changed(draw(drawing, clip(1)))
    tagged = changed(draw(drawing, NOTHING, entry(Outcome.CORRUPT)))
    assert tagged.sum() > strip.sum()
    assert np.nonzero(tagged)[0].min() < np.nonzero(strip)[0].min()


@pytest.mark.parametrize(("width", "height"), [(320, 240), (32, 24), (1, 1), (8, 300), (320, 17)])
def test_small_pictures(width: int, height: int) -> None:
    drawing = annotator(width, height)
    draw(drawing, clip(1, 77, 2))
    draw(drawing, NOTHING, entry(Outcome.FAILED))
    draw(drawing, clip())
