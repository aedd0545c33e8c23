"""Charts: everything inside the field, in both kinds of files."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.annotate.chart import Chart, Line, Text, Trace, laid_out
from vidinfer.annotate.chart_html import html
from vidinfer.annotate.chart_png import png

CHART = Chart(
    'throughput <of> "this" & that',
    "frames in a batch",
    "frames/s",
    [
        Trace("openvino bf16", [(1, 94.0), (2, 120.0), (4, 129.0)]),
        Trace("eager fp32", [(1, 31.0), (2, 38.0)], dashed=True),
    ],
    [(150.0, "decoding alone"), (1e6, "far away")],
)


@given(
    st.lists(
        st.dictionaries(st.integers(1, 64), st.floats(0, 1e6), min_size=1, max_size=6), min_size=1, max_size=5
    )
)
def test_nothing_leaves_the_field(curves: list[dict[int, float]]) -> None:
    traces = [Trace(str(i), sorted(one.items())) for i, one in enumerate(curves)]
    for item in laid_out(Chart("a", "b", "c", traces), 840, 400):
        points = item.points if isinstance(item, Line) else [(item.x, item.y)]
        assert all(0 <= x <= 840 and 0 <= y <= 400 for x, y in points)
        assert all(np.isfinite(points).ravel())


def test_higher_is_higher_and_marks_far_away_are_left_out() -> None:
    items = laid_out(CHART, 840, 400)
    first = next(item for item in items if isinstance(item, Line) and item.dots)
    (x1, y1), (x2, y2), (x3, y3) = first.points
    assert x2 - x1 == pytest.approx(x3 - x2)  # twice as many frames are as far apart each time
    assert y1 > y2 > y3
    texts = [item.text for item in items if isinstance(item, Text)]
    assert "decoding alone" in texts
    assert "far away" not in texts
    assert {"1", "2", "4", "eager fp32"} <= set(texts)


@pytest.mark.parametrize(
    "charts",
    [[CHART, CHART], [Chart("empty", "x", "y", [])], [Chart("one", "x", "y", [Trace("a", [(1, 0)])])]],
)
def test_a_page_that_any_parser_takes(charts: list[Chart]) -> None:
    page = html("a <title>", charts, ["words & more"])
    root = ElementTree.parse(io.BytesIO(page.encode())).getroot()
    name = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f".//{name}svg")) == len(charts)
    words = "".join(root.itertext())
    assert all(chart.title in words for chart in charts)
    assert "words & more" in words
    assert "http" not in page.replace("http://www.w3.org/", "")  # nothing is fetched


def test_a_picture_that_loads_and_shows_each_colour() -> None:
    data = png([CHART, CHART])
    rgb = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert rgb.shape == (1600, 1680, 3)
    assert (rgb[0, 0] == 255).all()
    drawn = [item for item in laid_out(CHART, 840, 400) if isinstance(item, Line) and item.dots]
    for line in drawn:
        x, y = line.points[0]
        assert tuple(rgb[round(2 * y), round(2 * x)]) == line.colour
