"""Measuring the stages one by one, each with the machine to itself, before a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidinfer.clock import Clock, ProcessorClock
from vidinfer.detections import Results
from vidinfer.feeder import fill_for
from vidinfer.frame import Frame
from vidinfer.light import Alone, Rate
from vidinfer.parity import Agreement, compare
from vidinfer.plan import ThreadPlan
from vidinfer.source import open_source
from vidinfer.stages import Model, ModelInput, Source

__all__ = ["effect_of_fast", "measure_alone", "measure_decoding"]

SECONDS = 0.25
"""Of decoding."""
COMPARED, APART = 8, 8
"""Frames that exact and fast decoding are compared on, each so many behind the one before: differences add up."""


def measure_alone(
    source: Source,
    model: Model,
    plan: ThreadPlan,
    clock: Clock,
    *,
    fast: bool = False,
    nvdec: int | None = None,
) -> Alone:
    """Decoding and preparing the beginning of ``source``, which stays where it is; the model as ``settle`` found it."""
    model_only = model.info.details.get("model_only")
    infer = None
    if isinstance(model_only, int | float) and model_only > 0:
        on_cpu = model.info.device == "cpu"
        infer = Rate(model_only, plan.model / model_only if on_cpu else 0.0)
    return Alone(
        plan.cores, measure_decoding(source, model, plan.cores, clock, fast=fast, nvdec=nvdec), infer
    )


def measure_decoding(
    source: Source,
    model: Model,
    threads: int,
    clock: Clock,
    *,
    fast: bool = False,
    nvdec: int | None = None,
    seconds: float = SECONDS,
) -> Rate | None:
    """Frames a second from the file to a place in a batch, with ``threads`` for the decoder.

    ``None``: the source is no file, or has nothing to decode.
    """
    info = source.info
    if info.path is None:
        return None
    spec = model.input_for(info.width, info.height)
    place, fill = np.zeros(spec.shape, spec.dtype), fill_for(spec, fast=fast)
    processor = ProcessorClock()
    again = open_source(Path(info.path), name=info.name, threads=threads, fast=fast, nvdec=nvdec)
    try:
        frames, began, used = 0, clock.now(), processor.now()
        for item in again:
            if isinstance(item, Frame) and not item.corrupt:
                fill(item.picture, place)
                frames += 1
            if clock.now() - began >= seconds:
                break
        passed, used = clock.now() - began, processor.now() - used
    finally:
        again.close()
    return Rate(frames / passed, used / frames) if frames and passed > 0 and used > 0 else None


def effect_of_fast(source: Source, model: Model, *, threshold: float) -> Agreement | None:
    """Labels of the first frames of ``source``, decoded exactly and fast; ``None``: no file, or frames in windows."""
    info = source.info
    spec = model.input_for(info.width, info.height)
    if info.path is None or spec.window is not None or spec.scaled is None:
        return None
    exact, fast = (_first_places(Path(info.path), info.name, spec, fast=fast) for fast in (False, True))
    if not len(exact) or len(exact) != len(fast):
        return None
    results = [
        Results.joined(
            [model.predict(places[i : i + 1], info.width, info.height) for i in range(len(places))]
        )
        for places in (exact, fast)
    ]
    return compare(*results, threshold=threshold)


def _first_places(path: Path, name: str, spec: ModelInput, *, fast: bool) -> NDArray[Any]:
    places, fill, found = np.zeros((COMPARED, *spec.place), spec.dtype), fill_for(spec, fast=fast), 0
    source = open_source(path, name=name, threads=1, fast=fast)
    try:
        for item in source:
            if isinstance(item, Frame) and not item.corrupt and item.stamp.index % APART == 0:
                fill(item.picture, places[found])
                found += 1
            if found == COMPARED:
                break
    finally:
        source.close()
    return places[:found]
