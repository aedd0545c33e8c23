"""What became of the frames of a stream, and how long it took: for ever in counts, of late in percentiles."""

from __future__ import annotations

import statistics
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence

from vidinfer.arrival import Arrival
from vidinfer.latency import Latencies, Percentiles
from vidinfer.record import Entry, Outcome
from vidinfer.stats import Ledger

__all__ = ["BatchTally", "Middle", "Rate", "StreamTally", "percentiles_of"]

_STAGES = ("total", "decode", "queue", "batch_wait", "inference")
_WINDOW, _WINDOWS = 10.0, 6
"""Seconds of a window, and windows that are kept: of late is the last minute."""
_RATE_OVER = 64
_MIDDLE_OF = 128


class Rate:
    """Events a second over the last ``_RATE_OVER`` of them; by count over span, as bursts would mislead a mean of gaps.

    Thread rule: ``add`` on one thread, ``value`` on any.
    """

    def __init__(self) -> None:
        self._stamps: deque[float] = deque(maxlen=_RATE_OVER)

    def add(self, now: float) -> None:
        """One happened."""
        self._stamps.append(now)

    def value(self, now: float) -> float | None:
        """``None`` before the second; falls while none happens."""
        stamps = tuple(self._stamps)
        if len(stamps) < 2:
            return None
        gap = (stamps[-1] - stamps[0]) / (len(stamps) - 1)
        # An event that is overdue makes the span longer, so that a stream that has stopped fades to 0.
        overdue = max(0.0, now - stamps[-1] - gap)
        span = stamps[-1] - stamps[0] + overdue
        return (len(stamps) - 1) / span if span > 0 else None


class Middle:
    """The median of the last 128 of something. Thread rule: share freely."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_MIDDLE_OF)
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        """One more."""
        with self._lock:
            self._last.append(value)

    def restart(self) -> None:
        """What was before does not count."""
        with self._lock:
            self._last.clear()

    def value(self) -> float | None:
        """``None`` before there are 128."""
        with self._lock:
            return statistics.median(self._last) if len(self._last) == _MIDDLE_OF else None


class StreamTally:
    """Thread rule: share freely."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.arrivals = Rate()
        self.labels = Rate()
        self.preparing = Middle()
        """Seconds from arrival to waiting for the model, also of frames that were dropped then."""
        self._lock = threading.Lock()
        self._ever = {stage: Latencies() for stage in _STAGES}
        self._late: deque[tuple[float, dict[str, Latencies]]] = deque(maxlen=_WINDOWS)
        self._over = 0

    def leave(self, entries: Iterable[Entry], now: float, slo: float | None) -> None:
        """Entries have left: their outcomes are final.

        Args:
            now: on the clock of the arrivals.
            slo: seconds that a label may take.
        """
        for entry in entries:
            if entry.outcome is Outcome.DROPPED:
                self.ledger.drop(entry.reason or "unknown")
            elif entry.outcome is Outcome.GAP:
                self.ledger.add("gaps")
            else:
                self.ledger.add(entry.outcome.value)
            if entry.arrival is not None and entry.arrival.queued is not None:
                self.preparing.add(entry.arrival.queued - entry.arrival.received)
            if entry.outcome is Outcome.LABELLED and entry.arrival is not None:
                self._label(entry.arrival, now, slo)

    def _label(self, arrival: Arrival, now: float, slo: float | None) -> None:
        self.labels.add(now)
        total = (arrival.labelled or now) - arrival.received
        with self._lock:
            window = self._window(now)
            for stage, seconds in {"total": total, **arrival.seconds()}.items():
                self._ever[stage].add(seconds)
                window[stage].add(seconds)
            self._over += slo is not None and total > slo

    @property
    def over_slo(self) -> int:
        """Labels that took longer than they may."""
        return self._over

    def late(self, now: float) -> dict[str, Latencies]:
        """By stage, of the last minute."""
        with self._lock:
            merged = {stage: Latencies() for stage in _STAGES}
            for began, window in self._late:
                if now - began <= _WINDOW * _WINDOWS:
                    for stage, latencies in window.items():
                        merged[stage].merge(latencies)
            return merged

    def ever(self) -> dict[str, Latencies]:
        """By stage, since the beginning: a copy."""
        with self._lock:
            copies = {stage: Latencies() for stage in _STAGES}
            for stage, latencies in self._ever.items():
                copies[stage].merge(latencies)
            return copies

    def _window(self, now: float) -> dict[str, Latencies]:
        if not self._late or now - self._late[-1][0] >= _WINDOW:
            self._late.append((now, {stage: Latencies() for stage in _STAGES}))
        return self._late[-1][1]


class BatchTally:
    """How large batches were, and why they were closed. Thread rule: ``add`` on one thread, the rest on any."""

    def __init__(self) -> None:
        self._sizes: Counter[int] = Counter()
        self._closed_by: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, frames: int, closed_by: str) -> None:
        """One batch."""
        with self._lock:
            self._sizes[frames] += 1
            self._closed_by[closed_by] += 1

    def sizes(self) -> Mapping[int, int]:
        """Batches by size."""
        with self._lock:
            return dict(sorted(self._sizes.items()))

    def closed_by(self) -> Mapping[str, int]:
        """Batches by reason."""
        with self._lock:
            return dict(self._closed_by)


def percentiles_of(parts: Sequence[Mapping[str, Latencies]]) -> dict[str, Percentiles]:
    """Of several streams together, by stage."""
    merged = {stage: Latencies() for stage in _STAGES}
    for part in parts:
        for stage, latencies in part.items():
            merged[stage].merge(latencies)
    return {stage: latencies.percentiles() for stage, latencies in merged.items()}
