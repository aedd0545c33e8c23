"""The order in which units are begun: that of their sources, but for those that would be late.

A unit that takes far longer than others and is begun among the last keeps the whole run waiting, and every worker but
its own idle. So those go first; all others stay in the order of their sources, which are then complete one by one.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from vidinfer.archive.forecast import MODEL_PIXELS, frames_of
from vidinfer.archive.unit import Unit

__all__ = ["long_ones_first"]

LONG = 1.5
"""Times the median of all, from which on a unit goes first."""


def long_ones_first(units: Iterable[Unit]) -> list[Unit]:
    """Those first, the longest before the others; then the rest as it was."""
    given = list(units)
    if not given:
        return []
    work = {unit.id: frames_of(unit) * (MODEL_PIXELS + (unit.pixels or 1e6)) for unit in given}
    limit = LONG * statistics.median(work.values())
    late = sorted((unit for unit in given if work[unit.id] > limit), key=lambda unit: -work[unit.id])
    return late + [unit for unit in given if work[unit.id] <= limit]
