"""Stage 5: where results go."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from vidinfer.errors import UsageError
from vidinfer.sink.classmaps import ClassMapSink
from vidinfer.sink.csv import CsvWriter
from vidinfer.sink.flowfiles import FlowFileSink
from vidinfer.sink.jsonl import JsonLinesWriter
from vidinfer.sink.labels import LabelFileSink, LabelStreamSink, WriterFactory
from vidinfer.sink.parquet import ParquetWriter
from vidinfer.sink.report import is_finished, withdraw_report, write_report

__all__ = ["ClassMapSink", "FlowFileSink", "is_finished", "label_sink", "withdraw_report", "write_report"]


def label_sink(
    name: str,
    path: Path | None,
    *,
    overwrite: bool = False,
    on_reader_gone: Callable[[], None] | None = None,
    flow_files: Callable[[int], str] | None = None,
) -> LabelFileSink | LabelStreamSink:
    """A sink for labels.

    Args:
        name: ``jsonl``, ``csv`` or ``parquet``.
        path: final name of the file; ``None`` for standard output (``jsonl`` only).
        overwrite: replace a file that is there already, once the new one is complete.
        on_reader_gone: called once, on the writing thread, when the reader of standard output goes away.
        flow_files: the file with the vectors of a frame, by its index (``FlowFileSink.name_of``); ``jsonl`` names it.

    Raises:
        UsageError: no such format, or one that cannot be streamed.
    """
    writers: dict[str, WriterFactory] = {
        "jsonl": partial(JsonLinesWriter, flow_files=flow_files),
        "csv": CsvWriter,
        "parquet": ParquetWriter,
    }
    if name not in writers:
        raise UsageError(f"labels {name!r}: expected one of {', '.join(writers)}")
    if path is not None:
        return LabelFileSink(path, name, writers[name], overwrite=overwrite)
    if name != "jsonl":
        raise UsageError(f"labels {name!r} to standard output: only jsonl can be streamed; give --labels -")
    return LabelStreamSink(name, writers[name], on_reader_gone=on_reader_gone)
