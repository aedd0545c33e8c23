"""A chart of a few curves as lines, dots and text at positions in pixels: how it looks, whoever draws it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from vidinfer.annotate.palette import Colour, Palette

__all__ = ["Chart", "Item", "Line", "Text", "Trace", "laid_out"]

INK: Colour = (40, 44, 52)
FAINT: Colour = (222, 225, 230)
MARK: Colour = (150, 154, 162)
DIMMED = 0.78
"""Of the palette's lightness, which is made for pictures: on white it must be darker."""
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 44, 84
"""Pixels around the field of the curves."""
LETTERS, HEADLINE = 14, 17
"""Pixels."""
FAR = 1.6
"""Times the highest point, up to which a mark makes the chart taller."""
LINES_Y = 5
"""About so many lines across."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Points joined by lines."""

    name: str
    points: Sequence[tuple[float, float]]
    """By x, ascending; x above 0, y at least 0."""
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """What is shown. The x axis is logarithmic, as batch sizes double."""

    title: str
    x: str
    y: str
    curves: Sequence[Trace]
    marks: Sequence[tuple[float, str]] = field(default=())
    """Values of y with a name; those far above the curves are left out."""


@dataclass(frozen=True, slots=True)
class Line:
    """From one point to the next."""

    points: Sequence[tuple[float, float]]
    colour: Colour
    width: float = 1.0
    dashed: bool = False
    dots: bool = False
    """Each point is marked."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words on one line."""

    text: str
    x: float
    y: float
    """Of the baseline."""
    size: int = LETTERS
    anchor: float = 0.0
    """Which part of the text is at ``x``: 0 its start, 0.5 its middle, 1 its end."""
    colour: Colour = INK


Item = Line | Text
_Place = Callable[[float, float], tuple[float, float]]


def laid_out(chart: Chart, width: int, height: int) -> list[Item]:
    """All that is to be drawn on a white field of so many pixels, in this order."""
    return list(_items(chart, width, height))


def _items(chart: Chart, width: int, height: int) -> Iterator[Item]:
    xs = sorted({x for curve in chart.curves for x, _ in curve.points}) or [1.0]
    highest = max((y for curve in chart.curves for _, y in curve.points), default=1.0) or 1.0
    highest = max([highest, *(value for value, _ in chart.marks if value <= FAR * highest)])
    step = _step(highest / LINES_Y)
    top = step * math.ceil(highest / step)
    low, span = math.log2(xs[0]), max(math.log2(xs[-1] / xs[0]), 1e-9)

    def at(x: float, y: float) -> tuple[float, float]:
        share = (math.log2(x) - low) / span if len(xs) > 1 else 0.5
        return (
            LEFT + (0.02 + 0.96 * share) * (width - LEFT - RIGHT),
            TOP + (1 - y / top) * (height - TOP - BOTTOM),
        )

    left, right, floor = float(LEFT), float(width - RIGHT), at(xs[0], 0)[1]
    yield Text(chart.title, left, 26, HEADLINE)
    for i in range(round(top / step) + 1):
        y = at(xs[0], i * step)[1]
        yield Line([(left, y), (right, y)], MARK if i == 0 else FAINT)
        yield Text(f"{i * step:g}", left - 8, y + 5, anchor=1.0)
    for x in xs:
        yield Text(f"{x:g}", at(x, 0)[0], floor + 20, anchor=0.5)
    yield Text(chart.x, (left + right) / 2, floor + 40, anchor=0.5)
    yield Text(chart.y, right, 26, anchor=1.0, colour=MARK)
    for value, name in chart.marks:
        if value <= top:
            y = at(xs[0], value)[1]
            yield Line([(left, y), (right, y)], MARK, dashed=True)
            yield Text(name, left + 6, y - 5, colour=MARK)
    yield from _curves(chart, at, width, height)


def _curves(chart: Chart, at: _Place, width: int, height: int) -> Iterator[Item]:
    """And the legend below, its names side by side."""
    palette = Palette(len(chart.curves))
    room = (width - LEFT - RIGHT) / max(1, len(chart.curves))
    for i, curve in enumerate(chart.curves):
        red, green, blue = (round(DIMMED * part) for part in palette[i])
        colour = (red, green, blue)
        yield Line([at(*point) for point in curve.points], colour, 2.5, curve.dashed, dots=True)
        x, y = LEFT + i * room, height - 16
        yield Line([(x, y - 5), (x + 22, y - 5)], colour, 2.5, curve.dashed)
        yield Text(curve.name, x + 28, y)


def _step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, … (and their like below 1) that is at least ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
