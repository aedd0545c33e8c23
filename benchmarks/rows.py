"""One line of the table: medians, what is held against the bar, and whether it is met."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.measure import median


def row(
    model: str,
    against: str,
    ours: Sequence[float],
    theirs: Sequence[float] | None,
    bar: float | None,
    *,
    held: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Medians of both, and the median and range of the figure that is held against the bar.

    Args:
        theirs: ``None``: compared with nothing.
        held: figures that shall be at most ``bar``; ``None``: the ratios round by round, which shall be at least that.
    """
    if held is None:
        assert theirs is not None
        figures: Sequence[float] = [a / b for a, b in zip(ours, theirs, strict=True)]
    else:
        figures = held
    figure = median(figures)
    met = None if bar is None else figure >= bar if held is None else figure <= bar
    return {
        "model": model,
        "against": against,
        "vidinfer": _rounded(median(ours)),
        "other": None if theirs is None else _rounded(median(theirs)),
        "ratio": _rounded(figure),
        "from_to": [_rounded(min(figures)), _rounded(max(figures))],
        "bar": bar,
        "bar_is": "least" if held is None else "most",
        "met": met,
    }


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Markdown. A row with an ``error`` could not be measured."""
    lines = [
        "| model | backend | against | vidinfer | other | ratio or figure | from-to | bar | met |",
        "|" + "---|" * 9,
    ]
    for one in rows:
        if "error" in one:
            lines.append(f"| {one['model']} | | {one['against']} | {one['error']} | | | | | |")
            continue
        low, high = one["from_to"]
        sign = "≥" if one["bar_is"] == "least" else "≤"
        bar = "" if one["bar"] is None else f"{sign} {one['bar']:g}"
        met = {None: "", True: "yes", False: "no"}[one["met"]]
        other = "" if one["other"] is None else one["other"]
        lines.append(
            f"| {one['model']} | {one.get('backend', '')} | {one['against']} | {one['vidinfer']} | {other} "
            f"| {one['ratio']} | {low}-{high} | {bar} | {met} |"
        )
    return "\n".join(lines)


def _rounded(value: float) -> float:
    """To four digits: frames a second as well as shares."""
    return float(f"{value:.4g}")
