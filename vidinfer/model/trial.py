"""A few real frames through one way of running a network: what it finds, and how fast."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from vidinfer.clock import Clock
from vidinfer.detections import Results
from vidinfer.errors import Interrupted
from vidinfer.model.engine import EngineFactory, Outputs, Pending
from vidinfer.model.engines import Engines, Task
from vidinfer.model.finite import FiniteGuard
from vidinfer.model.threads import torch_threads

__all__ = ["Reference", "Sample", "frames_per_second", "label", "threads_for"]

REFERENCE_SECONDS = 1.5
"""The reference is slow: it labels as many frames as it can in this time, at least one."""
WINDOW_SECONDS, WINDOWS, LONGEST_SECONDS = 0.1, 3, 1.0
ENOUGH_BOXES = 10
LOWER = (0.3, 0.1, 0.05, 0.02)
"""Thresholds to compare boxes at, where the user's own leaves fewer than ``ENOUGH_BOXES``."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the trials are made on."""

    task: Task
    places: Tensor
    """``(k, *place)``, on the device."""
    width: int
    height: int
    batch_size: int
    stopped: Callable[[], bool] = lambda: False
    """Looked at between one batch and the next."""

    def go_on(self) -> None:
        """Before something that takes time.

        Raises:
            Interrupted: a stop was asked for.
        """
        if self.stopped():
            raise Interrupted("stopped while it was tried how the model runs best")

    @property
    def splittable(self) -> bool:
        """The network has a dense part that a backend could run."""
        return self.task.part_for(self.width, self.height) is not None

    @property
    def has_regions(self) -> bool:
        """The network has heads on regions."""
        return bool(getattr(self.task, "heads", None))

    def given(self) -> Tensor:
        """All frames as the dense part is given them."""
        return self.task.given(self.places, self.width, self.height)

    def batch(self) -> Tensor:
        """``batch_size`` places, the frames again and again."""
        times = -(-self.batch_size // len(self.places))
        return torch.cat([self.places] * times)[: self.batch_size]

    def lowered(self, threshold: float | None) -> AbstractContextManager[object]:
        """Inside the block, boxes from ``threshold`` on are found."""
        setting = getattr(self.task, "threshold", None)
        if setting is None or threshold is None:
            return nullcontext()
        lowered: AbstractContextManager[object] = setting(threshold)
        return lowered


class Reference:
    """What the reference finds in the sample."""

    def __init__(self, sample: Sample, factory: EngineFactory, clock: Clock, threshold: float) -> None:
        """Label one frame after the other, until ``REFERENCE_SECONDS`` have passed.

        Raises:
            Interrupted: a stop was asked for.
            ModelError: values that are not finite.
        """
        guard = FiniteGuard()
        self._sample = sample
        self._engines = Engines(sample.task, factory, guard)
        self._outputs: list[Outputs] = []
        began = clock.now()
        for i in range(len(sample.places)):
            sample.go_on()
            pending = self._engines.submit(sample.places[i : i + 1], sample.width, sample.height)
            self._outputs.append(pending.result())
            if clock.now() - began > REFERENCE_SECONDS:
                break
        self.frames = len(self._outputs)
        self.results = self._finish()
        guard.check()
        self._seconds = clock.now() - began
        self.threshold = None if self.results.objects is None else threshold
        self._compare_enough()

    def rate(self, clock: Clock) -> float:
        """Frames a second; from the trial itself where that took long enough to tell."""
        if self._seconds > REFERENCE_SECONDS:
            return self.frames / self._seconds
        return frames_per_second(self._sample, self._engines, clock)

    def _finish(self) -> Results:
        width, height = self._sample.width, self._sample.height
        return Results.joined([self._engines.finish(one, 1, width, height) for one in self._outputs])

    def _compare_enough(self) -> None:
        """Boxes that nobody finds prove nothing: look below the user's threshold."""
        for lower in LOWER:
            objects = self.results.objects
            if objects is None or self.threshold is None or len(objects) >= ENOUGH_BOXES:
                return
            if lower < self.threshold:
                with self._sample.lowered(lower):
                    self.results, self.threshold = self._finish(), lower


def label(sample: Sample, engines: Engines, frames: int, threshold: float | None) -> Results:
    """The first ``frames`` of the sample, in batches of the run's size."""
    parts = []
    with sample.lowered(threshold), threads_for(engines):
        for first in range(0, frames, sample.batch_size):
            sample.go_on()
            batch = sample.batch()
            rows = sample.places[first : min(first + sample.batch_size, frames)]
            batch[: len(rows)] = rows
            outputs = engines.submit(batch, sample.width, sample.height).result()
            found = engines.finish(outputs, sample.batch_size, sample.width, sample.height)
            parts.append(found.rows(0, len(rows)))
    return Results.joined(parts)


def frames_per_second(
    sample: Sample, engines: Engines, clock: Clock, *, seconds: float = WINDOW_SECONDS
) -> float:
    """The network and what follows it, everything already compiled: the best of ``WINDOWS`` stretches of ``seconds``.

    What else runs on the machine can only make a stretch slower.
    """
    with threads_for(engines):
        return _best_rate(sample, engines, clock, seconds)


def _best_rate(sample: Sample, engines: Engines, clock: Clock, seconds: float) -> float:
    batch = sample.batch()
    waiting: deque[Pending] = deque()
    start = began = clock.now()
    best, done, windows = 0.0, 0, -1  # the first stretch only gets things going
    # Batches that run side by side end together: a stretch goes from the end of such a group to that of another.
    together = max(1, engines.factory.in_flight - 1)
    while windows < WINDOWS and (windows < 1 or began - start < LONGEST_SECONDS):
        sample.go_on()
        waiting.append(engines.submit(batch, sample.width, sample.height))
        if len(waiting) < engines.factory.in_flight:
            continue
        engines.finish(waiting.popleft().result(), sample.batch_size, sample.width, sample.height)
        done += 1
        passed = clock.now() - began
        if done % together == 0 and (windows < 0 or passed >= seconds):
            best = max(best, done * sample.batch_size / passed) if windows >= 0 else best
            began, done, windows = clock.now(), 0, windows + 1
    while waiting:
        waiting.popleft().result()
    return best


def threads_for(engines: Engines) -> AbstractContextManager[None]:
    """Torch's own threads, as in a run."""
    return torch_threads(torch.get_num_threads() if engines.factory.in_torch else 1)
