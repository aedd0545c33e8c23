"""Small models to be run by any backend, and backends that are wrong on purpose."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.model.frames import scene
from tests.model.networks import random_detector
from vidinfer.detections import Results
from vidinfer.model.assemble import Reporting, Running, assemble
from vidinfer.model.backends import Candidate
from vidinfer.model.backends.eager import EagerFactory
from vidinfer.model.backends.openvino import OpenVinoFactory
from vidinfer.model.engine import DensePart, Engine, Pending
from vidinfer.model.execution import choose_execution
from vidinfer.model.network import Loaded
from vidinfer.model.runner import TorchModel
from vidinfer.parity import compare

CPU = torch.device("cpu")


WIDTH, HEIGHT = 320, 240


NAMES = ("nothing", "car", "bus", "cat", "dog", "N/A")


def pictures(count: int) -> list[np.ndarray[Any, Any]]:
    return [scene(WIDTH, HEIGHT, seed=i) for i in range(count)]


def places(model: TorchModel, count: int) -> np.ndarray[Any, Any]:
    spec = model.input_for(WIDTH, HEIGHT)
    slot = model.allocate(count, spec)
    for picture, place in zip(pictures(count), slot, strict=True):
        spec.prepare(picture, place)
    return slot


def detector(name: str = "ssdlite320_mobilenet_v3_large", **running: Any) -> TorchModel:
    """A detector with random weights that finds things, and what may run it."""
    size = {"min_size": 128, "max_size": 256} if name.startswith("fcos") else {}
    loaded = Loaded(name, "detection", random_detector(name, **size), NAMES, "test", name, None)
    return assemble(loaded, Running(choose_execution("cpu", 1), **running), Reporting(0.2, 5, None))


def openvino(precision: str = "fp32") -> Candidate:
    return Candidate("openvino", precision, lambda supplies: OpenVinoFactory(precision, 2, supplies))


EAGER = Candidate("eager", "fp32", lambda _: EagerFactory(CPU, "fp32"))


class Wrong:
    """A backend whose numbers are a little, or entirely, off."""

    backend, precision, fixed_rows, in_torch, in_flight = "wrong", "fp32", False, True, 1

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def engine(self, part: DensePart, example: Tensor, *, rows_vary: bool = False) -> Engine:
        return WrongEngine(EagerFactory(CPU, "fp32").engine(part, example), self._factor)


class WrongEngine:
    def __init__(self, engine: Engine, factor: float) -> None:
        self._engine, self._factor = engine, factor

    def submit(self, places: Tensor) -> Pending:
        pending = self._engine.submit(places)
        factor = self._factor

        class Scaled:
            def result(self) -> tuple[Tensor, ...]:
                return tuple(output * factor for output in pending.result())

        return Scaled()


def wrong(factor: float) -> Candidate:
    return Candidate("wrong", "fp32", lambda _: Wrong(factor))


def same(reference: Results, other: Results) -> bool:
    """Far within the gate: backends in fp32 differ in the order of sums only."""
    found = compare(reference, other, threshold=0.2, limit=100)
    return found.unmatched == 0 and found.iou > 0.9999 and found.score < 1e-4 and found.compared > 0
