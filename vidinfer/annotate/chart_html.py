"""Charts as one HTML file that needs nothing else: no script, no font, no address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from vidinfer.annotate.chart import Chart, Line, Text, laid_out
from vidinfer.annotate.palette import Colour

__all__ = ["html"]

WIDTH, HEIGHT = 840, 400
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;color:#282c34;background:#fff;max-width:52.5rem;margin:2rem auto;"
    "padding:0 1rem}svg{width:100%;height:auto;display:block;margin:1rem 0}"
)
_ANCHORS = {0.0: "start", 0.5: "middle", 1.0: "end"}


def html(title: str, charts: Sequence[Chart], words: Sequence[str]) -> str:
    """The page, which is well-formed XML too.

    Args:
        words: paragraphs below the charts.
    """
    paragraphs = "\n".join(f"<p>{escape(text)}</p>" for text in words)
    drawings = "\n".join(_svg(chart) for chart in charts)
    return (
        f'<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head><meta charset="utf-8"/>'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n{drawings}\n{paragraphs}\n</body>\n</html>\n"
    )


def _svg(chart: Chart) -> str:
    items = "\n".join(_items(chart))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(chart.title)}">\n{items}\n</svg>'
    )


def _items(chart: Chart) -> Iterator[str]:
    for item in laid_out(chart, WIDTH, HEIGHT):
        if isinstance(item, Text):
            yield (
                f'<text x="{item.x:.1f}" y="{item.y:.1f}" font-size="{item.size}" fill="{_rgb(item.colour)}" '
                f'text-anchor="{_ANCHORS[item.anchor]}">{escape(item.text)}</text>'
            )
        else:
            yield _line(item)


def _line(line: Line) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in line.points)
    dashes = ' stroke-dasharray="7 7"' if line.dashed else ""
    stroke = f'fill="none" stroke="{_rgb(line.colour)}" stroke-width="{line.width:g}"{dashes}'
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{_rgb(line.colour)}"/>' for x, y in line.points
    )
    return f'<polyline points="{points}" {stroke}/>{dots if line.dots else ""}'


def _rgb(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
