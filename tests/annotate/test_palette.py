"""Colours are stable, far apart and readable."""

from __future__ import annotations

import numpy as np
import pytest

from vidinfer.annotate.palette import Palette, contrast, ink_on

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def test_a_class_has_the_same_colour_in_every_model() -> None:
    small, large = Palette(3), Palette(91)
    assert [small[i] for i in range(3)] == [large[i] for i in range(3)]
    assert [Palette(91)[i] for i in range(91)] == [large[i] for i in range(91)]


@pytest.mark.parametrize(("classes", "distance"), [(6, 90), (12, 50), (91, 12)])
def test_colours_are_far_apart(classes: int, distance: float) -> None:
    palette = Palette(classes)
    rgb = np.array([palette[i] for i in range(classes)], float)
    apart = np.linalg.norm(rgb[:, None] - rgb[None], axis=2)[~np.eye(classes, dtype=bool)]
    assert apart.min() >= distance


def test_every_colour_is_seen_on_dark_and_on_light_and_carries_text() -> None:
    palette = Palette(1000)
    for i in range(len(palette)):
        assert contrast(palette[i], BLACK) > 4.5
        assert contrast(palette[i], WHITE) > 1.2
        assert contrast(palette[i], ink_on(palette[i])) > 4.5


def test_text_is_dark_on_light_and_light_on_dark() -> None:
    assert sum(ink_on(WHITE)) < 100
    assert ink_on(BLACK) == WHITE


def test_more_classes_than_colours_start_over() -> None:
    palette = Palette(1000)
    assert palette[len(palette)] == palette[0]
    assert palette[-1] == palette[len(palette) - 1]
    assert len(Palette(0)) == 1
