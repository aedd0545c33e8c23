"""What a model could label in time if nothing but it took any: measured, and put into a formula."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.live_bench import Bench
from benchmarks.live_cameras import Album
from benchmarks.live_code import encode
from vidinfer.feeder import fill_for
from vidinfer.service import Service, fit, sustained
from vidinfer.stages import ModelInput

__all__ = ["Theory", "available_cores", "mean_line", "measured_line", "preparing"]

SIZES = (1, 2, 4, 8, 12)
"""Of the batches that are measured."""


def measured_line(bench: Bench) -> tuple[Service, dict[str, Any]]:
    """l(n) = a·n + b in milliseconds, of the model alone: nothing prepared beside it."""
    model, clock = bench.rig.model, bench.clock
    spec = model.input_for(*bench.size)
    places = np.stack([_place(spec, bench, i) for i in range(8)])
    model.begin(None, (), 0.0)
    model.settle(places, *bench.size, 1)
    slot = model.allocate(max(SIZES), spec)
    slot[:] = places[np.arange(len(slot)) % len(places)]
    took: dict[int, list[float]] = {n: [] for n in SIZES}
    for turn in range(6 if bench.options.quick else 25):
        for n in SIZES:  # in turns: what else the machine does hits all alike
            began = clock.now()
            model.predict(slot[:n], *bench.size)
            if turn:
                took[n].append(1000 * (clock.now() - began))
    medians = {n: float(np.median(times)) for n, times in took.items()}
    line = fit(list(medians.items()))
    return line, {**line.as_dict(), "median_ms": {n: round(t, 2) for n, t in medians.items()}}


def mean_line(one: Service, other: Service) -> Service:
    """Of two measurements."""
    return Service((one.marginal + other.marginal) / 2, (one.fixed + other.fixed) / 2, None)


def preparing(bench: Bench) -> float:
    """Milliseconds of a core to draw a picture and prepare it for the model, alone: the median."""
    spec = bench.rig.model.input_for(*bench.size)
    album, fill, place = Album(bench.frames, *bench.size), fill_for(spec), np.zeros(spec.place, spec.dtype)
    took = []
    for i in range(20 if bench.options.quick else 100):
        began = time.thread_time()
        fill(album.picture(encode(0, i)), place)
        took.append(1000 * (time.thread_time() - began))
    return float(np.median(took))


def available_cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Theory:
    """Frames a second that have their labels within the budget L: (1 - 2b/L)/a."""

    model_alone: float
    """As if frames came prepared."""
    with_preparing: float
    """Preparing takes cores that the model would use: a is larger by its core-seconds over the cores."""

    @classmethod
    def of(cls, line: Service, prepare_ms: float, budget: float) -> Theory:
        beside = Service(line.marginal + prepare_ms / available_cores(), line.fixed, None)
        return cls(sustained(line, budget), sustained(beside, budget))

    def shares(self, capacity: float) -> dict[str, float]:
        """What of it was reached, 0 to 1."""
        return {
            f"of_theory_{name}": round(capacity / value, 3) if value else 0.0
            for name, value in asdict(self).items()
        }


def _place(spec: ModelInput, bench: Bench, i: int) -> NDArray[Any]:
    place = np.zeros(spec.place, spec.dtype)
    fill_for(spec)(Album(bench.frames[i % len(bench.frames) :], *bench.size).picture(encode(0, i)), place)
    return place
