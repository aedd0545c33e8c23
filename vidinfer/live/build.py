"""From options to the outlets of live streams."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from vidinfer.annotate import DrawingAnnotator
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.live.outlet import Outlet
from vidinfer.plan import ThreadPlan
from vidinfer.sink.jsonl import JsonLinesWriter
from vidinfer.sink.labels import LabelStreamSink
from vidinfer.sink.rotating import RotatingLabels
from vidinfer.sink.segmented import SegmentedVideo
from vidinfer.sink.shared import SharedStream
from vidinfer.stages import Sink

__all__ = ["make_outlets", "shared_stdout"]

MIB = 2**20


def shared_stdout(config: RunConfig) -> SharedStream | None:
    """Standard output for all streams, where labels go there."""
    return SharedStream(sys.stdout.buffer) if config.labels_to_stdout else None


def make_outlets(
    config: RunConfig,
    name: str,
    plan: ThreadPlan,
    clock: Clock,
    stdout: SharedStream | None,
    on_reader_gone: Callable[[], None],
) -> list[Outlet]:
    """All that a stream was asked to leave behind; they run, and must be closed.

    Args:
        on_reader_gone: called when nobody reads standard output any more.

    Raises:
        SinkError: a name that no file can have; then there are none.
    """
    writer = partial(JsonLinesWriter, clock=clock)
    sinks: list[tuple[Sink, str]] = []
    if config.label_files:
        nbytes = int(config.rotate_size * MIB)
        labels = RotatingLabels(config.out, name, "jsonl", writer, seconds=config.rotate_every, nbytes=nbytes)
        sinks.append((labels, f"{name} labels"))
    if stdout is not None:
        lines = LabelStreamSink("jsonl", writer, stream=stdout, on_reader_gone=on_reader_gone)
        sinks.append((lines, f"{name} stdout"))
    if config.video:
        threads = max(1, plan.cores // 2)
        annotator = DrawingAnnotator()
        video = SegmentedVideo(
            config.out, name, annotator, seconds=config.segment, threads=threads, encoder="auto"
        )
        sinks.append((video, f"{name} video"))
    return [Outlet(sink, told, clock) for sink, told in sinks]  # threads begin once nothing can fail any more
