"""The plan of a run, for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vidinfer.cli.text import count, duration, printable, size, table

if TYPE_CHECKING:
    from vidinfer.archive.estimate import Estimate
    from vidinfer.archive.outlook import Outlook
    from vidinfer.archive.totals import Sums

__all__ = ["outlook_text"]

_MOST = 20
"""Lines of a list; --json has all."""
_WORDS = {
    "video": "video",
    "image": "image",
    "duplicate": "duplicate, the same content as another",
    "foreign": "foreign, not media or without pictures",
    "broken": "broken, cannot be opened",
}


def outlook_text(outlook: Outlook) -> str:
    """Tables of what there is, what cannot be read, and what to expect."""
    parts = [_kinds(outlook), _formats(outlook), _problems(outlook), _expected(outlook)]
    return "\n\n".join(filter(None, parts))


def _kinds(outlook: Outlook) -> str:
    rows = [("", "files", "size", "length", "frames claimed")]
    rows += [_row(_WORDS[kind], sums) for kind, sums in outlook.totals.kinds.items() if sums.files]
    if len(rows) > 2:
        rows.append(_row("to label", outlook.totals.usable))
    unknown = outlook.totals.usable.frames_unknown
    note = (
        f"\n{count(unknown, 'file')} that tell neither frames nor length are not among them"
        if unknown
        else ""
    )
    found = count(len(outlook.files), "file")
    if not outlook.files:
        return "no file"
    headline = f"{found}, headers read in {duration(outlook.survey_seconds)}"
    return f"{headline}\n{table(rows, right=frozenset({1, 2, 3, 4}))}{note}"


def _row(name: str, sums: Sums) -> tuple[str, str, str, str, str]:
    length = duration(sums.seconds) if sums.seconds else ""
    return name, f"{sums.files:,}", size(sums.bytes), length, f"{sums.frames:,}" if sums.frames else ""


def _formats(outlook: Outlook) -> str:
    formats = outlook.totals.by_length()
    rows = [("codec", "size", "frames/s", "files", "length")]
    for one, sums in formats[:_MOST]:
        rate = "" if one.rate is None else f"{one.rate:g}"
        length = duration(sums.seconds) if sums.seconds else ""
        rows.append((one.codec, f"{one.width}x{one.height}", rate, f"{sums.files:,}", length))
    more = len(formats) - _MOST
    note = f"\nand {count(more, 'format')} more (--json has all)" if more > 0 else ""
    return table(rows, right=frozenset({2, 3, 4})) + note if formats else ""


def _problems(outlook: Outlook) -> str:
    lines = outlook.missing + [str(file.error) for file in outlook.problems]
    if not lines:
        return ""
    more = len(lines) - _MOST
    note = [f"  and {more:,} more (--json has all)"] if more > 0 else []
    listed = [f"  {printable(line)}" for line in lines[:_MOST]]
    return "\n".join([f"cannot be read, or not wholly: {len(lines):,}", *listed, *note])


def _expected(outlook: Outlook) -> str:
    expected = outlook.expected
    if expected is None:
        if outlook.unmeasured:
            return f"the time could not be measured: {outlook.unmeasured}"
        if outlook.sampled and outlook.totals.usable.files:
            return "nothing could be measured: no piece of it could be labelled"
        return ""
    rows = [
        ("time", _with_interval(expected.seconds, duration)),
        ("outputs", _with_interval(expected.written, size)),
    ]
    if outlook.cost is not None:
        rows.append(("cost", _with_interval(outlook.cost, lambda value: f"{value:,.2f}")))
    measured = (
        f"measured: {count(expected.pieces, 'piece')} ({expected.frames:,} frames), drawn with seed {outlook.seed} "
        f"to make {outlook.sampled:g} s of video; starting, loading the model and the report come on top"
    )
    rate = outlook.frames / expected.seconds.value if expected.seconds.value else 0
    return f"expected on this machine, {outlook.frames:,} frames at {rate:.1f} frames/s\n{table(rows)}\n{measured}"


def _with_interval(estimate: Estimate, told: Callable[[float], str]) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{told(estimate.value)} (one piece only: no interval)"
    return f"{told(estimate.value)}  ({told(estimate.low)} to {told(estimate.high)} in 90 % of resampled samples)"
