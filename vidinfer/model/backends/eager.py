"""Eager: torch runs the part operation by operation. The reference that every other backend is held against."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from vidinfer.model.engine import DensePart, Engine, Outputs, Pending, Ready

__all__ = ["EagerFactory"]

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class EagerFactory:
    """An :class:`~vidinfer.model.engine.EngineFactory`."""

    backend = "eager"
    fixed_rows = False
    in_torch = True

    def __init__(self, device: torch.device, precision: str) -> None:
        """``precision``: ``fp32`` is torchvision's own arithmetic; ``bf16`` and ``fp16`` are torch's autocast."""
        self.precision = precision
        # On CUDA the next batch is queued behind this one, so the device never waits for Python.
        self.in_flight = 2 if device.type == "cuda" else 1
        self._device = device
        self._dtype = _TYPES.get(precision)

    def engine(self, part: DensePart, example: Tensor, *, rows_vary: bool = False) -> Engine:  # noqa: ARG002
        """Nothing to prepare: torch takes any shape."""
        return _EagerEngine(part, self)

    def casting(self) -> AbstractContextManager[object]:
        """In the block, torch computes in this precision."""
        return nullcontext() if self._dtype is None else torch.autocast(self._device.type, self._dtype)

    def widened(self, outputs: Outputs) -> Outputs:
        """In float32: what follows computes boxes and scores, for which half precision is too coarse."""
        if self._dtype is None:
            return outputs
        return tuple(output.float() if output.is_floating_point() else output for output in outputs)


class _EagerEngine:
    def __init__(self, part: DensePart, factory: EagerFactory) -> None:
        self._part = part
        self._factory = factory

    def submit(self, places: Tensor) -> Pending:
        """On the CPU this computes; on CUDA it only queues."""
        with self._factory.casting():
            outputs: Outputs = self._part(places)
        return Ready(self._factory.widened(outputs))
