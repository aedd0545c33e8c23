"""The facts of ``run.json``: with what, from what, how fast."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

from vidinfer.light import Alone, speed_of_light
from vidinfer.pipeline import Pipeline
from vidinfer.plan import ThreadPlan
from vidinfer.stages import ModelInfo, Sink, Source

__all__ = ["describe_model", "describe_pipeline", "describe_sinks", "describe_source", "versions"]

PACKAGES = ("vidinfer", "av", "numpy", "opencv-python", "torch", "torchvision")


def versions() -> dict[str, str]:
    """Installed versions by package."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed under this name"
    return found


def describe_model(model: ModelInfo) -> dict[str, object]:
    """What labelled the frames."""
    figure: dict[str, object] = {}
    if model.keypoints:
        figure = {"keypoints": list(model.keypoints), "skeleton": [list(pair) for pair in model.skeleton]}
    return {
        "name": model.name,
        "task": model.task,
        "weights": model.weights,
        "sha256": model.weights_sha256,
        "device": model.device,
        "backend": model.backend,
        "precision": model.precision,
        "why": model.why,
        "categories": list(model.categories),
        **model.details,
        **figure,
    }


def describe_source(source: Source) -> dict[str, object]:
    """What the container claims, and what was found."""
    info = source.info
    return {
        "name": info.name,
        "path": info.path,
        "width": info.width,
        "height": info.height,
        "time_base": str(info.time_base),
        "rate_claimed": None if info.rate is None else str(info.rate),
        "frames_claimed": info.frames_claimed,
        "duration_claimed": info.duration,
        **info.details,
        "found": source.facts(),
    }


def describe_sinks(sinks: Sequence[Sink]) -> list[dict[str, object]]:
    """What each output has to say of itself; one without a file is a stream."""
    return [{"files": [path.name for path in sink.paths], **sink.facts()} for sink in sinks]


def describe_pipeline(
    pipeline: Pipeline,
    plan: ThreadPlan,
    started: float,
    seconds: float,
    alone: Alone | None = None,
    model_only: float | None = None,
) -> dict[str, object]:
    """Timings, the share of the bound, memory and threads.

    Args:
        started: on the pipeline's clock, when the source was opened.
        seconds: wall time until its outputs were closed.
        alone: the stages one by one, where they were measured.
        model_only: frames a second of the model alone, where they were not.
    """
    counts = pipeline.ledger.snapshot()
    decoded = counts.decoded
    busy, ring, first = pipeline.times.seconds(), pipeline.statistics(), pipeline.first_label_at
    return {
        "timings": {
            "seconds": round(seconds, 3),
            "frames_per_second": round(decoded / seconds, 2) if seconds > 0 else 0.0,
            "first_label_seconds": None if first is None else round(first - started, 3),
            "stages": {stage: round(s, 3) for stage, s in busy.items()},
        },
        "speed_of_light": speed_of_light(
            decoded,
            seconds,
            busy,
            None if pipeline.passed else alone,
            labelled=counts.labelled - counts.propagated,
            model_only=model_only,
        ),
        **_still(pipeline),
        "ring": {
            "slots": ring.slots,
            "batch_size": ring.capacity,
            "bytes": ring.nbytes,
            "batches": ring.taken,
            "peak_ready": ring.peak_ready,
        },
        "threads": {
            "cores": plan.cores,
            "decoder": plan.decoder,
            "model": plan.model,
            "encoder": plan.encoder,
        },
    }


def _still(pipeline: Pipeline) -> dict[str, object]:
    """How many frames got the results of another, and how often a sample shows that to have been wrong."""
    done = pipeline.propagation
    return {} if done is None else {"skip_static": done.as_dict()}
