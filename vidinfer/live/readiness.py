"""Getting the model ready while it labels already: which backend, and how long batches of each size take.

Until there are enough frames to choose on, the model runs as the reference does. Then it chooses, each size of batch is
run a few times, and the scheduler learns how long they take; frames that come meanwhile grow old and are dropped as any
others that the model has no time for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidinfer.clock import Clock
from vidinfer.errors import Interrupted
from vidinfer.live.lobby import Batch, Shape
from vidinfer.stages import AsyncModel, Model

__all__ = ["Readiness", "sizes_to"]

FRAMES = 8
"""To choose on."""
TIMES = 4
"""Each size of batch is run: the first time warms it up."""


@dataclass(slots=True)
class _Known:
    places: list[NDArray[Any]] = field(default_factory=list)
    ready: bool = False


class Readiness:
    """Thread rule: the thread of the model; ``stop`` from any."""

    def __init__(
        self,
        model: Model,
        clock: Clock,
        largest: int,
        learnt: Callable[[Shape, list[tuple[int, float]]], None],
    ) -> None:
        """``learnt(shape, [(frames, seconds), ...])``: what batches of up to ``largest`` frames take from now on."""
        self._model = model
        self._clock = clock
        self._largest = largest
        self._learnt = learnt
        self._known: dict[Shape, _Known] = {}
        self._settled = False
        self._stopped = threading.Event()

    def stop(self) -> None:
        """The run ends: nothing more is tried, beyond what is under way. Idempotent."""
        self._stopped.set()

    def after(self, batch: Batch) -> None:
        """A batch has been labelled; its frames may be the ones that were missing."""
        if batch.shape is None or batch.array is None or self._stopped.is_set():
            return
        known = self._known.setdefault(batch.shape, _Known())
        if known.ready:
            return
        known.places += [place.copy() for place in batch.array[: FRAMES - len(known.places)]]
        if len(known.places) >= FRAMES:
            known.ready = True
            self._prepare(batch.shape, np.stack(known.places))
            known.places.clear()

    def _prepare(self, shape: Shape, places: NDArray[Any]) -> None:
        width, height = shape.width, shape.height
        if isinstance(self._model, AsyncModel) and not self._settled:
            # Once: with every other size all streams would stand still for seconds again.
            try:
                self._model.settle(places, width, height, 1, self._stopped.is_set)
            except Interrupted:
                return
            self._settled = True
        took: list[tuple[int, float]] = []
        slot = self._model.allocate(self._largest, self._model.input_for(width, height))
        slot[:] = places[np.arange(self._largest) % len(places)]
        for frames in sizes_to(self._largest):
            for turn in range(TIMES):
                if self._stopped.is_set():
                    return
                began = self._clock.now()
                self._model.predict(slot[:frames], width, height)
                if turn:
                    took.append((frames, self._clock.now() - began))
        self._learnt(shape, took)


def sizes_to(largest: int) -> list[int]:
    """Sizes of batches that are tried: each power of two, and the largest."""
    sizes = [1]
    while 2 * sizes[-1] < largest:
        sizes.append(2 * sizes[-1])
    return sizes if largest == 1 else [*sizes, largest]
