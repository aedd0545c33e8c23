"""What a live run did, frame by frame, and the figures that are told of it.

The words and rules are MLPerf's where it has any (inference_policies, loadgen): latency counts from when a frame was
due, not from when somebody got round to it; frames that come too late or never are overtime; a percentile is an
estimate that holds with 99 % confidence, and is not told of fewer frames than that takes. It is no MLPerf result.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidinfer.arrival import Arrival

__all__ = [
    "CONFIDENCE",
    "STAGES",
    "Log",
    "Window",
    "early_stopping",
    "latency_figures",
    "plain_percentile",
    "spared",
]

CONFIDENCE = 0.99
STAGES = ("decode", "queue", "batch_wait", "inference")
_KINDS = {
    "stream": "H",
    "scheduled": "d",
    "labelled": "d",
    "batch": "H",
    "reason": "B",
    **dict.fromkeys(STAGES, "f"),
}


@lru_cache(maxsize=4096)
def spared(count: int, share: float = 0.99) -> int:
    """How many of ``count`` queries may be over a latency that is then the ``share`` quantile or more, with 99 %
    confidence: the largest t for which P(at most t of ``count`` are over, though a share of 1 - ``share`` is) <= 1 %.

    -1 where there are too few queries: t = 0 takes 459, and 1 takes 662 for the 99th percentile.
    """
    over = 1 - share
    total, t = 0.0, -1
    for i in range(count + 1):
        total += math.exp(
            math.lgamma(count + 1)
            - math.lgamma(i + 1)
            - math.lgamma(count - i + 1)
            + i * math.log(over)
            + (count - i) * math.log(share)
        )
        if total > 1 - CONFIDENCE:
            break
        t = i
    return t


def early_stopping(values: Sequence[float] | NDArray[np.float64], share: float = 0.99) -> float | None:
    """The estimate of a percentile by MLPerf's early stopping: the largest value after discarding the t - 1 largest.

    ``None`` for fewer values than t = 1 takes.
    """
    t = spared(len(values), share)
    return None if t < 1 else float(np.sort(np.asarray(values))[len(values) - t])


def plain_percentile(values: Sequence[float] | NDArray[np.float64], share: float) -> float | None:
    """The smallest value that ``share`` of them do not exceed."""
    if not len(values):
        return None
    return float(np.sort(np.asarray(values))[max(0, math.ceil(share * len(values)) - 1)])


def latency_figures(milliseconds: NDArray[np.float64]) -> dict[str, float | None]:
    """``p50``, ``p95`` and ``max`` as they are, ``p99`` by early stopping."""
    p99 = early_stopping(milliseconds)
    found = {
        "p50": plain_percentile(milliseconds, 0.5),
        "p95": plain_percentile(milliseconds, 0.95),
        "p99": p99,
        "max": float(milliseconds.max()) if len(milliseconds) else None,
    }
    return {name: None if value is None else round(value, 2) for name, value in found.items()}


class Log:
    """One row for each frame that left. A hundred thousand of them take 5 MB: it may run with a test of memory.

    Thread rule: ``add`` on one thread; the rest when it has ended.
    """

    def __init__(self) -> None:
        self._columns = {name: array(kind) for name, kind in _KINDS.items()}
        self._reasons: dict[str, int] = {"": 0}

    def add(self, stream: int, scheduled: float, arrival: Arrival | None, reason: str = "") -> None:
        """A frame of ``stream`` left, labelled (``arrival`` tells when) or not (``reason``)."""
        labelled = None if arrival is None or reason else arrival.labelled
        stages = {} if arrival is None or labelled is None else arrival.seconds()
        row = {
            "stream": stream,
            "scheduled": scheduled,
            "labelled": math.nan if labelled is None else labelled,
            "batch": 0 if arrival is None else arrival.batch_size,
            "reason": self._reasons.setdefault(reason, len(self._reasons)),
            **{stage: stages.get(stage, math.nan) for stage in STAGES},
        }
        for name, column in self._columns.items():
            column.append(row[name])

    def __len__(self) -> int:
        return len(self._columns["stream"])

    def window(self, begin: float, end: float) -> Window:
        """The frames that were due from ``begin`` on and before ``end``."""
        columns = {name: np.array(column, column.typecode) for name, column in self._columns.items()}
        inside = (columns["scheduled"] >= begin) & (columns["scheduled"] < end)
        return Window({name: column[inside] for name, column in columns.items()}, list(self._reasons))


class Window:
    """Frames of a stretch of time, as columns."""

    def __init__(self, columns: Mapping[str, NDArray[Any]], reasons: Sequence[str]) -> None:
        self.streams = columns["stream"]
        self.scheduled, self.labelled, self.batch = (
            columns[name] for name in ("scheduled", "labelled", "batch")
        )
        self.stages = {stage: columns[stage].astype(np.float64) for stage in STAGES}
        self._reasons = Counter(reasons[i] for i in columns["reason"].tolist() if i)

    def __len__(self) -> int:
        return len(self.streams)

    @property
    def reasons(self) -> dict[str, int]:
        """Frames without a label by the reason why."""
        return dict(self._reasons)

    @property
    def has_label(self) -> NDArray[np.bool_]:
        """By frame."""
        return ~np.isnan(self.labelled)

    @property
    def milliseconds(self) -> NDArray[np.float64]:
        """From when it was due to its label, of those that have one."""
        there = self.has_label
        return 1000 * (self.labelled[there] - self.scheduled[there])

    def overtime(self, budget: float, never: int = 0) -> float:
        """Share of the frames, and of ``never`` more that did not even get so far, without a label within ``budget``
        milliseconds."""
        offered = len(self) + never
        in_time = int((self.milliseconds <= budget).sum())
        return 1 - in_time / offered if offered else 0.0

    def mean_batch(self) -> float:
        """Frames of a batch, over the batches."""
        sizes = self.batch[self.has_label].astype(np.float64)
        return float(len(sizes) / (1 / sizes).sum()) if len(sizes) else 0.0

    def labels_of(self, streams: int) -> list[int]:
        """By stream."""
        counts = Counter(self.streams[self.has_label].tolist())
        return [counts[number] for number in range(streams)]

    def first_label_after(self, stream: int, moment: float) -> float | None:
        """When the first frame of ``stream`` that was due from then on had its label."""
        of = (self.streams == stream) & (self.scheduled >= moment) & self.has_label
        return float(self.labelled[of].min()) if of.any() else None
