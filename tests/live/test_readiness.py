"""Getting the model ready while streams are labelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vidinfer.clock import MonotonicClock
from vidinfer.errors import Interrupted
from vidinfer.live.lobby import Batch, Shape
from vidinfer.live.readiness import FRAMES, TIMES, Readiness, sizes_to
from vidinfer.testing import FakeModel

SHAPE = Shape(8, 6, (6, 8, 3), "|u1")


class Ready:
    """The model, and what was learnt; in batch ``stop_at``, counted from 1, somebody stops the run."""

    def __init__(self, largest: int, stop_at: int | None = None) -> None:
        self.learnt: list[list[tuple[int, float]]] = []
        self.model = FakeModel(lambda done: done + 1 == stop_at and self.readiness.stop())
        self.readiness = Readiness(self.model, MonotonicClock(), largest, self._learn)

    def _learn(self, shape: Shape, took: list[tuple[int, float]]) -> None:
        assert shape == SHAPE
        self.learnt.append(took)


def batch(frames: int) -> Batch:
    return Batch({}, SHAPE, np.zeros((frames, *SHAPE.place), np.uint8))


@pytest.mark.parametrize("largest", [1, 2, 6, 8])
def test_each_size_is_measured_once_there_are_enough_frames(largest: int) -> None:
    ready = Ready(largest)
    for _ in range(FRAMES - 1):
        ready.readiness.after(batch(1))
    assert not ready.model.batch_sizes
    for _ in range(3):
        ready.readiness.after(batch(1))
    assert ready.model.batch_sizes == [size for size in sizes_to(largest) for _ in range(TIMES)]
    (took,) = ready.learnt
    assert [frames for frames, _ in took] == [size for size in sizes_to(largest) for _ in range(TIMES - 1)]


@pytest.mark.parametrize("stop_at", [1, 2, 7])
def test_a_stop_ends_it_after_the_batch_under_way(stop_at: int) -> None:
    ready = Ready(8, stop_at)
    for _ in range(2):
        ready.readiness.after(batch(FRAMES))
        assert len(ready.model.batch_sizes) == stop_at
    assert not ready.learnt


class Choosing(FakeModel):
    """It chooses until it is stopped."""

    in_flight = 1
    readiness: Readiness

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def settle(
        self, _: object, width: int, height: int, batch_size: int, stopped: Callable[[], bool]
    ) -> None:
        assert (width, height, batch_size) == (8, 6, 1)
        while not stopped():
            self.looks += 1
            self.readiness.stop()
        raise Interrupted

    def submit(self, *_: object) -> Any:
        raise AssertionError


def test_a_stop_ends_the_choosing_of_a_backend() -> None:
    model = Choosing()
    learnt: list[object] = []
    model.readiness = Readiness(model, MonotonicClock(), 4, lambda *told: learnt.append(told))
    model.readiness.after(batch(FRAMES))
    assert model.looks == 1
    assert not model.batch_sizes
    assert not learnt
