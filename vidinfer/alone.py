"""Measuring what this machine can do: each stage with the machine to itself, and decoding beside the model."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import cycle, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidinfer.channel import Channel
from vidinfer.clock import Clock, ProcessorClock
from vidinfer.detections import Results
from vidinfer.errors import VidinferError
from vidinfer.feeder import Fill, fill_for
from vidinfer.frame import Frame, FrameStamp, SourceInfo
from vidinfer.light import Rate
from vidinfer.parity import Agreement, compare
from vidinfer.plan import SLOTS, ThreadPlan
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.source import open_source
from vidinfer.stages import AsyncModel, Model, ModelInput, PendingResults, Sink, Source
from vidinfer.storage import Location, locate
from vidinfer.workers import Workers

__all__ = ["effect_of_fast", "measure_decoding", "measure_model", "measure_together", "measure_writing"]

SECONDS = 0.25
"""Of a stage, where nobody says."""
WARMING = 0.3
"""Before decoding counts, in parts of its time: the first frames find cold caches and tables that are not made yet."""
BATCHES, LONGEST = 8, 5.0
"""Fewest batches that the model is measured with, as they come in bursts; but no longer than so many seconds."""
PICTURES, PICTURE_BYTES = 48, 128 * 2**20
"""Of pictures that writing is measured with, at most, in whole batches and at least one."""
FILLED = 32
"""Frames before writing counts: an encoder that looks ahead takes about so many before it works at its own pace."""
RATE = Fraction(25)
"""Where a file does not tell its own."""
LOOKED_AT = 1000
"""Frames that those are looked for among: a file may be damaged for hours."""
COMPARED, APART = 8, 8
"""Frames that exact and fast decoding are compared on, each so many behind the one before: differences add up."""


def measure_decoding(
    source: Source,
    model: Model,
    threads: int,
    clock: Clock,
    *,
    fast: bool = False,
    nvdec: int | None = None,
    seconds: float = SECONDS,
    batch: NDArray[Any] | None = None,
) -> Rate | None:
    """Frames a second from the file to a place in a batch, with ``threads`` for the decoder.

    ``source`` stays where it is. ``batch``: the places that are filled in turn, ``(n, *place)``; ``None``: one of its
    own. ``None`` comes back where the source is no file, or has nothing to decode.
    """
    info = source.info
    if info.path is None:
        return None
    spec = model.input_for(info.width, info.height)
    places = np.zeros((1, *spec.shape), spec.dtype) if batch is None else batch
    fill, processor = fill_for(spec, fast=fast), ProcessorClock()
    again = open_source(locate(info.path), name=info.name, threads=threads, fast=fast, nvdec=nvdec)
    try:
        frames, began, used = 0, clock.now(), processor.now()
        warm = False
        for item in again:
            if isinstance(item, Frame) and not item.corrupt:
                fill(item.picture, places[frames % len(places)])
                frames += 1
            passed = clock.now() - began
            if passed >= seconds:
                break
            if not warm and passed >= seconds * WARMING:
                frames, began, used, warm = 0, clock.now(), processor.now(), True
        return _rate(frames, clock.now() - began, processor.now() - used)
    finally:
        again.close()


def measure_model(
    model: Model, batch: NDArray[Any], info: SourceInfo, clock: Clock, *, seconds: float = SECONDS
) -> Rate | None:
    """Frames a second of the model and its post-processing, with as many batches on their way as keep it busy.

    ``batch``: places ``(n, *place)`` that hold frames of the source.
    """
    running, processor = _Running(model, batch, info), ProcessorClock()
    with running:
        while not running.next():
            pass
        frames, began, used = 0, clock.now(), processor.now()
        while (passed := clock.now() - began) < seconds or (
            frames < BATCHES * len(batch) and passed < LONGEST
        ):
            frames += running.next()
        return _rate(frames, clock.now() - began, processor.now() - used)


def measure_together(
    source: Source,
    model: Model,
    batch: NDArray[Any],
    plan: ThreadPlan,
    clock: Clock,
    costs: tuple[float, float],
    *,
    fast: bool = False,
    nvdec: int | None = None,
    seconds: float = 2 * SECONDS,
) -> float | None:
    """Frames a second of decoding and the model side by side on these cores, and nothing else.

    The model works on what was decoded just before, in as many batches as a run has, for the frames' way through memory
    is part of both. No results are written, nothing is accounted for. For a moment one of the two may be ahead: the
    rate is the mean of both, weighed by what a frame of each takes of the cores.

    Args:
        costs: core seconds of a frame, of decoding and of the model, as measured alone.

    Returns:
        ``None`` where there is nothing to decode, or not enough of it.
    """
    info = source.info
    if info.path is None:
        return None
    spec = model.input_for(info.width, info.height)
    fill = fill_for(spec, fast=fast)
    again = open_source(locate(info.path), name=info.name, threads=plan.decoder, fast=fast, nvdec=nvdec)
    running = _Running(model, batch, info)
    more = range(SLOTS + running.in_flight - 1)
    ring = [batch, *(model.allocate(len(batch), spec) for _ in more)]
    began, done = clock.now(), 0
    beside = _Beside(ring, clock, began + LONGEST)
    first = last = None
    try:
        with Workers(on_failure=beside.batches.abort) as workers, running:
            workers.start("together", lambda: beside.decode(again, fill))
            for decoded in beside.batches:
                done += running.next(decoded)
                passed = clock.now() - began
                if beside.ended:
                    break
                last = (passed, beside.frames, done)
                if first is None and done and passed >= seconds * WARMING:
                    first = last
                enough = first is not None and done - first[2] >= BATCHES * len(batch)
                if (passed >= seconds and enough) or passed >= LONGEST:
                    break
            beside.batches.abort()
    finally:
        again.close()
    if first is None or last is None or last[0] <= first[0]:
        return None
    frames = ((last[1] - first[1]) * costs[0] + (last[2] - first[2]) * costs[1]) / sum(costs)
    return frames / (last[0] - first[0])


class _Beside:
    """Decoding as a run does it, until its batches are aborted. ``frames`` and ``ended`` may be read at any time."""

    def __init__(self, ring: list[NDArray[Any]], clock: Clock, until: float) -> None:
        """``ring``: batches that are filled in turn; one is left alone until all that were handed out behind it are."""
        self.batches: Channel[NDArray[Any]] = Channel(1)
        self.frames = 0
        self.ended = False
        self._ring, self._clock, self._until = ring, clock, until

    def decode(self, source: Source, fill: Fill) -> None:
        size = len(self._ring[0])
        for item in source:
            if isinstance(item, Frame) and not item.corrupt:
                batch = self._ring[self.frames // size % len(self._ring)]
                fill(item.picture, batch[self.frames % size])
                self.frames += 1
                if self.frames % size == 0:
                    self.batches.put(batch)
            if self._clock.now() >= self._until:  # also where hours of damaged frames fill no batch
                break
        self.ended = True
        self.batches.close()


class _Running:
    """A model with as many batches on their way as keep it busy."""

    def __init__(self, model: Model, batch: NDArray[Any], info: SourceInfo) -> None:
        self._submit = model.submit if isinstance(model, AsyncModel) else _Predicted(model)
        self.in_flight: int = getattr(model, "in_flight", 1)
        self._batch, self._size = batch, (info.width, info.height)
        self._waiting: deque[PendingResults] = deque()

    def next(self, batch: NDArray[Any] | None = None) -> int:
        """Begin a batch, the same as ever where none is given; end the oldest where there are enough.

        Returns:
            The frames of that.
        """
        self._waiting.append(self._submit(self._batch if batch is None else batch, *self._size))
        if len(self._waiting) < self.in_flight:
            return 0
        self._waiting.popleft().results()
        return len(self._batch)

    def __enter__(self) -> _Running:
        return self

    def __exit__(self, *_: object) -> None:
        while self._waiting:
            with suppress(VidinferError):  # what went wrong was told before
                self._waiting.popleft().results()


@dataclass(frozen=True, slots=True)
class _Predicted:
    """A model that knows one batch at a time, asked as one that takes several."""

    model: Model

    def __call__(self, batch: NDArray[Any], width: int, height: int) -> PendingResults:
        return _Given(self.model.predict(batch, width, height))


@dataclass(frozen=True, slots=True)
class _Given:
    value: Results

    def results(self) -> Results:
        return self.value


def measure_writing(
    source: Source,
    model: Model,
    batch: NDArray[Any],
    sink: Sink,
    clock: Clock,
    *,
    threads: int,
    seconds: float = 2 * SECONDS,
) -> Rate | None:
    """Frames a second of drawing and encoding the beginning of a file, without its sound; ``None``: it is no file.

    Args:
        batch: places to label the pictures in.
        sink: for a file of its own, not open; nothing is left of it.
        threads: for the decoder.
        seconds: that it is measured for, after up to four times as many for filling the encoder.
    """
    labelled = list(_labelled(source, model, batch, threads))
    if not labelled:
        return None
    batches, processor = _back_and_forth(labelled, source.info.rate or RATE), ProcessorClock()
    sink.open(replace(source.info, path=None), model.info)
    try:
        taken, began = 0, clock.now()
        while taken < FILLED and clock.now() - began < 4 * seconds:
            taken += _written(sink, next(batches))
        frames, began, used = 0, clock.now(), processor.now()
        while clock.now() - began < seconds:
            frames += _written(sink, next(batches))
        return _rate(frames, clock.now() - began, processor.now() - used)
    finally:
        sink.abort()


def _written(sink: Sink, batch: LabelledBatch) -> int:
    sink.write(batch)
    return len(batch.entries)


def _back_and_forth(batches: list[LabelledBatch], rate: Fraction) -> Iterator[LabelledBatch]:
    """The same pictures for ever, on a clock that runs on: every other time backwards, so that nothing jumps."""
    backwards = [replace(one, entries=one.entries[::-1]) for one in reversed(batches)]
    index = 0
    for one in cycle([*batches, *backwards]):
        entries = []
        for entry in one.entries:
            assert isinstance(entry.at, FrameStamp)
            step = max(1, round(1 / (rate * entry.at.time_base)))
            entries.append(replace(entry, at=replace(entry.at, index=index, pts=index * step, duration=step)))
            index += 1
        yield replace(one, entries=entries)


def _labelled(source: Source, model: Model, batch: NDArray[Any], threads: int) -> Iterator[LabelledBatch]:
    """The first frames of a file with their pictures, as many as memory allows."""
    info = source.info
    if info.path is None:
        return
    fill = fill_for(model.input_for(info.width, info.height))
    again = open_source(locate(info.path), name=info.name, threads=threads)
    entries: list[Entry] = []
    left = PICTURES
    try:
        for item in islice(again, LOOKED_AT):
            if not isinstance(item, Frame) or item.corrupt:
                continue
            fill(item.picture, batch[len(entries)])
            entries.append(Entry(Outcome.LABELLED, item.stamp, row=len(entries), picture=item.picture))
            left = min(left, PICTURE_BYTES // item.picture.nbytes) - 1
            if len(entries) == len(batch):
                yield LabelledBatch(entries, model.predict(batch, info.width, info.height))
                entries = []
                if left < len(batch):
                    break
    finally:
        again.close()


def _rate(frames: int, seconds: float, used: float) -> Rate | None:
    return Rate(frames / seconds, used / frames) if frames and seconds > 0 and used > 0 else None


def effect_of_fast(source: Source, model: Model, *, threshold: float) -> Agreement | None:
    """Labels of the first frames of ``source``, decoded exactly and fast; ``None``: no file, or frames in windows."""
    info = source.info
    spec = model.input_for(info.width, info.height)
    if info.path is None or spec.window is not None or spec.scaled is None:
        return None
    exact, fast = (_first_places(locate(info.path), info.name, spec, fast=fast) for fast in (False, True))
    if not len(exact) or len(exact) != len(fast):
        return None
    results = [
        Results.joined(
            [model.predict(places[i : i + 1], info.width, info.height) for i in range(len(places))]
        )
        for places in (exact, fast)
    ]
    return compare(*results, threshold=threshold)


def _first_places(path: Location, name: str, spec: ModelInput, *, fast: bool) -> NDArray[Any]:
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
