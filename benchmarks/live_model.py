"""The model that simulated cameras are labelled by: the real one, watched, and with hitches where a script says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from benchmarks.live_code import Reader
from vidinfer.clock import Clock
from vidinfer.detections import Results
from vidinfer.errors import ModelError
from vidinfer.stages import AsyncModel, Model, ModelInfo, ModelInput

__all__ = ["Hitch", "WatchedModel"]

LOOKS = 16
"""Every so many batches the codes in them are read."""


@dataclass(frozen=True, slots=True)
class Hitch:
    """Once, so many seconds after the cameras began, the model takes longer, or fails."""

    at: float
    seconds: float = 0.0
    fails: bool = False


class WatchedModel:
    """The model itself; it reads codes now and then, and may have hitches. Thread rule: as every model."""

    def __init__(self, model: Model, clock: Clock) -> None:
        self._model, self._clock = model, clock
        self._reader: Reader | None = None
        self._hitches: list[Hitch] = []
        self._began = 0.0
        self._batches, self._looks = 0, False
        self._settled = False
        """Once: all runs are by the backend whose l(n) was measured."""
        self.rows: dict[tuple[int, int], int] = {}
        """Camera and tick to their row, of batches that were looked at, until the record of the frame is seen."""
        self.unreadable = 0
        """Pictures without a code."""

    def begin(self, reader: Reader | None, hitches: Sequence[Hitch], began: float) -> None:
        """A run."""
        self._reader, self._hitches, self._began = reader, list(hitches), began
        self._batches, self._looks, self.unreadable = 0, False, 0
        self.rows.clear()

    def look(self) -> None:
        """From now on: what was run until now was also to measure how long it takes."""
        self._looks = True

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    def input_for(self, width: int, height: int) -> ModelInput:
        return self._model.input_for(width, height)

    def allocate(self, frames: int, spec: ModelInput) -> NDArray[Any]:
        return self._model.allocate(frames, spec)

    def predict(self, batch: NDArray[Any], width: int, height: int) -> Results:
        self._batches += 1
        if self._hitches and self._clock.now() - self._began >= self._hitches[0].at:
            hitch = self._hitches.pop(0)
            time.sleep(hitch.seconds)
            if hitch.fails:
                raise ModelError("the script says so")
        results = self._model.predict(batch, width, height)
        if self._looks and self._batches % LOOKS == 0:
            self._read(batch)
        return results

    def _read(self, batch: NDArray[Any]) -> None:
        if self._reader is None:
            return
        for row, place in enumerate(batch):
            code = self._reader.read(place)
            if code is None:
                self.unreadable += 1
            else:
                self.rows[code] = row

    def close(self) -> None:
        self._model.close()

    @property
    def in_flight(self) -> int:
        return self._model.in_flight if isinstance(self._model, AsyncModel) else 1

    def settle(
        self,
        places: NDArray[Any],
        width: int,
        height: int,
        batch_size: int,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        if isinstance(self._model, AsyncModel) and not self._settled:
            self._model.settle(places, width, height, batch_size, stopped)
            self._settled = True

    def submit(self, batch: NDArray[Any], width: int, height: int) -> Any:
        raise NotImplementedError  # live runs have one batch at a time
