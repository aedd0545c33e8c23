"""The last minutes of a live run, for the charts: a point about every second, in bounded memory."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Mapping

from vidinfer.status import LiveStatus, StreamStatus

__all__ = ["History"]

POINTS = 300
EVERY = 0.95
"""Seconds between points, at least: statuses come each half second, a little more or less."""


class History:
    """Points as JSON texts, numbered from 1; five minutes of them.

    A point is ``{"t", "over_all", "streams"}``: seconds of uptime, and for all together and each stream
    ``[frames/s, labels/s, p50, p95, p99, {reason: drops/s}]``, milliseconds, ``null`` where nothing is known. Overall
    two more: mean and largest size of the batches since the point before. Thread rule: one thread.
    """

    def __init__(self) -> None:
        self._points: deque[str] = deque(maxlen=POINTS)
        self._newest = 0
        self._before: LiveStatus | None = None

    @property
    def newest(self) -> int:
        """The number of the newest point; 0 where there is none."""
        return self._newest

    def since(self, number: int) -> list[str]:
        """The points after ``number`` that are still kept, oldest first."""
        missing = min(self._newest - number, len(self._points))
        return [] if missing <= 0 else list(self._points)[-missing:]

    def add(self, status: LiveStatus) -> bool:
        """Make a point of ``status`` unless the one before is too young."""
        before = self._before
        if before is not None and 0 <= status.uptime - before.uptime < EVERY:
            return False
        self._before = status
        if before is None or status.uptime < before.uptime or len(before.streams) != len(status.streams):
            before = status
        self._points.append(json.dumps(_point(before, status), separators=(",", ":")))
        self._newest += 1
        return True


def _point(before: LiveStatus, now: LiveStatus) -> dict[str, object]:
    seconds = now.uptime - before.uptime
    pairs = list(zip(before.streams, now.streams, strict=True))
    drops = [_drops(a, b, seconds) for a, b in pairs]
    reasons = sorted({reason for one in drops for reason in one})
    summed = {reason: round(sum(one.get(reason, 0.0) for one in drops), 2) for reason in reasons}
    return {
        "t": round(now.uptime, 2),
        "over_all": [
            _rounded(sum(stream.frames_per_second or 0.0 for stream in now.streams)),
            _rounded(sum(stream.labels_per_second or 0.0 for stream in now.streams)),
            *_percentiles(now),
            summed,
            *_batches(before.batch_sizes, now.batch_sizes),
        ],
        "streams": [
            [
                _rounded(stream.frames_per_second),
                _rounded(stream.labels_per_second),
                *_percentiles(stream),
                dropped,
            ]
            for stream, dropped in zip(now.streams, drops, strict=True)
        ],
    }


def _percentiles(of: LiveStatus | StreamStatus) -> list[float | None]:
    total = of.latency.get("total")
    return [None] * 3 if total is None else [_rounded(one) for one in (total.p50, total.p95, total.p99)]


def _drops(before: StreamStatus, now: StreamStatus, seconds: float) -> dict[str, float]:
    """Per second, by reason; only those that occur."""
    if seconds <= 0:
        return {}
    was = before.ledger.dropped
    lost = {reason: n - was.get(reason, 0) for reason, n in now.ledger.dropped.items()}
    return {reason: round(n / seconds, 2) for reason, n in lost.items() if n > 0}


def _batches(before: Mapping[int, int], now: Mapping[int, int]) -> list[float | None]:
    """Mean and largest size of the batches in between."""
    new = {size: n - before.get(size, 0) for size, n in now.items() if n > before.get(size, 0)}
    if not new:
        return [None, None]
    return [_rounded(sum(size * n for size, n in new.items()) / sum(new.values())), float(max(new))]


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 2)
