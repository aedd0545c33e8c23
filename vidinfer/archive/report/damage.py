"""What is damaged: sources, stretches, frames, and why; what was given up, and what is there twice."""

from __future__ import annotations

from collections.abc import Sequence

from vidinfer.archive.journal import Quarantined
from vidinfer.archive.report.gather import DAMAGED, Gathered, Losses
from vidinfer.archive.report.tables import named, note, table
from vidinfer.archive.report.words import clock, number, safe
from vidinfer.sink.unit_scan import Loss

__all__ = ["damage"]

FAILED, HELD, TWICE = 50, 25, 30
"""Rows, at most."""
LOG = 8000
"""Characters of what a process said last."""


def damage(all_of_it: Gathered, quarantine: Sequence[Quarantined]) -> str:
    """The whole section."""
    parts = [
        _damaged(all_of_it),
        _failed(all_of_it),
        _quarantine(quarantine),
    ]
    text = "".join(parts) or note("Nothing: every source could be read from its first frame to its last.")
    return text + _duplicates(all_of_it)


def _damaged(all_of_it: Gathered) -> str:
    gaps = {losses.source: losses for losses in all_of_it.losses}
    numbers = [i for i, one in enumerate(all_of_it.told) if one.row.status == "damaged"]
    if not numbers:
        return ""
    rows = []
    for i in numbers[:DAMAGED]:
        row = all_of_it.told[i].row
        counts = (row.corrupt, row.failed, row.gaps, row.packets_lost)
        why = "; ".join(filter(None, (_gaps(gaps.get(i)), *map(safe, all_of_it.told[i].warnings))))
        rows.append([named(row.source, row.outputs), *(number(count or 0) for count in counts), why])
    heads = ["source", "corrupt frames", "failed frames", "gaps", "packets lost", "where and why"]
    return f"<h3>Labelled, with losses</h3>{table(heads, rows, right={1, 2, 3, 4}, wide={5})}" + _rest(
        len(numbers) - len(rows), "damaged sources"
    )


def _gaps(losses: Losses | None) -> str:
    if losses is None:
        return ""
    told = [safe(_gap(losses, gap)) for gap in losses.gaps]
    return "; ".join([*told, "and more"] if losses.more else told)


def _gap(losses: Losses, gap: Loss) -> str:
    if gap.first_pts is None and gap.last_pts is None:
        return gap.reason
    first, last = (
        "?" if pts is None else clock((pts - losses.first_pts) * losses.base)
        for pts in (gap.first_pts, gap.last_pts)
    )
    where = f"{first} to {last}" if first != last else f"at {first}"
    return f"{where}: {gap.reason}"


def _failed(all_of_it: Gathered) -> str:
    found = [one.row for one in all_of_it.told if one.row.status == "failed"]
    if not found:
        return ""
    rows = [[safe(row.source), safe(row.error or "")] for row in found[:FAILED]]
    return f"<h3>Not readable</h3>{table(['source', 'why'], rows, wide={1})}" + _rest(
        len(found) - len(rows), "unreadable sources"
    )


def _quarantine(held: Sequence[Quarantined]) -> str:
    if not held:
        return ""
    rows = [[safe(one.source), number(one.tries), safe(one.reason) + _said(one.log)] for one in held[:HELD]]
    how = note("They are not tried again until --retry-quarantined is given.")
    return f"<h3>In quarantine</h3>{how}{table(['file', 'tries', 'why'], rows, right={1}, wide={2})}" + _rest(
        len(held) - len(rows), "units in quarantine"
    )


def _said(log: str) -> str:
    if not log.strip():
        return ""
    lines = "\n".join(safe(line) for line in log[-LOG:].splitlines())
    return f"<details><summary>the last that its process said</summary><pre>{lines}</pre></details>"


def _duplicates(all_of_it: Gathered) -> str:
    groups = all_of_it.duplicates
    if not groups:
        return ""
    rows = []
    for group in groups[:TWICE]:
        names = [all_of_it.told[i].row.source for i in group]
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        rows.append([safe(names[0]), ", ".join(map(safe, names[1:4])) + more])
    how = note("Labelled once; each has its own label files.")
    return (
        f"<h3>There more than once</h3>{how}{table(['source', 'the same content'], rows, wide={1})}"
        + _rest(len(groups) - len(rows), "groups of equal files")
    )


def _rest(count: int, what: str) -> str:
    return note(f"And {number(count)} more {what}; all of them are in manifest.parquet.") if count > 0 else ""
