"""Measuring every way of running a network, batch size by batch size."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import torch
from torch import Tensor

from vidinfer.clock import Clock
from vidinfer.model.choose import Chooser, Tried
from vidinfer.model.engines import Engines
from vidinfer.model.trial import Sample, frames_per_second, threads_for
from vidinfer.service import Curve, Effort, Timed

__all__ = ["Batches", "survey"]

Batches: TypeAlias = Callable[[int], Callable[[], Tensor]]
"""From a batch size to a function that puts such a batch of real frames on the device, as a run does it each time."""

LEAST_CALLS, MOST_CALLS = 3, 200


def survey(
    chooser: Chooser, sample: Sample, batches: Batches, effort: Effort, told: Callable[[str], None]
) -> list[Curve]:
    """Every candidate, in the order of the chooser.

    Args:
        sample: of batch size 1.
        told: is told what is being measured.

    Raises:
        BackendUnavailable: nothing can run this network.
        ModelError: the reference fails.
    """
    curves = []
    for tried in chooser.survey(sample):
        curves.append(_curve(tried, sample, batches, effort, chooser.clock, told))
        tried.engines = None  # the next one may need the memory
    return curves


def _curve(
    tried: Tried,
    sample: Sample,
    batches: Batches,
    effort: Effort,
    clock: Clock,
    told: Callable[[str], None],
) -> Curve:
    one, engines = tried.candidate, tried.engines
    curve = Curve(one.backend, one.precision, exact=tried.exact, parity=str(tried.agreement or ""))
    if engines is None:
        return replace(curve, failure=tried.failure)
    timed: list[Timed] = []
    stopped = ""
    for size in effort.sizes:
        if timed and timed[-1].milliseconds * size / timed[-1].frames > 1000 * effort.longest:
            stopped = f"{size} at once would take more than {effort.longest:g} s"
            break
        told(f"{one}: batches of {size}")
        try:
            timed.append(_timed(replace(sample, batch_size=size), engines, batches(size), effort, clock))
        except Exception as error:  # a device whose memory is full fails in any way it likes
            stopped = _why(error, size)
            break
    return replace(
        curve,
        timed=tuple(timed),
        in_flight=engines.factory.in_flight,
        failure="" if timed else stopped,
        stopped=stopped if timed else "",
    )


def _timed(
    sample: Sample, engines: Engines, batch: Callable[[], Tensor], effort: Effort, clock: Clock
) -> Timed:
    """The first call makes the engine, and does not count."""
    times: list[float] = []
    with threads_for(engines):
        for _ in range(1 + MOST_CALLS):
            began = clock.now()
            outputs = engines.submit(batch(), sample.width, sample.height).result()
            engines.finish(outputs, sample.batch_size, sample.width, sample.height)
            times.append(clock.now() - began)
            passed = sum(times[1:])
            if passed >= effort.seconds and (len(times) > LEAST_CALLS or passed >= effort.longest):
                break
    rate = frames_per_second(sample, engines, clock, seconds=effort.seconds / 3)
    return Timed(sample.batch_size, 1000 * statistics.median(times[1:]), rate)


def _why(error: Exception, size: int) -> str:
    if isinstance(error, torch.OutOfMemoryError):
        torch.cuda.empty_cache()
        return f"out of memory with {size} at once"
    return f"{size} at once failed: {type(error).__name__}: {error}".splitlines()[0]
