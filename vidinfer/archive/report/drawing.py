"""The report's drawings as inline SVG: a curve over the archive's time, a picture with its boxes."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence

from vidinfer.annotate.palette import Colour, Palette, ink_on
from vidinfer.archive.report.found import Box
from vidinfer.archive.report.words import number, safe

__all__ = ["curve", "picture"]

WIDTH, HEIGHT = 320, 96
LEFT, BOTTOM, TOP = 34, 16, 8
"""Units around the field of the curve."""


def curve(values: Sequence[float | None], name: str, colour: Colour, end: str) -> str:
    """A stepped area; ``None``: there was nothing to look at.

    Args:
        name: what is shown, for those who do not see it.
        colour: of the area.
        end: what stands at the right end of the axis; its left end is 0.
    """
    highest = max((v for v in values if v is not None), default=0.0)
    top = _nice(highest)
    floor, field_width = HEIGHT - BOTTOM, WIDTH - LEFT - 4
    step = field_width / len(values)
    red, green, blue = colour
    fill = f"rgb({red},{green},{blue})"
    bars = "".join(
        f"M{LEFT + i * step:.1f} {floor}v{-(value / top) * (floor - TOP):.2f}h{step:.2f}V{floor}z"
        for i, value in enumerate(values)
        if value
    )
    unseen = "".join(
        f"M{LEFT + i * step:.1f} {floor}v-3h{step:.2f}v3z" for i, value in enumerate(values) if value is None
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{safe(name)}">'
        f'<line x1="{LEFT}" y1="{TOP}" x2="{WIDTH - 4}" y2="{TOP}" stroke="currentColor" stroke-opacity=".15"/>'
        f'<path d="{bars}" fill="{fill}"/><path d="{unseen}" fill="currentColor" fill-opacity=".3"/>'
        f'<line x1="{LEFT}" y1="{floor}" x2="{WIDTH - 4}" y2="{floor}" stroke="currentColor" stroke-opacity=".4"/>'
        f'<text x="{LEFT - 5}" y="{TOP + 5}" text-anchor="end">{number(top)}</text>'
        f'<text x="{LEFT - 5}" y="{floor}" text-anchor="end">0</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 3}">0</text>'
        f'<text x="{WIDTH - 4}" y="{HEIGHT - 3}" text-anchor="end">{safe(end)}</text></svg>'
    )


def picture(
    jpeg: bytes, width: int, height: int, boxes: Sequence[Box], names: Sequence[str], colours: Palette
) -> str:
    """A frame and its boxes, the first one marked; in units of displayed pixels.

    Args:
        names: of the labels.
    """
    data = base64.b64encode(jpeg).decode()
    told = ", ".join(_named(box.label, names) for box in boxes[:1]) or "frame"
    drawn = "".join(
        _box(box, colours, thin=i > 0, unit=width / 320) for i, box in reversed(list(enumerate(boxes)))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{safe(told)}">'
        f'<image href="data:image/jpeg;base64,{data}" width="{width}" height="{height}" '
        f'preserveAspectRatio="none"/>{drawn}</svg>'
    )


def _box(box: Box, colours: Palette, *, thin: bool, unit: float) -> str:
    colour = colours[box.label]
    edge = "rgb({},{},{})".format(*colour)
    behind = "rgb({},{},{})".format(*ink_on(colour))
    place = (
        f'x="{box.x1:.1f}" y="{box.y1:.1f}" width="{max(0.0, box.x2 - box.x1):.1f}" '
        f'height="{max(0.0, box.y2 - box.y1):.1f}" fill="none"'
    )
    if thin:
        return f'<rect {place} stroke="{edge}" stroke-width="{unit:.2f}" stroke-opacity=".75"/>'
    return (
        f'<rect {place} stroke="{behind}" stroke-width="{4.5 * unit:.2f}" stroke-opacity=".8"/>'
        f'<rect {place} stroke="{edge}" stroke-width="{2.5 * unit:.2f}"/>'
    )


def _named(label: int, names: Sequence[str]) -> str:
    return names[label] if 0 <= label < len(names) else f"label {label}"


def _nice(highest: float) -> float:
    """The smallest of 1, 2, 2.5, 5, 10, 20, … (and their like below 1) that is at least ``highest``."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(f * power for f in (1.0, 2.0, 2.5, 5.0, 10.0) if f * power >= highest * (1 - 1e-9))
