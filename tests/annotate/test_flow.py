"""Flow: hue for direction, saturation for speed, on a scale that does not flicker."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from tests.annotate.made import CATEGORIES, GREY, annotator, changed, draw, drawn, entry, flow, uniform
from vidinfer.annotate.speed import SpeedScale
from vidinfer.annotate.wheel import wheel_picture
from vidinfer.detections import Flow, Results

WIDTH, HEIGHT = 640, 480
SECOND = entry(seconds=1.0)


def colour(field: np.ndarray) -> np.ndarray:
    """What the lower right of the picture shows, without the picture's own part."""
    rgb = drawn(WIDTH, HEIGHT, flow(field), SECOND)
    shown: np.ndarray = (rgb[-20, -20] - 0.3 * GREY) / 0.7
    return shown


def hue(rgb: np.ndarray) -> float:
    return colorsys.rgb_to_hsv(*(rgb / 255))[0] * 360


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [(9, 0, 0), (0, 9, 51), (-9, 0, 188), (0, -9, 255)],
    ids=["right", "down", "left", "up"],
)
def test_directions_have_the_hues_of_the_wheel(x: float, y: float, expected: float) -> None:
    found = hue(colour(uniform(x, y)))
    assert min(abs(found - expected), 360 - abs(found - expected)) < 12


def test_opposite_directions_have_far_hues() -> None:
    for angle in np.radians(np.arange(0, 180, 15)):
        x, y = 9 * np.cos(angle), 9 * np.sin(angle)
        apart = abs(hue(colour(uniform(x, y))) - hue(colour(uniform(-x, -y))))
        assert min(apart, 360 - apart) > 90


def test_no_movement_is_white_and_fast_movement_is_full() -> None:
    assert colour(uniform(0, 0)).min() > 250
    field = uniform(20, 0)
    field[:, 32:] = (10, 0)
    rgb = drawn(WIDTH, HEIGHT, flow(field), SECOND)
    half, full = (((rgb[-20, x] - 0.3 * GREY) / 0.7)[2] for x in (WIDTH - 20, 20))
    assert full < 5
    assert half == pytest.approx(127, abs=5)


def test_far_too_fast_keeps_its_direction() -> None:
    field = uniform(5, 0)
    field[-1:, -4:] = (900, 300)
    rgb = drawn(WIDTH, HEIGHT, flow(field), SECOND)
    expected = wheel_picture(100)[100 + 32, 100 + 95]
    assert np.abs((rgb[-1, -1] - 0.3 * GREY) / 0.7 - expected).max() < 6


def test_speeds_are_per_second_of_the_video() -> None:
    slow = draw(annotator(WIDTH, HEIGHT), flow(uniform(8, 0)), entry(seconds=1.0))
    drawing = annotator(WIDTH, HEIGHT)
    draw(drawing, flow(uniform(8, 0)), entry(seconds=0.5))
    later = draw(drawing, flow(uniform(4, 0)), entry(seconds=0.25))
    assert np.array_equal(slow[200:], later[200:])
    unknown = draw(drawing, flow(uniform(4, 0)), entry(seconds=None))
    assert np.array_equal(later, unknown), "the time between the frames before counts on"


def test_frames_without_flow_stay_as_they_are() -> None:
    assert not changed(drawn(WIDTH, HEIGHT, Results(0, ()))).any()
    none = np.zeros(0, np.float32)
    empty = Results(1, CATEGORIES, flow=Flow(none, none, none, none, np.zeros((0, 4, 4, 2), np.float32)))
    assert not changed(drawn(WIDTH, HEIGHT, empty)).any()


def test_the_scale_only_drifts() -> None:
    scale = SpeedScale(1.0)
    assert scale.follow(100, 0.04) == 100, "it begins with what is there"
    values = [scale.follow(speed, 0.04) for speed in [1e6, 0, 1e6, 0] * 3]
    assert all(abs(b / a - 1) < 0.04 for a, b in zip([100.0, *values], values, strict=False))
    for _ in range(100):
        last = scale.follow(250, 0.04)
    assert last == 250, "and arrives"
    assert scale.follow(1000, 3600) < 300, "a pause of the video is one step"
    for _ in range(2000):
        last = scale.follow(0, 0.04)
    assert last == 1.0, "never below the least"
    assert scale.follow(float("nan"), 0.04) == 1.0


def test_a_cut_does_not_change_the_colours_of_what_goes_on() -> None:
    drawing = annotator(WIDTH, HEIGHT)
    before = draw(drawing, flow(uniform(20, 0)), entry(seconds=0.04))
    draw(drawing, flow(uniform(300, 40)), entry(seconds=0.04))
    after = draw(drawing, flow(uniform(20, 0)), entry(seconds=0.04))
    assert np.abs(after[200:].astype(int) - before[200:]).max() < 10


@pytest.mark.parametrize(
    ("width", "height"), [(WIDTH, HEIGHT), (100, 70), (32, 24), (1, 1), (8, 300), (320, 17)]
)
@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf, 3e38, 1e-40])
def test_degenerate_fields_do_no_harm(width: int, height: int, value: float) -> None:
    field = uniform(1, 2, 8, 5)
    field[2:, 3:] = value
    drawn(width, height, flow(field), SECOND)
    drawn(width, height, flow(np.full((1, 1, 2), value, np.float32)), entry())


def test_the_legend_stands_still() -> None:
    drawing = annotator(1280, 720)
    for speed in (0, 400):
        rgb = draw(drawing, flow(uniform(speed, 0)), entry(seconds=0.04))
        rows, columns = np.nonzero((rgb != rgb[-1, -1]).any(axis=2))
        assert (rows.min(), columns.min()) == (12, 12)
        assert columns.max() < 0.5 * 1280


def test_the_wheel_is_white_in_the_middle_and_full_at_the_rim() -> None:
    wheel = wheel_picture(50)
    assert wheel.shape == (101, 101, 3)
    assert (wheel[50, 50] == 255).all()
    assert all(wheel[y, x].min() < 10 for y, x in ((50, 0), (50, 100), (0, 50), (100, 50)))
    assert tuple(wheel[50, 100]) == (255, 0, 0)
