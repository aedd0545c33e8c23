"""Charts as a PNG file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate.chart import Chart, Line, Text, laid_out
from vidinfer.annotate.lettering import Lettering

__all__ = ["png"]

WIDTH, HEIGHT = 840, 400
"""Pixels of one chart, before ``SCALE``."""
SCALE = 2
"""Pixels for one, so that text is sharp on fine screens."""
DASH = 7.0
_FINE = 16
"""OpenCV takes coordinates in sixteenths of a pixel."""


def png(charts: Sequence[Chart]) -> bytes:
    """The file's bytes: the charts below each other, on white."""
    pages = [_page(chart) for chart in charts]
    rgb = np.concatenate(pages) if pages else np.full((1, 1, 3), 255, np.uint8)
    _, encoded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


def _page(chart: Chart) -> NDArray[np.uint8]:
    rgb = np.full((HEIGHT * SCALE, WIDTH * SCALE, 3), 255, np.uint8)
    letters: dict[int, Lettering] = {}
    for item in laid_out(chart, WIDTH, HEIGHT):
        if isinstance(item, Line):
            _line(rgb, item)
            continue
        if item.size not in letters:
            letters[item.size] = Lettering(item.size * SCALE)
        _text(rgb, item, letters[item.size])
    return rgb


def _line(rgb: NDArray[np.uint8], line: Line) -> None:
    width = max(1, round(line.width * SCALE))
    for start, end in pairwise(line.points):
        for a, b in _dashes(start, end) if line.dashed else [(start, end)]:
            cv2.line(rgb, _fine(a), _fine(b), line.colour, width, cv2.LINE_AA, shift=4)
    for point in line.points if line.dots else ():
        cv2.circle(
            rgb, _fine(point), round(3.5 * SCALE * _FINE), line.colour, cv2.FILLED, cv2.LINE_AA, shift=4
        )


def _dashes(
    start: tuple[float, float], end: tuple[float, float]
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    a, b = np.array(start), np.array(end)
    count = max(1, int(np.hypot(*(b - a)) / DASH) // 2)
    cuts = [a + (b - a) * i / (2 * count) for i in range(2 * count + 1)]
    return [((p[0], p[1]), (q[0], q[1])) for p, q in zip(cuts[::2], cuts[1::2], strict=False)]


def _text(rgb: NDArray[np.uint8], text: Text, letters: Lettering) -> None:
    x = round(text.x * SCALE - text.anchor * letters.width(text.text))
    # ``put`` takes the top of the line, which is about a letter's size above the baseline.
    letters.put(rgb, text.text, x, round(text.y * SCALE - letters.size * 1.01), text.colour)


def _fine(point: tuple[float, float]) -> tuple[int, int]:
    return round(point[0] * SCALE * _FINE), round(point[1] * SCALE * _FINE)
