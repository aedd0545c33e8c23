"""Configuration -> objects: the only place where strings become stages."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vidinfer.annotate.annotator import DrawingAnnotator
from vidinfer.batcher import OfflineBatcher
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.errors import UsageError
from vidinfer.model import load_model
from vidinfer.outputs import OutputNames
from vidinfer.pipeline import Pipeline
from vidinfer.plan import SHARED_ENTRIES, SLOTS, ThreadPlan, batch_size_for
from vidinfer.sampling import Sampler, Sampling
from vidinfer.sink import ClassMapSink, FlowFileSink, label_sink
from vidinfer.sink.video import VideoSink
from vidinfer.source import sample_pictures
from vidinfer.stages import AsyncModel, Model, ModelInfo, Sink, Source

__all__ = ["check_outputs", "make_pipeline", "make_sinks", "open_model", "sampling_of", "settle"]

SAMPLES = 8
"""Pictures that a model is tried on before a run."""
CALIBRATION = 96
"""Pictures that the ranges of int8 are taken from."""
WORTH_CHOOSING = 64
"""Frames; trying the backends takes as long as labelling so many."""
MANY = 10**9
CACHE = Path("~/.cache/vidinfer")
"""For what was measured on this machine."""


def sampling_of(config: RunConfig) -> Sampling:
    """The part of the configuration that chooses frames."""
    return Sampling(
        every=config.every,
        fps=config.fps,
        keyframes=config.keyframes,
        start=config.start,
        end=config.end,
        max_frames=config.max_frames,
        duration=config.duration,
    )


def open_model(config: RunConfig, plan: ThreadPlan, *, progress: bool = False) -> Model:
    """Load the model that the configuration names.

    Raises:
        ModelUnavailable: no such model, or no weights to be had.
        UsageError: a class, device, backend or precision that it does not have.
    """
    return load_model(
        config.model,
        weights=config.weights,
        device=config.device,
        backend=config.backend,
        precision=config.precision,
        score_threshold=config.score_threshold,
        top_k=config.top_k,
        classes=config.classes,
        task=config.task,
        labels_file=config.labels_file,
        clip_stride=config.clip_stride,
        threads=plan.model,
        allow_inexact=config.allow_inexact,
        cache=config.cache or CACHE.expanduser(),
        progress=progress,
    )


def settle(model: Model, source: Source, config: RunConfig, *, sources: int = 1) -> None:
    """Let the model choose how it runs, on a few pictures of this source.

    Nothing is chosen for a handful of frames, unless somebody asked by name: they would be labelled before.

    Args:
        sources: that are still to come and may be like this one, itself included.

    Raises:
        BackendUnavailable: what was asked for by name is not there, fails, or is not exact.
    """
    info = source.info
    if not isinstance(model, AsyncModel) or info.path is None:
        return
    expected = min(info.frames_claimed or MANY, config.max_frames or MANY) * sources
    if expected < WORTH_CHOOSING and (config.backend, config.precision) == ("auto", "auto"):
        return
    spec = model.input_for(info.width, info.height)
    frames = 1 if spec.window is None else spec.window.frames
    alone = CALIBRATION if config.precision == "int8" else SAMPLES
    count = alone if spec.window is None else frames
    pictures = sample_pictures(Path(info.path), info, count, spread=spec.window is None)
    if not pictures:
        return
    places = np.zeros((len(pictures) if spec.window is None else 1, frames, *spec.shape), spec.dtype)
    for i, place in enumerate(places.reshape(-1, *spec.shape)):
        spec.prepare(pictures[min(i, len(pictures) - 1)].rgb(), place)
    places = places.reshape(-1, *spec.place)
    batch = config.max_batch_size or spec.batch_size
    model.settle(places, info.width, info.height, batch)


def check_outputs(config: RunConfig, model: ModelInfo) -> None:
    """Refuse outputs that a model of this task does not have.

    Raises:
        UsageError: names the option.
    """
    for option, asked, task in (
        ("class-maps", config.class_maps, "segmentation"),
        ("flow-files", config.flow_files is not None, "optical_flow"),
        ("clip-stride", config.clip_stride is not None, "video"),
    ):
        if asked and model.task != task:
            raise UsageError(
                f"--{option}: {model.name} is for {model.task.replace('_', ' ')}, and this goes with "
                f"{task.replace('_', ' ')}; leave it out"
            )


def make_pipeline(
    source: Source, model: Model, config: RunConfig, *, keep_pictures: bool, clock: Clock
) -> Pipeline:
    """A pipeline for one source, sized by the configuration."""
    spec = model.input_for(source.info.width, source.info.height)
    in_flight = model.in_flight if isinstance(model, AsyncModel) else 1
    # Three bytes a pixel: the most that decoders give in the usual formats (10 bit 4:2:0, 8 bit 4:4:4).
    picture_bytes = 3 * source.info.width * source.info.height if keep_pictures else 0
    place_bytes = spec.dtype.itemsize * math.prod(spec.place)
    shared = None  # clips: many records for each place, and pictures may be kept for all of them
    if spec.window is not None:
        shared = batch_size_for(None, 0, picture_bytes, usual=SHARED_ENTRIES, in_flight=in_flight)
    return Pipeline(
        source,
        model,
        batcher=OfflineBatcher(),
        sampler=Sampler(sampling_of(config)),
        clock=clock,
        batch_size=batch_size_for(
            config.max_batch_size,
            place_bytes,
            0 if shared else picture_bytes,
            usual=spec.batch_size,
            in_flight=in_flight,
        ),
        batch_entries=shared,
        slots=SLOTS + in_flight,
        keep_pictures=keep_pictures,
    )


def make_sinks(
    config: RunConfig, names: OutputNames, plan: ThreadPlan, on_reader_gone: Callable[[], None]
) -> list[Sink]:
    """One sink per output that was asked for, not yet open.

    Args:
        on_reader_gone: called when the reader of labels on standard output goes away.
    """
    overwrite = config.overwrite or config.resume  # an unfinished source is done again from its start
    flow = None
    if names.flow is not None and config.flow_files is not None:
        flow = FlowFileSink(names.flow, kind=config.flow_files, overwrite=overwrite)
    name_of = None if flow is None else flow.name_of
    sinks: list[Sink] = [
        label_sink(fmt, path, overwrite=overwrite, flow_files=name_of) for fmt, path in names.labels.items()
    ]
    if config.labels_to_stdout:
        sinks.append(label_sink("jsonl", None, on_reader_gone=on_reader_gone, flow_files=name_of))
    if names.class_maps is not None:
        sinks.append(ClassMapSink(names.class_maps, overwrite=overwrite))
    if flow is not None:
        sinks.append(flow)
    if names.video is not None:
        sinks.append(VideoSink(names.video, DrawingAnnotator(), threads=plan.encoder, overwrite=overwrite))
    return sinks
