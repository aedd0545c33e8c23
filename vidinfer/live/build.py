"""From options to the files and lines that live streams leave behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from vidinfer.annotate import DrawingAnnotator
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.errors import VidinferError
from vidinfer.live.outlet import Outlet
from vidinfer.plan import ThreadPlan
from vidinfer.report import SourceReport
from vidinfer.sink import write_report
from vidinfer.sink.jsonl import JsonLinesWriter
from vidinfer.sink.labels import LabelStreamSink
from vidinfer.sink.rotating import RotatingLabels
from vidinfer.sink.segmented import SegmentedVideo
from vidinfer.sink.shared import SharedStream
from vidinfer.stages import Sink

__all__ = ["FileOutputs", "make_outlets"]

MIB = 2**20


class FileOutputs:
    """What a command was asked to leave behind: label files, lines on standard output, videos, and ``run.json``.

    Thread rule: one thread.
    """

    def __init__(
        self, config: RunConfig, plan: ThreadPlan, clock: Clock, on_reader_gone: Callable[[], None]
    ) -> None:
        """``on_reader_gone()``: called when nobody reads standard output any more."""
        self._config, self._plan, self._clock = config, plan, clock
        self._on_reader_gone = on_reader_gone
        self._stdout = SharedStream(sys.stdout.buffer) if config.labels_to_stdout else None

    @property
    def needs_pictures(self) -> bool:
        """For videos."""
        return self._config.video

    def of_stream(self, number: int, name: str) -> list[Outlet]:  # noqa: ARG002
        """An outlet for each.

        Raises:
            SinkError: a name that no file can have; then there are none.
        """
        return make_outlets(self._config, name, self._plan, self._clock, self._stdout, self._on_reader_gone)

    def report(self, report: SourceReport) -> SourceReport:
        """``NAME.run.json``, where there are other files."""
        if not (self._config.label_files or self._config.video):
            return report
        path = self._config.out / f"{report.source}.run.json"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_report(path, report.as_dict(), overwrite=True)
        except (VidinferError, OSError) as error:
            told = " ".join(str(error).split())
            return SourceReport(report.source, "failed", told, report.ledger, report.seconds)
        return report


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
