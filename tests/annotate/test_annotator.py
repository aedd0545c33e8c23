"""What is drawn: where, in which colour, how large, and never outside the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotate.made import CATEGORIES, GREY, annotator, changed, drawn, entry
from vidinfer.annotate.lettering import Lettering, font_size
from vidinfer.annotate.palette import Palette, contrast, ink_on
from vidinfer.annotate.wording import percent
from vidinfer.detections import Classes, Objects, Results
from vidinfer.record import Outcome

SIZES = [(426, 240), (1280, 720), (3840, 2160), (720, 1280), (64, 48), (8, 8), (1, 1), (320, 17)]


def boxes(*rows: tuple[float, float, float, float], labels: list[int] | None = None) -> Results:
    m = len(rows)
    return Results(
        1,
        CATEGORIES,
        objects=Objects(
            np.array([0, m]),
            np.array(rows, np.float32).reshape(m, 4),
            np.linspace(0.98, 0.5, m).astype(np.float32),
            np.array(labels or [1] * m),
        ),
    )


def classes(*labels: int) -> Results:
    scores = np.geomspace(0.8, 0.001, len(labels)).astype(np.float32)
    return Results(1, CATEGORIES, classes=Classes(np.array([labels]), scores[None]))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_size_of_picture(width: int, height: int) -> None:
    box = (0.2 * width, 0.3 * height, 0.8 * width, 0.9 * height)
    assert changed(drawn(width, height, boxes(box))).any()
    assert changed(drawn(width, height, classes(1, 2, 3))).any() or min(width, height) < 20
    drawn(width, height, Results(0, CATEGORIES), entry(Outcome.CORRUPT))


@pytest.mark.parametrize("label", [0, 1, 2, 3])
def test_the_line_has_the_colour_of_the_class_at_the_edge_of_the_box(label: int) -> None:
    rgb = drawn(640, 480, boxes((100, 150, 500, 400), labels=[label]))
    colour = Palette(len(CATEGORIES))[label]
    assert tuple(rgb[400, 300]) == tuple(rgb[275, 100]) == tuple(rgb[275, 500]) == colour
    assert (rgb[200:350, 150:450] == GREY).all(), "what was found stays visible"


def test_lines_and_letters_grow_with_the_picture() -> None:
    def line(width: int, height: int) -> int:
        rgb = drawn(width, height, boxes((0.2 * width, 0.3 * height, 0.8 * width, 0.9 * height)))
        column = rgb[int(0.85 * height) :, width // 2]
        return int((column == Palette(4)[1]).all(axis=1).sum())

    lines = [line(426, 240), line(1280, 720), line(3840, 2160)]
    assert lines[0] == 1
    assert lines == sorted(set(lines)), "each wider than the one before"
    sizes = [font_size(w, h) for w, h in ((426, 240), (1280, 720), (1920, 1080), (3840, 2160))]
    assert sizes == sorted(set(sizes))
    assert sizes[0] >= 11, "readable at 240p"
    assert sizes[-1] / 2160 > 0.02, "readable at 4K on a small screen"
    assert font_size(720, 1280) == font_size(1280, 720)


def test_the_label_is_text_on_the_colour_of_the_class() -> None:
    rgb = drawn(640, 480, boxes((100, 150, 500, 400)))
    colour = Palette(len(CATEGORIES))[1]
    label = rgb[120:148, 100:200].reshape(-1, 3)
    ground = (label == colour).all(axis=1).mean()
    darkest = label[label.sum(axis=1).argmin()]
    assert ground > 0.2
    assert contrast((int(darkest[0]), int(darkest[1]), int(darkest[2])), colour) > 4.5
    assert contrast(colour, ink_on(colour)) > 4.5


@given(
    st.lists(
        st.tuples(*[st.one_of(st.floats(-500, 1500), st.sampled_from([np.nan, np.inf, -np.inf]))] * 4),
        max_size=12,
    )
)
def test_wild_boxes_do_no_harm(rows: list[tuple[float, float, float, float]]) -> None:
    drawn(160, 120, boxes(*rows))


def test_nothing_found_leaves_the_picture_alone() -> None:
    assert not changed(drawn(160, 120, boxes())).any()
    assert not changed(drawn(160, 120, Results(0, CATEGORIES), entry(Outcome.DROPPED))).any()


@pytest.mark.parametrize("outcome", [Outcome.CORRUPT, Outcome.FAILED])
def test_frames_that_no_model_saw_have_a_small_tag(outcome: Outcome) -> None:
    marked = changed(drawn(1280, 720, Results(0, CATEGORIES), entry(outcome)))
    rows, columns = np.nonzero(marked)
    assert rows.min() > 0.9 * 720
    assert columns.max() < 0.15 * 1280


def test_the_panel_stands_still_while_the_classes_change() -> None:
    one, other = (
        np.argwhere(changed(drawn(1280, 720, classes(*labels)))) for labels in ((1, 3, 0), (2, 0, 3))
    )
    assert (one.min(axis=0) == other.min(axis=0)).all()
    assert (one.max(axis=0) == other.max(axis=0)).all()
    assert one[:, 1].max() < 0.5 * 1280, "long names are cut, not the picture covered"


def test_bars_are_as_long_as_the_score() -> None:
    rgb = drawn(1280, 720, classes(1, 3))
    palette = Palette(len(CATEGORIES))
    width = np.nonzero(changed(rgb))[1].max() - np.nonzero(changed(rgb))[1].min()
    bar = (rgb == palette[1]).all(axis=2).sum(axis=1).max()
    assert bar / width == pytest.approx(0.8, abs=0.05)
    assert (rgb == palette[3]).all(axis=2).sum(axis=1).max() <= 2


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (0.0, "0%"),
        (0.001, "<1%"),
        (0.0099, "<1%"),
        (0.01, "1%"),
        (0.5, "50%"),
        (0.999, "100%"),
        (1.0, "100%"),
    ],
)
def test_scores_as_people_read_them(score: float, text: str) -> None:
    assert percent(score) == text


def test_labels_without_a_name_show_their_number() -> None:
    assert changed(drawn(320, 240, boxes((50, 50, 200, 200), labels=[77]))).any()


def test_text_is_cut_to_the_room_there_is() -> None:
    letters = Lettering(20)
    for room in range(0, 200, 7):
        text = letters.fit("a rather long name", room)
        assert letters.width(text) <= room
    assert letters.fit("car", 500) == "car"
    assert letters.fit("a rather long name", 100).startswith("a r")


def test_a_tile_is_drawn_once() -> None:
    letters = Lettering(20)
    assert letters.tile("car 98%", (255, 0, 0)) is letters.tile("car 98%", (255, 0, 0))
    for i in range(5000):
        letters.tile(f"{i}", (255, 0, 0))
    assert len(letters._tiles) <= 512, "bounded however long the video"
    assert len(letters._widths) <= 8 * 512


def test_rows_may_be_padded() -> None:
    wide = np.full((120, 200, 3), GREY, np.uint8)
    annotator(160, 120).draw(wide[:, :160], entry(), boxes((10, 30, 150, 110)))
    exact = np.full((120, 160, 3), GREY, np.uint8)
    annotator(160, 120).draw(exact, entry(), boxes((10, 30, 150, 110)))
    assert (wide[:, :160] == exact).all()
    assert (wide[:, 160:] == GREY).all()


def test_another_size_than_announced_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(120, 160, 3\)"):
        annotator(160, 120).draw(np.zeros((160, 120, 3), np.uint8), entry(), boxes())


def test_drawing_uses_one_thread() -> None:
    annotator(160, 120)
    assert cv2.getNumThreads() == 1
