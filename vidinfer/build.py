"""Configuration -> objects: the only place where strings become stages."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidinfer.alone import measure_decoding, measure_model, measure_together, measure_writing
from vidinfer.annotate.annotator import DrawingAnnotator
from vidinfer.batcher import OfflineBatcher
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.errors import UsageError
from vidinfer.frame import SourceInfo
from vidinfer.light import Alone
from vidinfer.model import load_model
from vidinfer.outputs import OutputNames
from vidinfer.pipeline import Pipeline
from vidinfer.plan import GPU_MEMORY_BYTES, SHARED_ENTRIES, SLOTS, ThreadPlan, batch_size_for, thread_plan
from vidinfer.sampling import Before, Sampler, Sampling
from vidinfer.sink import ClassMapSink, FlowFileSink, label_sink
from vidinfer.sink.video import VideoSink
from vidinfer.source import sample_pictures
from vidinfer.stages import AsyncModel, Model, ModelInfo, Sink, Source
from vidinfer.still import StillSettings
from vidinfer.storage import locate
from vidinfer.tuned import Tunable, Tuned

__all__ = [
    "check_outputs",
    "feeding",
    "make_pipeline",
    "make_sinks",
    "nvdec_device",
    "open_model",
    "sample_places",
    "sampled",
    "sampling_of",
    "settle",
    "stages_alone",
    "tuned_for",
]

SAMPLES = 8
"""Pictures that a model is tried on before a run."""
CALIBRATION = 96
"""Pictures that the ranges of int8 are taken from."""
WORTH_CHOOSING = 64
"""Frames; trying the backends takes as long as labelling so many."""
MANY = 10**9
CACHE = Path("~/.cache/vidinfer")
"""For what was measured on this machine."""


def sampling_of(config: RunConfig, *, live: bool = False) -> Sampling:
    """The part of the configuration that chooses frames; ``live``: but for what is measured on our own clock."""
    return Sampling(
        every=config.every,
        fps=config.fps,
        keyframes=config.keyframes,
        start=config.start,
        end=config.end,
        max_frames=config.max_frames,
        duration=None if live else config.duration,
    )


def sampled(config: RunConfig) -> Sampling | None:
    """What a source may leave undecoded; ``None``: nothing."""
    sampling = sampling_of(config)
    return sampling if sampling.every > 1 or sampling.fps or sampling.keyframes else None


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
        side_by_side=1 if config.live else None,
        allow_inexact=config.allow_inexact,
        cache=config.cache or CACHE.expanduser(),
        progress=progress,
    )


def settle(model: Model, source: Source, config: RunConfig, *, keep_pictures: bool, sources: int = 1) -> None:
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
    places = sample_places(model, source, config)
    if places is None:
        return
    batch = _sizes(model, info, config, keep_pictures=keep_pictures).batch_size
    model.settle(places, info.width, info.height, batch)


def nvdec_device(config: RunConfig) -> int | None:
    """The number of the GPU to decode on, where that was asked for; not for an overlay, which needs pictures here."""
    if config.decode != "nvdec" or config.device == "cpu" or config.video:
        return None
    return int(config.device.partition(":")[2] or 0)


def feeding(model: Model, source: Source) -> Model:
    """The model as it takes pictures that are on its device already."""
    if source.info.details.get("pictures_on") != model.info.device:
        return model
    from vidinfer.model.fed import device_fed  # loads torch

    fed: Model = device_fed(model, source.info.width, source.info.height)
    return fed


def sample_places(model: Model, source: Source, config: RunConfig) -> NDArray[Any] | None:
    """A few pictures of a file, prepared: ``(k, *place)``; ``None`` where none can be decoded."""
    info = source.info
    if info.path is None:
        return None
    spec = model.input_for(info.width, info.height)
    frames = 1 if spec.window is None else spec.window.frames
    alone = CALIBRATION if config.precision == "int8" else SAMPLES
    count = alone if spec.window is None else frames
    pictures = sample_pictures(locate(info.path), info, count, spread=spec.window is None)
    if not pictures:
        return None
    places = np.zeros((len(pictures) if spec.window is None else 1, frames, *spec.shape), spec.dtype)
    for i, place in enumerate(places.reshape(-1, *spec.shape)):
        spec.prepare(pictures[min(i, len(pictures) - 1)].rgb(), place)
    return places.reshape(-1, *spec.place)


def tuned_for(model: Model, info: SourceInfo) -> Tuned | None:
    """What `vidinfer tune` chose for such frames on this machine; the batch size is in the model's input already."""
    return model.tuned(info.width, info.height) if isinstance(model, Tunable) else None


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
    if config.skip_static is not None and model.task in ("video", "optical_flow"):
        raise UsageError(
            f"--skip-static: {model.name} looks at several frames at once, and this goes with models that look at "
            "one; leave it out"
        )


def make_pipeline(
    source: Source,
    model: Model,
    config: RunConfig,
    *,
    keep_pictures: bool,
    clock: Clock,
    before: Before | None = None,
) -> Pipeline:
    """A pipeline for one source, sized by the configuration; ``before``: the source is not the first of a file."""
    sizes = _sizes(model, source.info, config, keep_pictures=keep_pictures)
    in_flight = model.in_flight if isinstance(model, AsyncModel) else 1
    return Pipeline(
        source,
        model,
        batcher=OfflineBatcher(),
        sampler=Sampler(sampling_of(config), before),
        clock=clock,
        batch_size=sizes.batch_size,
        batch_entries=sizes.entries,
        slots=SLOTS + in_flight,
        keep_pictures=keep_pictures,
        fast=config.decode == "fast",
        still=None if config.skip_static is None else StillSettings(config.skip_static),
    )


class _Sizes(NamedTuple):
    batch_size: int
    entries: int | None
    """Records in a batch, where many share a place."""


def _sizes(model: Model, info: SourceInfo, config: RunConfig, *, keep_pictures: bool) -> _Sizes:
    """Of the batches of a run. The same before and after the model has settled: an engine is made for one size."""
    spec = model.input_for(info.width, info.height)
    # Three bytes a pixel: the most that decoders give in the usual formats (10 bit 4:2:0, 8 bit 4:4:4).
    picture_bytes = 3 * info.width * info.height if keep_pictures else 0
    place_bytes = spec.dtype.itemsize * math.prod(spec.place)
    limits: dict[str, int] = {"in_flight": thread_plan().cores + 1 if isinstance(model, AsyncModel) else 1}
    if model.info.device != "cpu":
        limits["memory"] = GPU_MEMORY_BYTES
    shared = (
        None  # clips, still frames: many records for each place, and pictures may be kept for all of them
    )
    if spec.window is not None or config.skip_static is not None:
        shared = batch_size_for(None, 0, picture_bytes, usual=SHARED_ENTRIES, **limits)
    kept = 0 if shared else picture_bytes
    size = batch_size_for(config.max_batch_size, place_bytes, kept, usual=spec.batch_size, **limits)
    return _Sizes(size, shared)


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
        label_sink(fmt, path, overwrite=overwrite, flow_files=name_of, by=config.skip_static is not None)
        for fmt, path in names.labels.items()
    ]
    if config.labels_to_stdout:
        sinks.append(label_sink("jsonl", None, on_reader_gone=on_reader_gone, flow_files=name_of))
    if names.class_maps is not None:
        sinks.append(ClassMapSink(names.class_maps, overwrite=overwrite))
    if flow is not None:
        sinks.append(flow)
    if names.video is not None:
        sinks.append(video_sink(names.video, plan, overwrite=overwrite))
    return sinks


def video_sink(path: Path, plan: ThreadPlan, *, overwrite: bool = False) -> Sink:
    """The overlaid video."""
    return VideoSink(path, DrawingAnnotator(), threads=plan.encoder, encoder="auto", overwrite=overwrite)


def stages_alone(
    source: Source, model: Model, config: RunConfig, plan: ThreadPlan, clock: Clock, seconds: float
) -> Alone:
    """What the machine can do of a run: each stage by itself, decoding beside the model, on the source's first frames.

    Args:
        seconds: what it may take, about; a video takes a second more, or three where encoding is slow.

    Raises:
        VidinferError: a stage fails here that did not fail in the run.
    """
    info, fast, nvdec = source.info, config.decode == "fast", nvdec_device(config)
    spec = model.input_for(info.width, info.height)
    if (
        info.path is None or spec.window is not None
    ):  # of windows the times decide how many frames one stands for
        return Alone(plan.cores)
    batch = model.allocate(_sizes(model, info, config, keep_pictures=config.video).batch_size, spec)
    decode = measure_decoding(
        source, model, plan.cores, clock, fast=fast, nvdec=nvdec, batch=batch, seconds=0.25 * seconds
    )
    infer = measure_model(model, batch, info, clock, seconds=0.2 * seconds)
    both = None
    if decode is not None and infer is not None:
        costs = (decode.core_seconds, infer.core_seconds)
        both = measure_together(
            source, model, batch, plan, clock, costs, fast=fast, nvdec=nvdec, seconds=0.55 * seconds
        )
    if not config.video:
        return Alone(plan.cores, decode, infer, together=both)
    with TemporaryDirectory(prefix="vidinfer-") as folder:
        sink = video_sink(Path(folder, "alone.mp4"), plan)
        write = measure_writing(source, model, batch, sink, clock, threads=plan.decoder)
    return Alone(plan.cores, decode, infer, write, together=both)
