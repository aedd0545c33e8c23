"""How fast the run was, and what it cost."""

from __future__ import annotations

from vidinfer.archive.pace import Pace
from vidinfer.archive.report.gather import Gathered
from vidinfer.archive.report.tables import facts, named, note, table
from vidinfer.archive.report.words import hours, number, share

__all__ = ["cost", "speed"]

_STAGES = {"decode": "decoding", "infer": "the model", "write": "writing"}
_LIMITS = {"decode": "decoding", "model": "the model", "write": "writing"}


def speed(pace: Pace, seconds: float, all_of_it: Gathered) -> str:
    """The whole section.

    Args:
        pace: of this run.
        seconds: of wall time of this run.
    """
    return _run(pace, seconds) + _workers(pace) + _all_runs(all_of_it) + _slowest(all_of_it)


def _run(pace: Pace, seconds: float) -> str:
    total, light = pace.total(), pace.light()
    if not total.frames or not seconds:
        return note("Nothing was labelled in this run; what is here was labelled before.")
    pairs = [
        ("this run", f"{hours(seconds)} from start to end, loading and finishing included"),
        ("frames", f"{number(total.frames)}: {number(total.frames / seconds)} frames/s"),
    ]
    if total.video:
        pairs.append(("video", f"{hours(total.video)}: {number(total.video / seconds)} s of video a second"))
    if light is not None:
        limit = _LIMITS.get(light[1], light[1])
        pairs.append(
            (
                "share of the bound",
                f"{share(light[0])} of what {limit}, the slowest stage, could do in the same time",
            )
        )
    return facts(pairs)


def _workers(pace: Pace) -> str:
    if not pace.workers:
        return ""
    rows = [
        [
            name or "this process",
            number(one.units),
            number(one.frames),
            hours(one.seconds),
            number(one.frames / one.seconds) if one.seconds else "",
            number(one.video / one.seconds) if one.seconds and one.video else "",
        ]
        for name, one in sorted(pace.workers.items())
    ]
    heads = ["worker", "units", "frames", "at work", "frames/s", "video s/s"]
    return f"<h3>By worker</h3>{table(heads, rows, right={1, 2, 3, 4, 5})}"


def _all_runs(all_of_it: Gathered) -> str:
    busy = all_of_it.busy
    if not busy["frames"]:
        return ""
    stages = ", ".join(
        f"{name} {1000 * busy[stage] / busy['frames']:.1f} ms"
        for stage, name in _STAGES.items()
        if busy[stage]
    )
    return note(
        f"All runs together: {hours(busy['seconds'])} of worker time for {number(busy['frames'])} frames. "
        f"Of a frame: {stages}; stages work side by side."
    )


def _slowest(all_of_it: Gathered) -> str:
    if len(all_of_it.slowest) < 2:
        return ""
    rows = []
    for slow in all_of_it.slowest:
        row = all_of_it.told[slow.source].row
        kind = f"{row.codec or '?'} {row.width or '?'}x{row.height or '?'}"
        cells = [named(row.source, row.outputs), kind, number(slow.frames), hours(slow.seconds)]
        rows.append([*cells, number(slow.frames / slow.seconds) if slow.seconds else ""])
    heads = ["source", "kind", "frames", "worker time", "frames/s"]
    return f"<h3>The slowest sources</h3>{table(heads, rows, right={2, 3, 4})}"


def cost(pace: Pace, seconds: float, price: float | None) -> str:
    """The whole section."""
    energy = note("Energy: unknown; nothing here measures it.")
    video = pace.total().video
    if not video:
        return note("No video was labelled in this run.") + energy
    per_hour = seconds / video
    pairs = [("machine time", f"{number(3600 * per_hour)} s of this machine for an hour of video")]
    if price is not None:
        pairs.append(("an hour of video", f"{price * per_hour:.4g}, at {price:g} an hour of this machine"))
        pairs.append(("this run", f"{price * seconds / 3600:.4g}"))
    else:
        energy = note("Give --price-per-hour X to see it in money.") + energy
    return facts(pairs) + energy
