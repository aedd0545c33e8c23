"""What was found in an archive, added up while its units are read one after the other. Memory does not grow with it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vidinfer.sink.unit_scan import NO_PTS, Scanned

__all__ = ["BINS", "Box", "Found", "Strong"]

BINS = 120
"""Stretches that the archive's time is cut into."""
KEPT = 4
"""Strongest findings that are kept for each label, of different contents."""
BOXES = 12
"""Other boxes of the same frame that are kept."""


@dataclass(frozen=True, slots=True)
class Box:
    """An object, in displayed pixels."""

    label: int
    score: float
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Strong:
    """A finding that few are stronger than."""

    score: float
    source: int
    """Its number in the order of the report."""
    pts: int
    seconds: float
    """Since the first frame of its source."""
    label: int
    boxes: tuple[Box, ...] = ()
    """Of its frame, its own first."""


@dataclass(slots=True)
class Found:
    """Sums over all sources. Thread rule: one thread."""

    seconds: float
    """Of video in all sources together: what the bins divide."""
    best_only: bool
    """Of each frame only the first finding counts: classes are ranked, not found."""
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """``(labels,)``: findings."""
    frames_with: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """``(labels,)``: frames with at least one."""
    sources_with: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """``(labels,)``: sources with at least one."""
    over_time: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, BINS), np.int64))
    """``(labels, BINS)``: findings."""
    frames: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    """``(BINS,)``: frames that the model saw."""
    _strong: dict[int, list[tuple[float, int, Strong]]] = field(default_factory=dict)
    _contents: dict[int, set[str]] = field(default_factory=dict)

    def add(
        self,
        source: int,
        content: str,
        parts: Iterable[Scanned],
        *,
        base: Fraction,
        first_pts: int,
        offset: float,
        length: float,
    ) -> None:
        """A source.

        Args:
            source: its number.
            content: its fingerprint: of equal files one shows what is strongest.
            parts: its findings.
            base: seconds of one ``pts``.
            first_pts: of its first frame.
            offset: seconds of video before it in the archive.
            length: seconds of video in it.
        """
        best: dict[int, Strong] = {}
        with_any = np.zeros(0, np.int64)
        for part in parts:
            part = _firsts(part) if self.best_only else part
            known = np.where(part.pts == NO_PTS, first_pts, part.pts)
            seconds = np.clip((known - first_pts) * float(base), 0.0, max(length, 0.0))
            bins = np.minimum((offset + seconds) / max(self.seconds, 1e-9) * BINS, BINS - 1).astype(np.int64)
            self.frames += np.bincount(bins, minlength=BINS)
            rows = np.repeat(np.arange(len(part.counts)), part.counts)
            self._grow(int(part.labels.max(initial=-1)) + 1)
            self._count(part.labels, rows, bins)
            with_any = np.union1d(with_any, part.labels)
            _strongest(best, part, rows, seconds, source)
        self.sources_with[with_any] += 1
        for label, strong in best.items():
            self._keep(label, strong, content)

    def strongest(self, labels: Sequence[int], most: int) -> list[Strong]:
        """At most ``most``: the best of each of these labels in turn, then the second of each, and so on."""
        ranked = [sorted((s for _, _, s in self._strong.get(label, [])), key=_rank) for label in labels]
        rounds = (one for place in range(KEPT) for kept in ranked for one in kept[place : place + 1])
        found: dict[tuple[int, int], Strong] = {}
        for one in rounds:
            if len(found) < most:
                found.setdefault((one.source, one.pts), one)  # a picture is shown once
        return list(found.values())

    def _count(self, labels: NDArray[np.int64], rows: NDArray[np.int64], bins: NDArray[np.int64]) -> None:
        size = len(self.counts)
        self.counts += np.bincount(labels, minlength=size)
        self.frames_with += np.bincount(np.unique(rows * size + labels) % max(size, 1), minlength=size)
        flat = np.bincount(labels * BINS + bins[rows], minlength=size * BINS)
        self.over_time += flat.reshape(size, BINS)

    def _grow(self, size: int) -> None:
        more = size - len(self.counts)
        if more > 0:
            self.counts = np.pad(self.counts, (0, more))
            self.frames_with = np.pad(self.frames_with, (0, more))
            self.sources_with = np.pad(self.sources_with, (0, more))
            self.over_time = np.pad(self.over_time, ((0, more), (0, 0)))

    def _keep(self, label: int, strong: Strong, content: str) -> None:
        seen = self._contents.setdefault(label, set())
        if content in seen:
            return
        heap = self._strong.setdefault(label, [])
        item = (strong.score, -strong.source, strong)
        if len(heap) < KEPT:
            heapq.heappush(heap, item)
            seen.add(content)
        elif item[:2] > heap[0][:2]:
            heapq.heapreplace(heap, item)
            seen.add(content)
            if len(seen) > 64 * KEPT:  # of equal files far apart two may be shown: no harm
                seen.clear()


def _rank(strong: Strong) -> tuple[float, int, int]:
    return (-strong.score, strong.source, strong.pts)


def _firsts(part: Scanned) -> Scanned:
    """Of each frame the first finding only."""
    starts = (np.cumsum(part.counts) - part.counts)[part.counts > 0]
    boxes = None if part.boxes is None else part.boxes[starts]
    return Scanned(part.pts, np.minimum(part.counts, 1), part.labels[starts], part.scores[starts], boxes)


def _strongest(
    best: dict[int, Strong],
    part: Scanned,
    rows: NDArray[np.int64],
    seconds: NDArray[np.float64],
    source: int,
) -> None:
    """Of each label the strongest finding with a known time, if it is stronger than what ``best`` has."""
    usable = (part.pts[rows] != NO_PTS) & np.isfinite(part.scores)
    order = np.flatnonzero(usable)
    order = order[np.lexsort((-order, part.scores[order], part.labels[order]))]
    last = np.flatnonzero(np.diff(part.labels[order], append=-1))
    for i in order[last].tolist():
        label, score, row = int(part.labels[i]), float(part.scores[i]), int(rows[i])
        if label not in best or score > best[label].score:
            boxes = _boxes(part, row, i)
            best[label] = Strong(score, source, int(part.pts[row]), float(seconds[row]), label, boxes)


def _boxes(part: Scanned, row: int, own: int) -> tuple[Box, ...]:
    if part.boxes is None:
        return ()
    start = int(part.counts[:row].sum())
    others = [i for i in range(start, start + int(part.counts[row])) if i != own]
    return tuple(
        Box(int(part.labels[i]), float(part.scores[i]), *map(float, part.boxes[i]))
        for i in [own, *others[:BOXES]]
        if np.isfinite(part.boxes[i]).all()
    )
