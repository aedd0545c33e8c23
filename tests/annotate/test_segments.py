"""Segments: each class in its colour, the rest as it was, and a legend that counts."""

from __future__ import annotations

import numpy as np
import pytest

from tests.annotate.made import CATEGORIES, GREY, changed, drawn, segments
from vidinfer.annotate.legend import Legend
from vidinfer.annotate.palette import Palette

WIDTH, HEIGHT = 1280, 720
LEGEND = 620
"""The legend ends left of this column."""


def class_map(**columns: int) -> np.ndarray:
    """90x160: background with columns of classes, given as ``c<class>=<columns>``, at the right."""
    made = np.zeros((90, 160), np.uint8)
    right = 160
    for name, count in columns.items():
        made[:, right - count : right] = int(name[1:])
        right -= count
    return made


@pytest.mark.parametrize("label", [1, 2, 3, 77, 254])
def test_every_class_has_its_colour(label: int) -> None:
    rgb = drawn(WIDTH, HEIGHT, segments(class_map(**{f"c{label}": 40})))
    wanted = (GREY + np.array(Palette(len(CATEGORIES))[label])) / 2
    assert np.abs(rgb[:, 960:] - wanted).max() <= 1
    assert not changed(rgb)[:, LEGEND:960].any(), "the background is untouched"


@pytest.mark.parametrize("label", [0, 255])
def test_background_and_what_is_not_reported_stay_as_they_are(label: int) -> None:
    assert not changed(drawn(WIDTH, HEIGHT, segments(np.full((90, 160), label, np.uint8)))).any()


def test_stretched_to_the_nearest_pixel() -> None:
    small = (np.arange(7 * 11).reshape(7, 11) % 2).astype(np.uint8)
    found = changed(drawn(640, 480, segments(small)))
    rows = (2 * np.arange(480) + 1) * 7 // 960
    columns = (2 * np.arange(640) + 1) * 11 // 1280
    assert np.array_equal(found[:, 400:], (small[rows][:, columns] == 1)[:, 400:])


def test_the_largest_comes_first_with_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[object, ...]] = []
    monkeypatch.setattr(Legend, "draw", lambda *given: seen.append(given[2:4]))
    drawn(WIDTH, HEIGHT, segments(class_map(c3=16, c1=48, c9=8, c255=8)))
    assert seen == [(["car", "vélo", "class 9"], [0.3, 0.1, 0.05])]


def test_the_legend_shows_the_colours_in_order() -> None:
    rgb = drawn(WIDTH, HEIGHT, segments(class_map(c3=16, c1=48)))
    palette = Palette(len(CATEGORIES))
    tops = [np.nonzero((rgb == palette[label]).all(axis=2).any(axis=1))[0].min() for label in (1, 3)]
    assert tops == sorted(tops)
    assert not changed(rgb)[200:, :760].any()


def test_the_legend_stands_still_and_takes_no_more_room_than_there_is() -> None:
    def edge(*labels: int) -> int:
        many = {f"c{label}": 1 for label in labels}
        return int(np.nonzero(changed(drawn(WIDTH, HEIGHT, segments(class_map(**many))))[:, :800])[1].max())

    assert edge(1) == edge(2) == edge(*range(1, 60)) < LEGEND


@pytest.mark.parametrize(("width", "height"), [(32, 24), (1, 1), (8, 300), (320, 17)])
@pytest.mark.parametrize("shape", [(90, 160), (1, 1), (0, 5), (300, 7)])
def test_small_pictures(width: int, height: int, shape: tuple[int, int]) -> None:
    drawn(width, height, segments((np.arange(shape[0] * shape[1]) % 256).astype(np.uint8).reshape(shape)))


def test_maps_that_are_views() -> None:
    wide = np.ones((90, 320), np.uint8)
    assert changed(drawn(WIDTH, HEIGHT, segments(wide[:, ::2]))).all()
