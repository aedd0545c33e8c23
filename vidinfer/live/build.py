"""From options to the outlets of live streams."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
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

__all__ = ["label_outlets", "video_outlet"]

MIB = 2**20


def label_outlets(
    config: RunConfig, names: Sequence[str], clock: Clock, on_reader_gone: Callable[[], None]
) -> list[list[Outlet]]:
    """Those of each stream; standard output is shared by all.

    Args:
        on_reader_gone: called when nobody reads standard output any more.
    """
    writer = partial(JsonLinesWriter, clock=clock)
    stdout = SharedStream(sys.stdout.buffer) if config.labels_to_stdout else None
    outlets: list[list[Outlet]] = []
    for name in names:
        mine = []
        if config.label_files:
            sink = RotatingLabels(
                config.out,
                name,
                "jsonl",
                writer,
                seconds=config.rotate_every,
                nbytes=int(config.rotate_size * MIB),
            )
            mine.append(Outlet(sink, f"{name} labels", clock))
        if stdout is not None:
            shared = LabelStreamSink("jsonl", writer, stream=stdout, on_reader_gone=on_reader_gone)
            mine.append(Outlet(shared, f"{name} stdout", clock))
        outlets.append(mine)
    return outlets


def video_outlet(config: RunConfig, name: str, plan: ThreadPlan, clock: Clock) -> list[Outlet]:
    """The overlaid video of a stream, where it was asked for."""
    if not config.video:
        return []
    threads = max(1, plan.cores // 2)
    sink = SegmentedVideo(
        config.out, name, DrawingAnnotator(), seconds=config.segment, threads=threads, encoder="auto"
    )
    return [Outlet(sink, f"{name} video", clock)]
