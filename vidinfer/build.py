"""Configuration -> objects: the only place where strings become stages."""

from __future__ import annotations

from collections.abc import Callable

from vidinfer.annotate.annotator import DrawingAnnotator
from vidinfer.batcher import OfflineBatcher
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.model import load_model
from vidinfer.outputs import OutputNames
from vidinfer.pipeline import Pipeline
from vidinfer.plan import SLOTS, ThreadPlan, batch_size_for
from vidinfer.sampling import Sampler, Sampling
from vidinfer.sink import label_sink
from vidinfer.sink.video import VideoSink
from vidinfer.stages import Model, Sink, Source

__all__ = ["make_pipeline", "make_sinks", "open_model", "sampling_of"]


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
        threads=plan.model,
        progress=progress,
    )


def make_pipeline(
    source: Source, model: Model, config: RunConfig, *, keep_pictures: bool, clock: Clock
) -> Pipeline:
    """A pipeline for one source, sized by the configuration."""
    spec = model.input_for(source.info.width, source.info.height)
    # Three bytes a pixel: the most that decoders give in the usual formats (10 bit 4:2:0, 8 bit 4:4:4).
    picture_bytes = 3 * source.info.width * source.info.height if keep_pictures else 0
    frame_bytes = spec.dtype.itemsize * spec.shape[0] * spec.shape[1] * spec.shape[2]
    return Pipeline(
        source,
        model,
        batcher=OfflineBatcher(),
        sampler=Sampler(sampling_of(config)),
        clock=clock,
        batch_size=batch_size_for(config.max_batch_size, frame_bytes, picture_bytes),
        slots=SLOTS,
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
    sinks: list[Sink] = [label_sink(fmt, path, overwrite=overwrite) for fmt, path in names.labels.items()]
    if config.labels_to_stdout:
        sinks.append(label_sink("jsonl", None, on_reader_gone=on_reader_gone))
    if names.video is not None:
        sinks.append(VideoSink(names.video, DrawingAnnotator(), threads=plan.encoder, overwrite=overwrite))
    return sinks
