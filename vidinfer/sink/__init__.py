"""Stage 5: where results go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from vidinfer.clock import Clock
from vidinfer.errors import UsageError
from vidinfer.sink.classmaps import ClassMapSink
from vidinfer.sink.csv import CsvWriter
from vidinfer.sink.flowfiles import FlowFileSink
from vidinfer.sink.jsonl import JsonLinesWriter
from vidinfer.sink.labels import LabelFileSink, LabelStreamSink, WriterFactory
from vidinfer.sink.parquet import ParquetWriter
from vidinfer.sink.report import as_read_back, is_finished, withdraw_report, write_report
from vidinfer.sink.rotating import HOUR, SIZE, RotatingLabels
from vidinfer.sink.series import Keep
from vidinfer.sink.shared import SharedStream
from vidinfer.sink.unit import UnitWriter

__all__ = [
    "ClassMapSink",
    "FlowFileSink",
    "Keep",
    "SharedStream",
    "as_read_back",
    "is_finished",
    "label_sink",
    "rotating_labels",
    "unit_sink",
    "withdraw_report",
    "write_report",
]


def label_sink(
    name: str,
    path: Path | None,
    *,
    overwrite: bool = False,
    on_reader_gone: Callable[[], None] | None = None,
    flow_files: Callable[[int], str] | None = None,
    stream: SharedStream | None = None,
    clock: Clock | None = None,
    by: bool = False,
) -> LabelFileSink | LabelStreamSink:
    """A sink for labels.

    Args:
        name: ``jsonl``, ``csv`` or ``parquet``.
        path: final name of the file; ``None`` for standard output (``jsonl`` only).
        overwrite: replace a file that is there already, once the new one is complete.
        on_reader_gone: called once, on the writing thread, when the reader of standard output goes away.
        flow_files: the file with the vectors of a frame, by its index (``FlowFileSink.name_of``); ``jsonl`` names it.
        stream: standard output, where several sinks share it.
        clock: of the arrivals of live records; ``jsonl`` tells latencies by it.
        by: ``csv`` and ``parquet`` have columns that say whose the results of a frame are; ``jsonl`` says so anyway.

    Raises:
        UsageError: no such format, or one that cannot be streamed.
    """
    writers: dict[str, WriterFactory] = {
        "jsonl": partial(JsonLinesWriter, flow_files=flow_files, clock=clock),
        "csv": partial(CsvWriter, by=by),
        "parquet": partial(ParquetWriter, by=by),
    }
    if name not in writers:
        raise UsageError(f"labels {name!r}: expected one of {', '.join(writers)}")
    if path is not None:
        return LabelFileSink(path, name, writers[name], overwrite=overwrite)
    if name != "jsonl":
        raise UsageError(f"labels {name!r} to standard output: only jsonl can be streamed; give --labels -")
    return LabelStreamSink(name, writers[name], stream=stream, on_reader_gone=on_reader_gone)


def unit_sink(path: Path, receipt: Callable[[], Mapping[str, object]]) -> LabelFileSink:
    """A sink for one unit of an archive: its records and, in the same file, its receipt.

    Args:
        path: final name; a file there is replaced.
        receipt: asked for when the file is closed; ready for JSON.
    """
    return LabelFileSink(path, "unit", partial(UnitWriter, receipt=receipt), overwrite=True)


def rotating_labels(
    form: str,
    folder: Path,
    name: str,
    clock: Clock,
    *,
    seconds: float | None = HOUR,
    nbytes: int | None = SIZE,
    keep: Keep | None = None,
) -> RotatingLabels:
    """The labels of a live stream, in files that follow one another.

    Args:
        form: ``jsonl`` or ``csv``.
        folder: where the files go.
        name: of the stream, without a slash.
        clock: of the arrivals of its records.
        seconds: of wall time from one file to the next, aligned to its multiples; ``None``: no limit.
        nbytes: of one file; ``None``: no limit.
        keep: when files are removed; ``None``: never.

    Raises:
        UsageError: a format that is of no use before its file is complete, or none.
        SinkError: a name that no file can have.
    """
    writers: dict[str, WriterFactory] = {"jsonl": partial(JsonLinesWriter, clock=clock), "csv": CsvWriter}
    if form not in writers:
        raise UsageError(
            f"labels {form!r} of a live stream: expected one of {', '.join(writers)}, which can be read while "
            f"they grow"
        )
    return RotatingLabels(folder, name, form, writers[form], seconds=seconds, nbytes=nbytes, keep=keep)
