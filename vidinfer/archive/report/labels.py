"""What was found: label by label, over the archive's time, and to be looked at."""

from __future__ import annotations

from collections.abc import Sequence

from vidinfer.annotate.palette import Palette
from vidinfer.archive.report.drawing import curve, picture
from vidinfer.archive.report.found import Strong
from vidinfer.archive.report.gather import Gathered
from vidinfer.archive.report.tables import meter, named, note, table
from vidinfer.archive.report.words import clock, hours, number, safe, share

__all__ = ["CHARTS", "busiest", "labels"]

ROWS = 30
"""Labels in the table."""
CHARTS = 9
"""Labels with a chart."""


def busiest(all_of_it: Gathered, most: int) -> list[int]:
    """The labels that were found most often, the most frequent first."""
    counts = all_of_it.found.counts
    order = sorted((i for i in range(len(counts)) if counts[i]), key=lambda i: (-counts[i], i))
    return order[:most]


def labels(all_of_it: Gathered, strong: Sequence[Strong], stills: Sequence[bytes | None]) -> str:
    """The whole section."""
    task = str(all_of_it.model.get("task", ""))
    if all_of_it.unread:
        left_out = note(f"Left out: {number(all_of_it.unread)} sources whose units were not read.")
    else:
        left_out = ""
    if task == "optical_flow":
        return left_out + note("Optical flow has no labels; its figures are in the label files.")
    if not busiest(all_of_it, 1):
        return left_out + note("Nothing was found in what is labelled so far.")
    palette = Palette(max(1, len(all_of_it.categories)))
    return (
        left_out
        + _counts(all_of_it)
        + _charts(all_of_it, palette)
        + _pictures(all_of_it, strong, stills, palette)
    )


def _counts(all_of_it: Gathered) -> str:
    found, frames = all_of_it.found, max(1, int(all_of_it.found.frames.sum()))
    shown = busiest(all_of_it, ROWS)
    most = int(found.counts[shown[0]])
    rows = [
        [
            safe(name_of(all_of_it, label)),
            number(int(found.counts[label])),
            share(int(found.frames_with[label]) / frames),
            number(int(found.sources_with[label])),
            meter(int(found.counts[label]) / most),
        ]
        for label in shown
    ]
    what = "frames, by their best class" if found.best_only else "findings"
    rest = int((found.counts > 0).sum()) - len(shown)
    more = note(f"And {number(rest)} labels that were found less often.") if rest > 0 else ""
    return table(["label", what, "of all frames", "sources", ""], rows, right={1, 2, 3}, bars={4}) + more


def _charts(all_of_it: Gathered, palette: Palette) -> str:
    found, frames = all_of_it.found, all_of_it.found.frames
    drawn = []
    for label in busiest(all_of_it, CHARTS):
        name = name_of(all_of_it, label)
        values = [
            int(count) / int(seen) if seen else None
            for count, seen in zip(found.over_time[label], frames, strict=True)
        ]
        mean = number(int(found.counts[label]) / max(1, int(frames.sum())))
        drawing = curve(values, f"{name} over time", palette[label], hours(all_of_it.seconds))
        caption = f'<figcaption><b>{safe(name)}</b><span class="dim">{mean} a frame</span></figcaption>'
        drawn.append(f'<figure class="chart">{caption}{drawing}</figure>')
    words = (
        "Findings for each labelled frame, along all recordings one after the other, in the order of their names. "
        "Short grey marks: nothing was labelled there."
    )
    return f'<h3>Over time</h3>{note(words)}<div class="charts">{"".join(drawn)}</div>\n'


def _pictures(
    all_of_it: Gathered, strong: Sequence[Strong], stills: Sequence[bytes | None], palette: Palette
) -> str:
    if not strong:
        return ""
    drawn = [_still(all_of_it, one, jpeg, palette) for one, jpeg in zip(strong, stills, strict=True)]
    words = "The strongest findings of the busiest labels, each from another recording, decoded again for this page."
    return f'<h3>To look at</h3>{note(words)}<div class="stills">{"".join(drawn)}</div>\n'


def _still(all_of_it: Gathered, one: Strong, jpeg: bytes | None, palette: Palette) -> str:
    row = all_of_it.told[one.source].row
    if jpeg is None:
        shown = '<div class="none">no picture: the recording is gone, or cannot be searched</div>'
    else:
        names = all_of_it.categories
        shown = picture(jpeg, row.width or 16, row.height or 9, one.boxes, names, palette)
    by = "of the picture" if all_of_it.model.get("task") == "segmentation" else "score"
    score = f"{share(one.score)} of it" if by != "score" else f"{one.score:.2f}"
    return (
        f'<figure class="still">{shown}<figcaption><b><span>{safe(name_of(all_of_it, one.label))}</span>'
        f'<span class="dim">{score}</span></b>{named(row.source, row.outputs)} '
        f'<span class="dim">at {clock(one.seconds)}</span></figcaption></figure>'
    )


def name_of(all_of_it: Gathered, label: int) -> str:
    """A label's name."""
    names = all_of_it.categories
    return names[label] if label < len(names) else f"label {label}"
