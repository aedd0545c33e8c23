"""What waits for a sink that is slower than its stream: how much of it, and what is left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidinfer.frame import SourceInfo
from vidinfer.record import LabelledBatch
from vidinfer.stages import ModelInfo

__all__ = ["PICTURES", "RECORDS", "Beginning", "LeftOut", "Limits", "Waiting", "size_of", "without_pictures"]

_RECORD = 1024
"""Bytes that an entry takes, about, beside its columns and its picture."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When something is left out. A single batch is always taken where nothing waits, whatever its size."""

    records: int
    nbytes: int
    """Of columns and pictures."""
    pictures: int | None = None
    """Batches with pictures; ``None``: no limit of their own."""
    newest_wins: bool = False
    """The batches that have waited longest are left out; else the one that comes is."""


RECORDS = Limits(records=10_000, nbytes=64 << 20)
"""For labels: five minutes of 30 frames a second. What was queued is kept, so that a record has no holes but one, at
the end of what fitted."""
PICTURES = Limits(records=10_000, nbytes=256 << 20, pictures=8, newest_wins=True)
"""For videos: who watches wants the present, and pictures are large. A sink that stood still goes on with the last
moment, not with the first of those it missed; just as many are lost either way."""


@dataclass(frozen=True, slots=True, eq=False)
class Beginning:
    """What the batches from here on are of."""

    source: SourceInfo
    model: ModelInfo


class LeftOut(NamedTuple):
    """What a sink never gets."""

    records: int
    pictures: int
    """Records that came with one."""

    @classmethod
    def of(cls, batches: Iterable[LabelledBatch]) -> LeftOut:
        """All of ``batches``."""
        entries = [entry for batch in batches for entry in batch.entries]
        return cls(len(entries), sum(entry.picture is not None for entry in entries))


class Waiting:
    """Batches in the order they came, as many as the limits allow.

    Invariant: records added = taken + left out + still here, and so of pictures.

    Thread rule: one thread at a time.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._items: deque[tuple[Beginning, LabelledBatch, int]] = deque()
        self.records = self.nbytes = self.with_pictures = 0

    def __len__(self) -> int:
        """Batches."""
        return len(self._items)

    def add(self, beginning: Beginning, batch: LabelledBatch) -> LeftOut:
        """Queue ``batch``; returns what is left out for it, or that it is."""
        size = size_of(batch)
        lost: list[LabelledBatch] = []
        while self._items and not self._fits(batch, size):
            if not self._limits.newest_wins:
                return LeftOut.of([batch])
            lost.append(self.take()[1])
        self._items.append((beginning, batch, size))
        self._count(batch, size, 1)
        return LeftOut.of(lost)

    def first(self) -> Beginning:
        """What the next batch is of; there must be one."""
        return self._items[0][0]

    def take(self) -> tuple[Beginning, LabelledBatch]:
        """The next batch; there must be one."""
        beginning, batch, size = self._items.popleft()
        self._count(batch, size, -1)
        return beginning, batch

    def clear(self) -> LeftOut:
        """Leave everything out."""
        lost = LeftOut.of(batch for _, batch, _ in self._items)
        self._items.clear()
        self.records = self.nbytes = self.with_pictures = 0
        return lost

    def _fits(self, batch: LabelledBatch, size: int) -> bool:
        most = self._limits
        return (
            self.records + len(batch.entries) <= most.records
            and self.nbytes + size <= most.nbytes
            and (most.pictures is None or self.with_pictures + _has_pictures(batch) <= most.pictures)
        )

    def _count(self, batch: LabelledBatch, size: int, sign: int) -> None:
        self.records += sign * len(batch.entries)
        self.nbytes += sign * size
        self.with_pictures += sign * _has_pictures(batch)


def size_of(batch: LabelledBatch) -> int:
    """Bytes that ``batch`` keeps alive, about."""
    results = batch.results
    size = _RECORD * len(batch.entries)
    for columns in (results.objects, results.classes, results.segments, results.clips, results.flow):
        if columns is not None:
            size += _bytes_of(columns)
    return size + sum(entry.picture.nbytes for entry in batch.entries if entry.picture is not None)


def without_pictures(batch: LabelledBatch) -> LabelledBatch:
    """``batch``, for a sink that does not draw: it must not keep pictures alive."""
    if not _has_pictures(batch):
        return batch
    return LabelledBatch([replace(entry, picture=None) for entry in batch.entries], batch.results)


def _bytes_of(columns: Any) -> int:
    """Of the arrays that own the columns: a view of one stream's rows keeps those of the whole batch alive."""
    arrays = (getattr(columns, name) for name in type(columns).__slots__)
    return sum(_owner(array).nbytes for array in arrays if array is not None)


def _owner(array: NDArray[Any]) -> NDArray[Any]:
    return array.base if isinstance(array.base, np.ndarray) else array


def _has_pictures(batch: LabelledBatch) -> bool:
    return any(entry.picture is not None for entry in batch.entries)
