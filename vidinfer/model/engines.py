"""A task's dense parts on one backend: an engine for each size of picture and batch, made when first needed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from vidinfer.detections import Results
from vidinfer.model.engine import DensePart, Engine, EngineFactory, Outputs, Pending, Ready
from vidinfer.model.finite import FiniteGuard
from vidinfer.model.split import RegionHeads
from vidinfer.stages import ModelInput

__all__ = ["Engines", "Task"]

_SIZES = 4
"""Engines kept at one time: each may hold a copy of the weights."""


class Task(Protocol):
    """What a kind of model plugs in. Thread rule: ``given`` and ``finish`` on one thread."""

    def input_for(self, width: int, height: int) -> ModelInput:
        """The input for frames displayed at ``width`` x ``height``."""
        ...

    def part_for(self, width: int, height: int) -> DensePart | None:
        """The dense part for such frames; ``None``: the whole network runs in ``finish``, in eager torch."""
        ...

    def given(self, batch: Tensor, width: int, height: int) -> Tensor:
        """What the part is given of ``batch`` ``(n, *place)``, which is on the device already."""
        ...

    def finish(self, outputs: Outputs, frames: int, width: int, height: int) -> Results:
        """From the part's outputs (from what ``given`` gave, where there is no part) to results; in inference mode."""
        ...


class Engines:
    """Thread rule: all calls on one thread, in inference mode."""

    def __init__(self, task: Task, factory: EngineFactory, guard: FiniteGuard) -> None:
        self.factory = factory
        self._task = task
        self._guard = guard
        self._made: OrderedDict[tuple[int, ...], Engine] = OrderedDict()
        heads: Mapping[str, RegionHeads] = getattr(task, "heads", {})
        self._heads = {name: _HeadEngine(head, factory, guard) for name, head in heads.items()}
        self._places = heads

    def submit(self, batch: Tensor, width: int, height: int) -> Pending:
        """Begin a batch ``(n, *place)``.

        Raises:
            BackendUnavailable: the backend cannot take this network.
        """
        given = self._task.given(batch, width, height)
        part = self._task.part_for(width, height)
        if part is None:
            return Ready((given,))
        rows = self._rows_for(len(given), width, height)
        if rows > len(given):
            given = torch.cat([given, given.new_zeros((rows - len(given), *given.shape[1:]))])
        engine = self._engine(part, given, width, height)
        return _Watched(engine.submit(given), len(batch) if rows > len(batch) else None, self._guard)

    def finish(self, outputs: Outputs, frames: int, width: int, height: int) -> Results:
        """The results of one batch."""
        for name, place in self._places.items():
            place.engine = self._heads[name]
        return self._task.finish(outputs, frames, width, height)

    def _rows_for(self, rows: int, width: int, height: int) -> int:
        """A static graph takes one number of rows: the smallest that is ready and large enough, else a new one."""
        if not self.factory.fixed_rows:
            return 0
        ready = [key[2] for key in self._made if key[:2] == (width, height) and key[2] >= rows]
        return min(ready, default=rows)

    def _engine(self, part: DensePart, given: Tensor, width: int, height: int) -> Engine:
        key = (width, height, len(given) if self.factory.fixed_rows else 0)
        if key not in self._made:
            self._made[key] = self.factory.engine(part, given)
            if len(self._made) > _SIZES:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return self._made[key]


@dataclass(frozen=True, slots=True)
class _Watched:
    """Outputs that the guard has seen, without the rows that only filled the graph up."""

    pending: Pending
    rows: int | None
    guard: FiniteGuard

    def result(self) -> Outputs:
        outputs = self.pending.result()
        if self.rows is not None:
            outputs = tuple(output[: self.rows] for output in outputs)
        self.guard.look(outputs)
        return outputs


class _HeadEngine:
    """A head on regions; their number differs from batch to batch."""

    def __init__(self, head: RegionHeads, factory: EngineFactory, guard: FiniteGuard) -> None:
        self._part = head.part
        self._factory = factory
        self._guard = guard
        self._engine: Engine | None = None

    def __call__(self, regions: Tensor) -> Outputs:
        if not len(regions):  # nothing was found: torch knows what nothing looks like
            outputs: Outputs = self._part(regions)
            return outputs
        if self._engine is None:
            self._engine = self._factory.engine(self._part, regions, rows_vary=True)
        outputs = self._engine.submit(regions).result()
        self._guard.look(outputs)
        return outputs
