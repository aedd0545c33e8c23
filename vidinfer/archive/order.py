"""The order in which units are begun: that of their sources, but for scouts and for those that would be late.

A unit that takes far longer than others and is begun among the last keeps the whole run waiting, and every worker but
its own idle. So those go first; all others stay in the order of their sources, which are then complete one by one.
Before all of them go some short ones of each kind of video, so that the time left is told from what each of them costs:
what a kind costs that nobody has seen yet can only be guessed, and the guess may be wrong by far (a model that
scales every picture to its own size takes as long for a small one). A few of the shortest come once more a little
later: what a unit costs however short it is shows when processes are up to speed, not before.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable

from vidinfer.archive.forecast import MODEL_PIXELS, frames_of, key_of
from vidinfer.archive.unit import Unit

__all__ = ["begun_in_order", "long_ones_first", "scouts"]

SCOUTING = 0.05
"""Of all work, what scouts may be at most."""
SCOUTS = 6
"""Of each kind, at most: files of one kind differ, too."""
SHORT = 4
"""Of each kind, at most, that are shorter than those;"""
AGAIN = 12
"""and so many more,"""
LATER = 0.06
"""once so much of all work is begun: processes are up to speed then, before that they take longer for a unit."""
SCOUT = 240.0
"""Frames from which on a unit tells what one costs: a process takes half a second to get used to a kind."""
LONG = 1.5
"""Times the median of all, from which on a unit goes first."""


def begun_in_order(units: Iterable[Unit]) -> list[Unit]:
    """Scouts, those that would be late, the rest."""
    given = list(units)
    first, again = scouts(given)
    ahead = {unit.id for unit in first + again}
    rest = long_ones_first(unit for unit in given if unit.id not in ahead)
    ordered, enough = first + rest, LATER * sum(map(_work, given))
    begun = itertools.takewhile(lambda work: work < enough, itertools.accumulate(map(_work, ordered)))
    at = max(len(first), sum(1 for _ in begun) + 1)
    return ordered[:at] + again + ordered[at:]


def scouts(units: Iterable[Unit]) -> tuple[list[Unit], list[Unit]]:
    """Short units of each kind in turn, those first of which there is most to do, and those to be begun when processes
    are up to speed; of one kind alone, only those that are too short to tell what a frame costs. None where the
    shortest of a kind is too long."""
    kinds: dict[str, list[Unit]] = {}
    for unit in units:
        kinds.setdefault(key_of(unit), []).append(unit)
    work = {name: sum(map(_work, of)) for name, of in kinds.items()}
    allowed = SCOUTING * sum(work.values()) / max(1, len(kinds))
    names = sorted(kinds, key=lambda name: -work[name])
    telling = [_scouts_of(kinds[name], allowed) if len(kinds) > 1 else [] for name in names]
    short = [_short_of(kinds[name], allowed, found) for name, found in zip(names, telling, strict=True)]
    first, again = [of[:SHORT] for of in short], [of[SHORT:] for of in short]
    return _in_turn(telling) + _in_turn(first), _in_turn(again)


def _in_turn(of: Iterable[list[Unit]]) -> list[Unit]:
    return [unit for turn in itertools.zip_longest(*of) for unit in turn if unit is not None]


def _scouts_of(units: list[Unit], allowed: float) -> list[Unit]:
    """The shortest that tell what a frame costs; where none of those is allowed, the longest that is."""
    ordered = sorted(units, key=frames_of)
    telling = [unit for unit in ordered if frames_of(unit) >= SCOUT and _work(unit) <= allowed]
    found = []
    for unit in telling[:SCOUTS] or [unit for unit in ordered if _work(unit) <= allowed][: -SCOUTS - 1 : -1]:
        if _work(unit) <= allowed:
            allowed -= _work(unit)
            found.append(unit)
    return found


def _short_of(units: list[Unit], allowed: float, chosen: list[Unit]) -> list[Unit]:
    """The shortest, behind the others, when processes are used to the kind: they tell what a unit costs by itself."""
    taken = {unit.id for unit in chosen}
    ordered = sorted((unit for unit in units if unit.id not in taken), key=frames_of)
    return [
        unit
        for unit in ordered[: SHORT + AGAIN]
        if frames_of(unit) < SCOUT and _work(unit) * SHORT <= allowed
    ]


def long_ones_first(units: Iterable[Unit]) -> list[Unit]:
    """Those first, the longest before the others; then the rest as it was."""
    given = list(units)
    if not given:
        return []
    work = {unit.id: _work(unit) for unit in given}
    limit = LONG * statistics.median(work.values())
    late = sorted((unit for unit in given if work[unit.id] > limit), key=lambda unit: -work[unit.id])
    return late + [unit for unit in given if work[unit.id] <= limit]


def _work(unit: Unit) -> float:
    return frames_of(unit) * (MODEL_PIXELS + (unit.pixels or 1e6))
