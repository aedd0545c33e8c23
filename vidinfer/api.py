"""The library's front door: ``for frame in vidinfer.label("clip.mp4"): ...``."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidinfer.detections import Classes, Results, Segments
from vidinfer.errors import UsageError
from vidinfer.frame import Gap, Picture, SourceInfo
from vidinfer.record import Entry, LabelledBatch, Outcome, Span

if TYPE_CHECKING:
    from vidinfer.pipeline import Pipeline
    from vidinfer.stats import LedgerSnapshot

__all__ = ["FrameClasses", "FrameObjects", "FrameSegments", "LabelledFrame", "LabelledFrames", "label"]


@dataclass(frozen=True, slots=True)
class FrameObjects:
    """The objects of one frame, best first; arrays are views into the batch."""

    boxes: NDArray[np.float32]
    """``(n, 4)``: x1, y1, x2, y2 in pixels of the displayed picture."""
    scores: NDArray[np.float32]
    """``(n,)`` in [0, 1]."""
    label_ids: NDArray[np.int64]
    """``(n,)``: indices into the model's categories."""
    labels: tuple[str, ...]
    """``n`` names."""
    masks: NDArray[np.float32] | None = None
    """``(n, h, w)`` in [0, 1] over each box, from models that have them."""
    keypoints: NDArray[np.float32] | None = None
    """``(n, k, 3)``: x, y, score, from models that have them."""

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class FrameClasses:
    """The best classes of one frame, best first."""

    scores: NDArray[np.float32]
    """``(k,)`` probabilities."""
    label_ids: NDArray[np.int64]
    """``(k,)``: indices into the model's categories."""
    labels: tuple[str, ...]
    """``k`` names."""

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class FrameSegments:
    """What each pixel of one frame belongs to."""

    class_map: NDArray[np.uint8]
    """``(h, w)`` at the model's resolution, stretched over the picture; 255: not among the classes asked for."""
    categories: tuple[str, ...]
    """Names by label."""


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """One frame with what the model found: one of ``objects`` to ``flow`` is set, by the model's task."""

    index: int
    """Displayed frames, counted from 0."""
    pts: int | None
    """The container's own timestamp, in units of ``time_base``."""
    time_base: Fraction
    """Seconds per unit."""
    time: float | None
    """``pts`` in seconds."""
    outcome: Outcome
    """``labelled``; or ``corrupt`` or ``failed``, and then nothing was found."""
    reason: str | None
    objects: FrameObjects | None
    classes: FrameClasses | None
    picture: Picture
    segments: FrameSegments | None = None
    clip: FrameClasses | None = None
    """Of video classifiers, on the frame that closes a clip: the best classes of the frames in ``span``."""
    flow: NDArray[np.float32] | None = None
    """``(h, w, 2)`` at the model's resolution: x and y, in pixels of the displayed picture, from the frame before."""
    span: Span | None = None
    """With ``clip`` and ``flow``: which frames were looked at together."""

    def image(self) -> NDArray[np.uint8]:
        """``(height, width, 3)`` uint8 RGB as displayed; converted on each call."""
        return self.picture.rgb()


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
                    yield _labelled(batch, entry)


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


def _labelled(batch: LabelledBatch, entry: Entry) -> LabelledFrame:
    at = entry.at
    assert not isinstance(at, Gap)
    assert entry.picture is not None
    found = batch.results.rows(entry.row, entry.row + 1) if entry.row >= 0 else None
    return LabelledFrame(
        at.index,
        at.pts,
        at.time_base,
        at.time,
        entry.outcome,
        entry.reason,
        None if found is None else _objects(found),
        None if found is None else _top(found.classes, found.categories),
        entry.picture,
        None if found is None or found.segments is None else _segments(found.segments, found.categories),
        None if found is None else _top(found.clips, found.categories),
        None if found is None or found.flow is None else found.flow.fields[0],
        entry.span,
    )


def _objects(found: Results) -> FrameObjects | None:
    if (objects := found.objects) is None:
        return None
    names = tuple(found.categories[i] for i in objects.labels.tolist())
    return FrameObjects(
        objects.boxes, objects.scores, objects.labels, names, objects.masks, objects.keypoints
    )


def _top(classes: Classes | None, categories: tuple[str, ...]) -> FrameClasses | None:
    if classes is None:
        return None
    labels = classes.labels[0]
    return FrameClasses(classes.scores[0], labels, tuple(categories[i] for i in labels.tolist()))


def _segments(segments: Segments, categories: tuple[str, ...]) -> FrameSegments:
    return FrameSegments(segments.class_maps[0], categories)
