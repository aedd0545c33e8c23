"""Measuring the stages one by one, each with the machine to itself, before a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vidinfer.clock import Clock, ProcessorClock
from vidinfer.frame import Frame
from vidinfer.light import Alone, Rate
from vidinfer.plan import ThreadPlan
from vidinfer.source import open_source
from vidinfer.stages import Model, Source

__all__ = ["measure_alone", "measure_decoding"]

SECONDS = 0.25
"""Of decoding."""


def measure_alone(source: Source, model: Model, plan: ThreadPlan, clock: Clock) -> Alone:
    """Decoding and preparing the beginning of ``source``, which stays where it is; the model as ``settle`` found it."""
    model_only = model.info.details.get("model_only")
    infer = None
    if isinstance(model_only, int | float) and model_only > 0:
        on_cpu = model.info.device == "cpu"
        infer = Rate(model_only, plan.model / model_only if on_cpu else 0.0)
    return Alone(plan.cores, measure_decoding(source, model, plan.cores, clock), infer)


def measure_decoding(
    source: Source, model: Model, threads: int, clock: Clock, *, seconds: float = SECONDS
) -> Rate | None:
    """Frames a second from the file to a place in a batch, with ``threads`` for the decoder.

    ``None``: the source is no file, or has nothing to decode.
    """
    info = source.info
    if info.path is None:
        return None
    spec = model.input_for(info.width, info.height)
    place = np.zeros(spec.shape, spec.dtype)
    processor = ProcessorClock()
    again = open_source(Path(info.path), name=info.name, threads=threads)
    try:
        frames, began, used = 0, clock.now(), processor.now()
        for item in again:
            if isinstance(item, Frame) and not item.corrupt:
                spec.prepare(item.picture.rgb(), place)
                frames += 1
            if clock.now() - began >= seconds:
                break
        passed, used = clock.now() - began, processor.now() - used
    finally:
        again.close()
    return Rate(frames / passed, used / frames) if frames and passed > 0 and used > 0 else None
