"""Stretches of frames whose best class is the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vidinfer.export.blocks import LabelRecord

__all__ = ["ClassRun", "best_class_runs"]


@dataclass(frozen=True, slots=True)
class ClassRun:
    """From one frame to another, both included."""

    first: int
    last: int
    label: int
    score: float
    """The mean."""


def best_class_runs(records: Iterator[LabelRecord]) -> Iterator[ClassRun]:
    """The runs. A record that was not labelled ends one; frames that nobody was asked about do not."""
    first = last = label = -1
    total, count = 0.0, 0
    for record in records:
        best = _best(record)
        if count and (best is None or best[0] != label):
            yield ClassRun(first, last, label, round(total / count, 5))
            total, count = 0.0, 0
        if best is None:
            continue
        assert record.stamp is not None
        last = record.stamp.index
        if not count:
            first, label = last, best[0]
        total, count = total + best[1], count + 1
    if count:
        yield ClassRun(first, last, label, round(total / count, 5))


def _best(record: LabelRecord) -> tuple[int, float] | None:
    if not record.labelled or not len(record.found):
        return None
    score = float(record.found.numbers["score"][0])
    return (int(record.found.labels[0]), score) if np.isfinite(score) else None
