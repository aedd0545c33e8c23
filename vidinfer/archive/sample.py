"""Pieces of an archive, drawn at random and run through the whole pipeline, to know how long the rest will take."""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from vidinfer.archive.estimate import Piece
from vidinfer.archive.survey import Surveyed
from vidinfer.build import feeding, make_pipeline, make_sinks, sampled
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.errors import SourceError
from vidinfer.ondemand import ModelOnDemand
from vidinfer.outputs import name_outputs
from vidinfer.plan import ThreadPlan, thread_plan
from vidinfer.progress import StopSignal
from vidinfer.source import open_source
from vidinfer.source.images import RATE
from vidinfer.source.piece import PieceSource
from vidinfer.stages import Model, Source
from vidinfer.still import StillSettings

__all__ = ["Drawn", "draw_pieces", "labelled_frames", "measure_pieces"]

PIECE = 2.0
"""Seconds of video in a piece, where the sample is long enough for several."""
LEAST = 8
"""Pieces that a sample should have: an interval from fewer is worth little."""
SHORTEST = 0.25


@dataclass(frozen=True, slots=True)
class Drawn:
    """A piece to measure."""

    file: Surveyed
    at: float
    """Seconds after the beginning of the file."""
    seconds: float


def labelled_frames(file: Surveyed, config: RunConfig) -> int:
    """Frames of a file that a run has to decode, as its headers and the options tell; 0 where nobody knows."""
    frames = file.frames_expected or 0
    start, seconds = _span(file, config)
    if file.duration and seconds < file.duration:
        # Decoding begins at the file's beginning, whatever --start says.
        frames = round(frames * min(1.0, (start + seconds) / file.duration))
    if config.max_frames is None or config.keyframes:  # how far apart those are, headers do not tell
        return frames
    return min(frames, math.ceil(config.max_frames * max(1.0, _period(file, config) * _rate(file))))


def _rate(file: Surveyed) -> float:
    """Frames a second; 0 where nobody knows."""
    if file.rate is not None:
        return float(file.rate)
    return file.frames / file.duration if file.frames and file.duration else 0.0


def _period(file: Surveyed, config: RunConfig) -> float:
    """Seconds from a frame that the model sees to the next one, as the options tell; 0: they do not."""
    rate = _rate(file)
    apart = config.every / rate if config.every > 1 and rate else 0.0
    return max(apart, 0.0 if config.fps is None else float(1 / config.fps))


def draw_pieces(files: Sequence[Surveyed], config: RunConfig, seconds: float, *, seed: int) -> list[Drawn]:
    """``seconds`` of video in pieces, each frame of the archive as likely as any other, with replacement.

    Pieces of runs that choose few frames are longer: from one of those to the next at least.
    """
    weights = list(itertools.accumulate(labelled_frames(file, config) for file in files))
    if not weights or not weights[-1] or seconds <= 0:
        return []
    piece = max(SHORTEST, min(PIECE, seconds / LEAST))
    chance = random.Random(seed)
    drawn = []
    for _ in range(max(1, round(seconds / piece))):
        file = files[bisect.bisect_right(weights, chance.randrange(weights[-1]))]
        start, length = _span(file, config)
        long = max(
            piece, _period(file, config), 0.0 if config.skip_static is None else StillSettings().seconds
        )
        drawn.append(Drawn(file, start + chance.random() * max(0.0, length - long), long))
    return drawn


def _span(file: Surveyed, config: RunConfig) -> tuple[float, float]:
    """Where labelling begins and how long it goes on, in seconds."""
    whole = file.duration or 0.0
    start = min(float(config.start or 0), whole)
    end = whole if config.end is None else min(float(config.end), whole)
    longest = whole if config.duration is None else float(config.duration)
    return start, max(0.0, min(end - start, longest))


def measure_pieces(
    drawn: Sequence[Drawn],
    sources: int,
    config: RunConfig,
    clock: Clock,
    stop: StopSignal,
    told: Callable[[int, int], None],
) -> list[Piece]:
    """Decode, label and write each piece as a run does; the first one twice, for nothing is warm the first time.

    A piece that cannot be read is left out. A stop ends it, with what was measured until then.

    Args:
        drawn: what to measure.
        sources: files of the run; for a handful of frames no backend is chosen.
        config: of the run.
        clock: that it is measured by.
        stop: ends it.
        told: number of the piece that begins, from 1, and of all.

    Raises:
        ModelUnavailable: no model, or no weights.
    """
    plan = thread_plan()
    labels = config.label_files or (() if config.video else ("jsonl",))
    alone = replace(config, labels=labels, start=None, end=None, max_frames=None, duration=None)
    found: list[Piece] = []
    with ModelOnDemand(alone, plan) as model:
        for number, one in enumerate(drawn, 1):
            if stop.requested:
                break
            told(number, len(drawn))
            try:
                if number == 1:
                    _measure(one, sources, alone, plan, model, clock, stop)
                piece = _measure(one, sources, alone, plan, model, clock, stop)
            except SourceError:
                continue
            if piece is not None and not stop.requested:
                found.append(piece)
    return found


def _measure(
    one: Drawn,
    sources: int,
    config: RunConfig,
    plan: ThreadPlan,
    models: ModelOnDemand,
    clock: Clock,
    stop: StopSignal,
) -> Piece | None:
    began = clock.now()
    with closing(_open(one, config, plan)) as source, TemporaryDirectory(prefix="vidinfer-plan-") as folder:
        opening = clock.now() - began
        model = models.get()
        models.settle(source, sources)
        window = model.input_for(source.info.width, source.info.height).window
        if isinstance(source, PieceSource) and window is not None and window.stride is not None:
            source.lengthen(float(window.stride))
        frames, seconds = _run(
            source, feeding(model, source), _of_piece(one, config), plan, clock, stop, Path(folder)
        )
        written = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return Piece(str(one.file.name), frames, seconds, opening, written) if frames else None


def _of_piece(one: Drawn, config: RunConfig) -> RunConfig:
    """Images are not searched, but neither are all of a folder read."""
    return replace(config, max_frames=math.ceil(one.seconds * RATE)) if one.file.kind == "image" else config


def _open(one: Drawn, config: RunConfig, plan: ThreadPlan) -> Source:
    path, name, fast = one.file.path, str(one.file.name), config.decode == "fast"
    if one.file.kind == "image":
        return open_source(path, name=name, threads=plan.decoder, fast=fast)
    return PieceSource(
        path,
        name=name,
        threads=plan.decoder,
        at=one.at,
        seconds=one.seconds,
        fast=fast,
        sampling=sampled(config),
    )


def _run(
    source: Source,
    model: Model,
    config: RunConfig,
    plan: ThreadPlan,
    clock: Clock,
    stop: StopSignal,
    out: Path,
) -> tuple[int, float]:
    """Frames that were decoded, and the seconds until all was written."""
    (names,) = name_outputs(
        ["piece"],
        out,
        config.label_files,
        video=config.video,
        class_maps=config.class_maps,
        flow=config.flow_files is not None,
    )
    began = clock.now()
    sinks = make_sinks(config, names, plan, stop.request)
    pictures = any(sink.needs_pictures for sink in sinks)
    pipeline = make_pipeline(source, model, config, keep_pictures=pictures, clock=clock)
    try:
        for sink in sinks:
            sink.open(replace(source.info, path=None), model.info)  # without its sound
        with stop.watched(pipeline.stop, pipeline.abort):
            pipeline.run(sinks, lambda _: None)
        for sink in sinks:
            sink.close()
    except BaseException:
        for sink in sinks:
            sink.abort()
        raise
    pipeline.ledger.settle("interrupted")
    return pipeline.ledger.snapshot().decoded, clock.now() - began
