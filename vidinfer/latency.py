"""Percentiles of latencies in bounded memory: counts in bins whose width grows with the value.

Every bin is 2 % wide, so a percentile is never told too small, and too large by 2 % at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Latencies", "Percentiles"]

_LEAST, _WIDTH, _BINS = 1e-5, 0.02, 1024
"""From 10 µs to two hours."""
_LOG = math.log1p(_WIDTH)
ENOUGH_FOR_P99 = 662
"""Samples from which a 99th percentile says something, by MLPerf's rule of early stopping at 99 % confidence."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds; ``None`` where there are no samples, and ``p99`` also where there are fewer than 662."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None

    def as_dict(self) -> dict[str, float | int | None]:
        """For JSON."""
        figures = {name: getattr(self, name) for name in ("p50", "p95", "p99", "max")}
        rounded = {name: None if value is None else round(value, 3) for name, value in figures.items()}
        return {"count": self.count, **rounded}


class Latencies:
    """Thread rule: ``add`` and ``merge`` on one thread at a time; what is read meanwhile may lack the last samples."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self._max = 0.0
        self._seen = 0

    def __len__(self) -> int:
        return self._seen

    def add(self, seconds: float) -> None:
        """Count one; below 10 µs as 10 µs."""
        bin = 0 if seconds <= _LEAST else min(_BINS - 1, math.ceil(math.log(seconds / _LEAST) / _LOG))
        self._counts[bin] += 1
        self._seen += 1
        self._max = max(self._max, seconds)

    def merge(self, other: Latencies) -> None:
        """Add all that ``other`` has seen."""
        self._counts += other._counts
        self._seen += other._seen
        self._max = max(self._max, other._max)

    def percentile(self, share: float) -> float | None:
        """Seconds that ``share`` (0 to 1] of the samples did not exceed; ``None`` where there are none."""
        if not self._seen:
            return None
        if not 0.0 < share <= 1.0:
            raise ValueError(f"a percentile is between 0 and 1, got {share}")
        sums = self._counts.cumsum()
        bin = int(np.searchsorted(sums, math.ceil(share * sums[-1])))
        return min(self._max, _LEAST * (1 + _WIDTH) ** bin)

    def percentiles(self) -> Percentiles:
        """All that is told of them."""

        def ms(share: float) -> float | None:
            seconds = self.percentile(share)
            return None if seconds is None else 1000 * seconds

        p99 = ms(0.99) if self._seen >= ENOUGH_FOR_P99 else None
        return Percentiles(self._seen, ms(0.5), ms(0.95), p99, 1000 * self._max if self._seen else None)
