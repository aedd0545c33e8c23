"""The library's front door: ``for frame in vidinfer.label("clip.mp4"): ...``."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, Unpack

from vidinfer.errors import UsageError
from vidinfer.frame import Gap, SourceInfo
from vidinfer.labelled import (
    FrameBatch,
    FrameClasses,
    FrameObjects,
    FrameSegments,
    LabelledFrame,
    labelled_frame,
)
from vidinfer.workers import end_behind, on_a_worker

if TYPE_CHECKING:
    from vidinfer.config import RunConfig
    from vidinfer.pipeline import Pipeline
    from vidinfer.stats import LedgerSnapshot
    from vidinfer.status import LiveStatus

__all__ = [
    "FrameBatch",
    "FrameClasses",
    "FrameObjects",
    "FrameSegments",
    "LabelledFrame",
    "LabelledFrames",
    "LiveOptions",
    "label",
]


class Labelling(Protocol):
    """What is read: a file or live streams. It begins with the first frame that is asked for."""

    @property
    def info(self) -> SourceInfo | None:
        """Of a file."""
        ...

    @property
    def ledger(self) -> LedgerSnapshot:
        """So far."""
        ...

    @property
    def left_out(self) -> int:
        """Frames that the reader was too slow for."""
        ...

    @property
    def preview(self) -> str | None:
        """Address of the page."""
        ...

    def frames(self) -> Generator[LabelledFrame, None, None]:
        """Closed early or read to the end, it leaves no thread behind."""
        ...

    def status(self) -> LiveStatus | None:
        """How live streams stand."""
        ...

    def stop(self) -> None:
        """End soon. Idempotent; any thread."""
        ...

    def close(self) -> None:
        """After ``frames``, or instead of it. Idempotent."""
        ...


class LabelledFrames(Iterator[LabelledFrame]):
    """The frames of a file, or of live streams, labelled while you read.

    Closing it (or leaving its ``with`` block, or dropping the last reference) stops every thread.

    A file waits for you. Live streams do not: where you are slower than they are, the frames that have waited longest
    are left out, of whatever stream, as soon as more than 16 with pictures wait for each stream (or 256 MiB of them).
    ``left_out`` counts them, and ``index`` has holes.

    Thread rule: one thread; ``stop`` and the properties from any.
    """

    def __init__(self, labelling: Labelling) -> None:
        self._labelling = labelling
        # Not a method of ours: a generator that held self would keep it alive after the last reference.
        self._frames = labelling.frames()

    @property
    def info(self) -> SourceInfo | None:
        """What is known of the file; ``None`` of live streams, for which see ``status``."""
        return self._labelling.info

    @property
    def ledger(self) -> LedgerSnapshot:
        """What became of the frames so far; of all streams together. A frame that you were too slow for was labelled
        all the same: those are counted in ``left_out``.
        """
        return self._labelling.ledger

    @property
    def left_out(self) -> int:
        """Frames of live streams that you were too slow for; which streams', ``status`` says (``outlets``)."""
        return self._labelling.left_out

    @property
    def preview(self) -> str | None:
        """Address of the page of a live run, once it is served."""
        return self._labelling.preview

    def status(self) -> LiveStatus | None:
        """How a live run stands: every stream's connection, ledger and latencies; ``None`` for files, and before the
        first frame was asked for.
        """
        return self._labelling.status()

    def stop(self) -> None:
        """End soon: what is decoded is labelled and may still be read. Idempotent; any thread, and signal handlers."""
        self._labelling.stop()

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
        """Stop every thread and join it (within two seconds, and a batch of the model), free model and decoders.

        Idempotent.
        """
        self._frames.close()
        self._labelling.close()


class _FileLabelling:
    """One file, in two threads."""

    left_out = 0
    """It waits for its reader."""
    preview = None

    def __init__(self, pipeline: Pipeline, info: SourceInfo, stack: ExitStack) -> None:
        """``stack`` holds model and decoder."""
        self._pipeline, self._stack = pipeline, stack
        self.info = info

    @property
    def ledger(self) -> LedgerSnapshot:
        return self._pipeline.ledger.snapshot()

    def frames(self) -> Generator[LabelledFrame, None, None]:
        name = self.info.name
        with ExitStack() as block:
            block.push(self._stack)
            batches, reader = block.enter_context(self._pipeline.batches()), threading.get_ident()
            try:
                for batch in batches:
                    for entry in batch.entries:
                        if not isinstance(entry.at, Gap):
                            yield labelled_frame(batch, entry, name)
                            reader = threading.get_ident()
            except GeneratorExit:
                if on_a_worker(reader):
                    block.pop_all()
                    end_behind("close", self._end)
                raise

    def _end(self) -> None:
        """What leaving ``frames`` does, on a thread that the pipeline does not need: model and decoder go last."""
        with self._stack:
            self._pipeline.abort()
            self._pipeline.join()

    def status(self) -> None:
        """Of live streams only."""

    def stop(self) -> None:
        self._pipeline.stop()

    def close(self) -> None:
        self._stack.close()


class LiveOptions(TypedDict, total=False):
    """How live streams are labelled; as on the command line."""

    max_queue_delay: float
    """Longest that a frame waits for company, in milliseconds; 10, and 0 for one stream."""
    latency_slo: float
    """Budget from a frame's arrival to its label, in milliseconds; none."""
    policy: Literal["latency", "throughput", "fixed"]
    transport: Literal["tcp", "udp"]
    """Of RTSP; ``tcp``."""
    loop: bool
    """Files begin anew at their end."""
    preview: str
    """``HOST:PORT`` of a page to look at while you read; ``LabelledFrames.preview`` is its address."""
    preview_token: str
    """What the page asks for; made up where it is needed."""


def label(
    source: str | Path | Sequence[str | Path],
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
    mode: Literal["auto", "offline", "live"] = "auto",
    max_batch_size: int | None = None,
    every: int = 1,
    fps: float | Fraction | None = None,
    keyframes: bool = False,
    skip_static: bool | float = False,
    start: float | Fraction | None = None,
    end: float | Fraction | None = None,
    max_frames: int | None = None,
    duration: float | Fraction | None = None,
    clip_stride: float | Fraction | None = None,
    **live: Unpack[LiveOptions],
) -> LabelledFrames:
    """Label the frames of one file, or of live streams, as the command line does; nothing is written.

    Threads begin with the first frame that is asked for. A live run ends with its streams, after ``max_frames`` (of
    each) or ``duration``, or when you stop reading; streams that are lost are connected again.

    Args:
        source: a media file; or streams and cameras: ``"rtsp://…"``, ``"camera:0"``, ``"NAME=ADDRESS"``, or several.
        model, weights: a torchvision builder name, ``demo``, ``package.module:factory`` or ``FILE.pt2``; of a
            builder, a weights name, a local file, or ``none``.
        labels_file, task: class names of a network trained further; what a model of your own is for.
        score_threshold: detections below are not reported, in [0, 1].
        top_k, classes: classes per frame, for classification; report only these names.
        device, backend, precision, allow_inexact, decode: as on the command line; ``auto`` is exact.
        mode: ``live`` plays files at their own pace, also several, beside streams.
        max_batch_size: frames per batch; chosen when ``None``.
        every, fps, keyframes: sampling; ``fps`` by the source's own time.
        skip_static: a frame that looks like one before gets its labels, and ``frame.by`` says so; a number: as long as
            no spot differs by more grey levels.
        start, end: seconds on a file's own time line, half-open.
        max_frames, duration: most labelled frames of each source; seconds.
        clip_stride: of video classifiers: seconds from clip to clip; a clip's length when ``None``.
        live: see ``LiveOptions``.

    Raises:
        UsageError, SourceError, ModelUnavailable: at once; but a ``preview`` port that is taken, and streams of which
            not one was ever there, while reading.
        ModelError: while reading, when the model fails for good.
    """
    given = dict(locals())
    given |= _known(given.pop("live"))
    return LabelledFrames(_open(**_typed(given)))


def _open(source: str | Path | Sequence[str | Path], **options: Any) -> Labelling:
    from vidinfer.config import RunConfig

    sources = (source,) if isinstance(source, (str, Path)) else tuple(source)
    config = RunConfig(sources=tuple(map(str, sources)), **options)
    if not sources:
        raise UsageError("nothing to label: give a file, or streams")
    if config.live:
        from vidinfer.label_live import open_live_labelling

        return open_live_labelling(config)
    return _open_file(config)


def _open_file(config: RunConfig) -> Labelling:
    from vidinfer import build  # loads torch and FFmpeg, which importing vidinfer must not
    from vidinfer.clock import MonotonicClock
    from vidinfer.plan import thread_plan
    from vidinfer.source import expand_sources, open_source

    config.require_offline()
    found = expand_sources(config.sources)
    if found.errors:
        raise found.errors[0][1]
    if len(found.files) != 1:
        given = ", ".join(map(repr, config.sources))
        raise UsageError(
            f"label takes one file, but {given} names {len(found.files)}; call it for each, or give "
            "mode='live' to play them together at their own pace"
        )
    file = found.files[0]
    plan, fast = thread_plan(), config.decode == "fast"
    with ExitStack() as stack:
        opened = open_source(
            file.path, name=str(file.name), threads=plan.decoder, fast=fast, sampling=build.sampled(config)
        )
        stack.callback(opened.close)
        loaded = build.open_model(config, plan)
        stack.callback(loaded.close)
        tuned = build.tuned_for(loaded, opened.info)
        if tuned is not None and tuned.decoder_threads != plan.decoder:
            opened.close()
            opened = open_source(
                file.path,
                name=str(file.name),
                threads=tuned.decoder_threads,
                fast=fast,
                sampling=build.sampled(config),
            )
            stack.callback(opened.close)
        build.settle(loaded, opened, config, keep_pictures=True)
        pipeline = build.make_pipeline(opened, loaded, config, keep_pictures=True, clock=MonotonicClock())
        return _FileLabelling(pipeline, opened.info, stack.pop_all())


def _typed(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``label`` in the types of ``RunConfig``."""
    for name in ("fps", "start", "end", "duration", "clip_stride"):
        given[name] = _exact(given[name])
    if given["classes"] is not None:
        given["classes"] = tuple(given["classes"])
    if given["labels_file"] is not None:
        given["labels_file"] = Path(given["labels_file"])
    return given


def _known(live: dict[str, Any]) -> dict[str, Any]:
    """Python's own words for a mistyped name, and no other option of the command line by this way."""
    for name in live:
        if name not in LiveOptions.__annotations__:
            raise TypeError(f"label() got an unexpected keyword argument {name!r}")
    return live


def _exact(number: float | Fraction | None) -> Fraction | None:
    """``0.1`` means a tenth, not the double next to it."""
    return None if number is None else Fraction(str(number))
