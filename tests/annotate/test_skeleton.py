"""Figures: points that were seen, and lines between two of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.annotate.made import CATEGORIES, changed, drawn, objects
from vidinfer.annotate.palette import Palette
from vidinfer.annotate.skeleton import draw_skeletons

OUTSIDE = (0.0, 0.0, 2.0, 2.0)


def figure(*points: tuple[float, float, float]) -> np.ndarray:
    return np.array([points], np.float32)


def test_lines_join_points_that_were_seen() -> None:
    points = figure((100, 200, 3), (300, 200, 3), (300, 400, 3))
    rgb = drawn(640, 480, objects([OUTSIDE], keypoints=points))
    colour = Palette(len(CATEGORIES))[1]
    assert tuple(rgb[200, 200]) == tuple(rgb[300, 300]) == colour
    assert (rgb[190:200, 200].max(axis=1) < 90).any(), "a dark edge"
    assert (rgb[201:211, 200].max(axis=1) < 90).any(), "on both sides"


def test_points_without_a_score_are_not_shown_and_take_their_lines_along() -> None:
    points = figure((100, 200, 3), (300, 200, 0), (300, 400, 3))
    found = changed(drawn(640, 480, objects([OUTSIDE], keypoints=points)))
    assert found[200, 100]
    assert found[400, 300]
    assert not found[200, 150:320].any()
    assert not found[205:390, 300].any()


def test_lines_and_dots_are_thinner_in_small_figures() -> None:
    def width(size: int) -> int:
        rgb = np.zeros((500, 500, 3), np.uint8)
        draw_skeletons(rgb, figure((50, 50, 1), (50, 50 + size, 1)), [(0, 1)], [(200, 200, 200)], 8)
        return int((rgb[50 + size // 2] > 150).all(axis=1).sum())

    assert width(20) <= 2 < width(400)


def test_pairs_that_name_no_point_are_left_out() -> None:
    rgb = np.zeros((50, 50, 3), np.uint8)
    draw_skeletons(rgb, figure((10, 10, 1)), [(0, 7)], [(200, 200, 200)], 1)
    assert rgb[10, 10].any()


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.floats(width=32), st.sampled_from([np.nan, np.inf, -np.inf])),
            st.one_of(st.floats(-50, 50, width=32), st.sampled_from([np.nan, np.inf, -np.inf])),
            st.sampled_from([1.0, -1.0, np.nan]),
        ),
        min_size=3,
        max_size=3,
    )
)
def test_wild_points_do_no_harm(points: list[tuple[float, float, float]]) -> None:
    drawn(32, 24, objects([(1, 2, 20, 20)], keypoints=figure(*points)))


@pytest.mark.parametrize("shape", [(0, 3, 3), (1, 0, 3)])
def test_no_points(shape: tuple[int, ...]) -> None:
    drawn(32, 24, objects([OUTSIDE] * shape[0], keypoints=np.zeros(shape, np.float32)))
