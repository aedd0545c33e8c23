"""Masks tint the object and nothing else, with little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.annotate.made import CATEGORIES, GREY, changed, drawn, objects
from vidinfer.annotate.masks import draw_masks
from vidinfer.annotate.palette import Palette

RED, BLUE = (250, 40, 40), (40, 40, 250)


def canvas(width: int = 200, height: int = 120) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_nothing_outside_the_box_changes() -> None:
    rgb = canvas()
    draw_masks(rgb, boxes((30.4, 20.6, 90.5, 70.2)), np.ones((1, 28, 28), np.float32), [RED], 5)
    rows, columns = np.nonzero(changed(rgb))
    assert (rows.min(), rows.max()) == (20, 70)
    assert (columns.min(), columns.max()) == (30, 90)


def test_the_object_is_tinted_and_its_outline_has_the_full_colour() -> None:
    rgb = canvas()
    mask = np.zeros((1, 28, 28), np.float32)
    mask[:, :, :14] = 1
    draw_masks(rgb, boxes((40, 20, 96, 76)), mask, [RED], 1)
    assert np.abs(rgb[48, 54].astype(int) - (0.55 * GREY + 0.45 * np.array(RED))).max() <= 1
    assert np.abs(rgb[48, 67].astype(int) - RED).max() < 16, "the last column inside"
    assert not changed(rgb)[:, 69:].any()


def test_a_box_half_outside_shows_its_half_of_the_mask() -> None:
    mask = np.zeros((1, 28, 28), np.float32)
    mask[:, :, 14:] = 1
    rgb = canvas()
    draw_masks(rgb, boxes((-40, 20, 40, 80)), mask, [RED], 1)
    whole = canvas()
    draw_masks(whole, boxes((60, 20, 140, 80)), mask, [RED], 1)
    assert np.array_equal(changed(rgb)[:, :40], changed(whole)[:, 100:140])
    assert changed(rgb).any()


def test_the_best_is_on_top() -> None:
    rgb = canvas()
    both = boxes((20, 20, 80, 80), (20, 20, 80, 80))
    draw_masks(rgb, both, np.ones((2, 28, 28), np.float32), [RED, BLUE], 1)
    assert rgb[50, 50, 0] > rgb[50, 50, 2]


def test_in_the_colour_of_the_class() -> None:
    results = objects([(100, 100, 300, 300)], masks=np.ones((1, 28, 28), np.float32))
    colour = np.array(Palette(len(CATEGORIES))[1])
    assert np.abs(drawn(640, 480, results)[200, 200].astype(int) - (0.55 * GREY + 0.45 * colour)).max() <= 1


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            *[st.one_of(st.floats(-1e9, 1e9, width=32), st.sampled_from([np.nan, np.inf, -np.inf, 1e-40]))]
            * 4
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([0.0, 0.5, 1.0, np.nan, np.inf, -3.0]),
)
def test_wild_boxes_and_masks_do_no_harm(rows: list[tuple[float, ...]], value: float) -> None:
    drawn(32, 24, objects(rows, masks=np.full((len(rows), 28, 28), value, np.float32)))


def test_a_hundred_masks_take_the_memory_of_one() -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform((0, 0), (1700, 900), (100, 2))
    where = np.concatenate([corner, corner + rng.uniform(40, 180, (100, 2))], axis=1).astype(np.float32)
    masks = rng.random((100, 28, 28), np.float32)
    rgb, colours = canvas(1920, 1080), [RED] * 100
    tracemalloc.start()
    try:
        draw_masks(rgb, where, masks, colours, 2)
        draw_masks(rgb, boxes((0, 0, 1920, 1080)), masks[:1], colours, 2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < rgb.nbytes, "never as much as one picture, even where a box fills it"
