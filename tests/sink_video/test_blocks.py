"""From rectangles to blocks: all of them, once, and no other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.sink.blocks import ACROSS, DOWN, BlockGrid

edges = st.integers(-20, 120)


@given(
    st.integers(1, 100),
    st.integers(1, 60),
    st.lists(st.lists(st.tuples(edges, edges, edges, edges), max_size=6), min_size=1, max_size=3),
)
def test_the_blocks_that_hold_a_pixel(
    width: int, height: int, pictures: list[list[tuple[int, int, int, int]]]
) -> None:
    grid = BlockGrid(width, height)
    for rectangles in pictures:  # nothing is left of the picture before
        pixels = np.zeros((DOWN * grid.rows, ACROSS * grid.columns), np.bool_)
        for x1, y1, x2, y2 in np.clip(rectangles, 0, [width, height] * 2).tolist() if rectangles else []:
            pixels[y1:y2, x1:x2] = True
        expected = pixels.reshape(grid.rows, DOWN, grid.columns, ACROSS).any(axis=(1, 3))
        found = grid.touched(np.array(rectangles, np.int64).reshape(-1, 4))
        assert list(zip(found.rows.tolist(), found.columns.tolist(), strict=True)) == [
            tuple(place) for place in np.argwhere(expected).tolist()
        ]
