"""Labels stay in the picture and off each other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.annotate.layout import place_labels

WIDTH, HEIGHT = 200, 120


def place(boxes: list[tuple[int, int, int, int]], size: tuple[int, int] = (40, 12)) -> list[list[int]]:
    sizes = np.array([size] * len(boxes), np.int64)
    found: list[list[int]] = place_labels(np.array(boxes, np.int64), sizes, WIDTH, HEIGHT).tolist()
    return found


def overlap(a: list[int], b: list[int], size: tuple[int, int] = (40, 12)) -> bool:
    return abs(a[0] - b[0]) < size[0] and abs(a[1] - b[1]) < size[1]


def test_above_the_box_where_there_is_room() -> None:
    assert place([(50, 60, 100, 100)]) == [[50, 48]]


def test_below_a_box_at_the_top() -> None:
    assert place([(50, 0, 100, 50)]) == [[50, 50]]


def test_inside_a_box_that_fills_the_picture() -> None:
    assert place([(0, 0, WIDTH, HEIGHT)]) == [[0, 0]]


def test_two_boxes_in_one_place_have_two_labels() -> None:
    a, b = place([(50, 60, 100, 100), (52, 61, 101, 99)])
    assert not overlap(a, b)


def test_a_row_of_neighbours_is_readable() -> None:
    corners = place([(x, 60, x + 30, 90) for x in range(0, 160, 30)])
    pairs = [(a, b) for i, a in enumerate(corners) for b in corners[i + 1 :]]
    assert not any(overlap(a, b) for a, b in pairs)


def test_nothing_to_place() -> None:
    empty = place_labels(np.zeros((0, 4), np.int64), np.zeros((0, 2), np.int64), WIDTH, HEIGHT)
    assert empty.shape == (0, 2)


@given(
    st.lists(
        st.tuples(
            st.integers(0, WIDTH - 1),
            st.integers(0, HEIGHT - 1),
            st.integers(0, WIDTH),
            st.integers(0, HEIGHT),
        ),
        min_size=1,
        max_size=30,
    ),
    st.tuples(st.integers(1, WIDTH), st.integers(1, HEIGHT)),
)
def test_labels_never_leave_the_picture(
    boxes: list[tuple[int, int, int, int]], size: tuple[int, int]
) -> None:
    ordered = [(x, y, max(x, x2), max(y, y2)) for x, y, x2, y2 in boxes]
    for x, y in place(ordered, size):
        assert 0 <= x <= WIDTH - size[0]
        assert 0 <= y <= HEIGHT - size[1]
