"""The library's front door: ``for frame in vidinfer.label("clip.mp4"): ...``."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from vidinfer.errors import UsageError
from vidinfer.frame import Gap, SourceInfo
from vidinfer.labelled import FrameClasses, FrameObjects, FrameSegments, LabelledFrame, labelled_frame

if TYPE_CHECKING:
    from vidinfer.pipeline import Pipeline
    from vidinfer.stats import LedgerSnapshot

__all__ = ["FrameClasses", "FrameObjects", "FrameSegments", "LabelledFrame", "LabelledFrames", "label"]


class LabelledFrames(Iterator[LabelledFrame]):
    """The frames of one source, labelled while you read.

    Closing it (or leaving its ``with`` block, or dropping the last reference) stops every thread.

    Thread rule: one thread.
    """

    def __init__(self, pipeline: Pipeline, info: SourceInfo, stack: ExitStack) -> None:
        self._pipeline = pipeline
        self._stack = stack
        # A function, not a method: a generator that held self would keep it alive after the last reference.
        self._frames = _read(pipeline, stack)
        self.info = info
        """What is known of the source."""

    @property
    def ledger(self) -> LedgerSnapshot:
        """What became of the frames so far."""
        return self._pipeline.ledger.snapshot()

    def __iter__(self) -> LabelledFrames:
        return self

    def __next__(self) -> LabelledFrame:
        return next(self._frames)

    def __enter__(self) -> LabelledFrames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop both threads, join them, free model and decoder. Idempotent."""
        self._frames.close()
        self._stack.close()


def _read(pipeline: Pipeline, stack: ExitStack) -> Generator[LabelledFrame, None, None]:
    with stack, pipeline.batches() as batches:
        for batch in batches:
            for entry in batch.entries:
                if not isinstance(entry.at, Gap):
                    yield labelled_frame(batch, entry)


def label(
    source: str | Path,
    *,
    model: str = "ssdlite320_mobilenet_v3_large",
    weights: str = "DEFAULT",
    labels_file: str | Path | None = None,
    task: str | None = None,
    score_threshold: float = 0.5,
    top_k: int = 5,
    classes: Sequence[str] | None = None,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    allow_inexact: bool = False,
    decode: Literal["exact", "fast", "nvdec"] = "exact",
    max_batch_size: int | None = None,
    every: int = 1,
    fps: float | Fraction | None = None,
    keyframes: bool = False,
    start: float | Fraction | None = None,
    end: float | Fraction | None = None,
    max_frames: int | None = None,
    clip_stride: float | Fraction | None = None,
) -> LabelledFrames:
    """Label the frames of one file.

    Decoding and inference run in two threads while you read, as on the command line.

    Args:
        source: a media file.
        model, weights: a torchvision builder name, ``demo``, ``package.module:factory`` or ``FILE.pt2``; of a
            builder, a weights name, a local file, or ``none``.
        labels_file, task: class names of a network trained further; what a model of your own is for.
        score_threshold: detections below are not reported, in [0, 1].
        top_k, classes: classes per frame, for classification; report only these names.
        device, backend, precision, allow_inexact, decode: as on the command line; ``auto`` is exact.
        max_batch_size: frames per batch; chosen when ``None``.
        every, fps, keyframes: sampling; ``fps`` by the source's own time.
        start, end, max_frames: seconds on the source's own time line, half-open; most labelled frames.
        clip_stride: of video classifiers: seconds from clip to clip; a clip's length when ``None``.

    Raises:
        UsageError, SourceError, ModelUnavailable: at once.
        ModelError: while reading, when the model fails for good.
    """
    given = dict(locals())
    return _open(**_typed(given))


def _open(source: str | Path, **options: Any) -> LabelledFrames:
    from vidinfer import build  # loads torch and FFmpeg, which importing vidinfer must not
    from vidinfer.clock import MonotonicClock
    from vidinfer.config import RunConfig
    from vidinfer.plan import thread_plan
    from vidinfer.source import expand_sources, open_source

    config = RunConfig(sources=(str(source),), **options)
    found = expand_sources(config.sources)
    if found.errors:
        raise found.errors[0][1]
    if len(found.files) != 1:
        raise UsageError(
            f"label takes one file, but {str(source)!r} names {len(found.files)}; call it for each"
        )
    file = found.files[0]
    plan, fast = thread_plan(), config.decode == "fast"
    with ExitStack() as stack:
        opened = open_source(file.path, name=str(file.name), threads=plan.decoder, fast=fast)
        stack.callback(opened.close)
        loaded = build.open_model(config, plan)
        stack.callback(loaded.close)
        tuned = build.tuned_for(loaded, opened.info)
        if tuned is not None and tuned.decoder_threads != plan.decoder:
            opened.close()
            opened = open_source(file.path, name=str(file.name), threads=tuned.decoder_threads, fast=fast)
            stack.callback(opened.close)
        build.settle(loaded, opened, config, keep_pictures=True)
        pipeline = build.make_pipeline(opened, loaded, config, keep_pictures=True, clock=MonotonicClock())
        return LabelledFrames(pipeline, opened.info, stack.pop_all())


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``label`` in the types of ``RunConfig``."""
    for name in ("fps", "start", "end", "clip_stride"):
        given[name] = _exact(given[name])
    if given["classes"] is not None:
        given["classes"] = tuple(given["classes"])
    if given["labels_file"] is not None:
        given["labels_file"] = Path(given["labels_file"])
    return given


def _exact(number: float | Fraction | None) -> Fraction | None:
    """``0.1`` means a tenth, not the double next to it."""
    return None if number is None else Fraction(str(number))
