"""The life of a label file, the same for every format: open, write batches, close or abort."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from vidinfer.errors import SinkError
from vidinfer.frame import SourceInfo
from vidinfer.record import LabelledBatch
from vidinfer.sink.atomic import PartialFile, output_error
from vidinfer.sink.findings import Findings, Layout, find, layout_of
from vidinfer.sink.shared import SharedStream
from vidinfer.stages import ModelInfo

__all__ = ["Counts", "LabelFileSink", "LabelStreamSink", "LabelWriter", "WriterFactory"]


class LabelWriter(Protocol):
    """Writes the records of one source in one format."""

    def write(self, batch: LabelledBatch, found: Findings) -> None:
        """Append the records of ``batch``, whose findings are ``found``."""
        ...

    def finish(self) -> None:
        """Append what the format wants at its end."""
        ...

    def discard(self) -> None:
        """Let go; what was written does not matter any more."""
        ...


WriterFactory = Callable[[BinaryIO, SourceInfo, ModelInfo], LabelWriter]


class Counts:
    """What went through a sink. Thread rule: one thread at a time."""

    def __init__(self) -> None:
        self._records = self._findings = self._not_finite = 0

    def add(self, batch: LabelledBatch, found: Findings) -> None:
        """Count a batch that was written."""
        self.add_records(len(batch.entries))
        rows = np.array(
            [entry.row for entry in batch.entries if entry.row >= 0], np.int64
        )  # several may share one
        self._findings += int((found.offsets[rows + 1] - found.offsets[rows]).sum())
        self._not_finite += found.not_finite

    def add_records(self, records: int) -> None:
        """Count records that were written."""
        self._records += records

    def add_findings(self, found: Findings) -> None:
        """Count what was found in them."""
        self._findings += len(found)
        self._not_finite += found.not_finite

    def facts(self) -> dict[str, object]:
        """For ``Sink.facts``."""
        facts: dict[str, object] = {"records": self._records, "findings": self._findings}
        if self._not_finite:
            facts["warnings"] = [
                f"{self._not_finite} coordinates or scores were not finite; they are written as missing"
            ]
        return facts


class LabelFileSink:
    """One label file. A :class:`vidinfer.stages.Sink`; its thread rule holds."""

    needs_pictures = False

    def __init__(self, path: Path, name: str, writer: WriterFactory, *, overwrite: bool = False) -> None:
        """``name`` is that of the format; ``overwrite`` replaces a file of that path, at the end."""
        self._path = path
        self._name = name
        self._make_writer = writer
        self._overwrite = overwrite
        self._counts = Counts()
        self._layout: Layout | None = None
        self._file: PartialFile | None = None
        self._writer: LabelWriter | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The one file."""
        return (self._path,)

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        """Create the file under a temporary name.

        Raises:
            SinkError: not writable, there already, or a task without a record.
        """
        self._layout = layout_of(source, model)  # before there is a file to remove again
        self._file = PartialFile(self._path, overwrite=self._overwrite)
        try:
            self._writer = self._make_writer(self._file.file, source, model)
        except OSError as error:
            self._file.abort()
            raise output_error(self._path, error) from error

    def write(self, batch: LabelledBatch) -> None:
        """Append the records of ``batch``.

        Raises:
            SinkError: disk full, …
        """
        if self._layout is None:
            raise SinkError(f"{self._path} is written before it is opened")
        self.write_found(batch, find(batch, self._layout))

    def write_found(self, batch: LabelledBatch, found: Findings) -> None:
        """Append the records of ``batch``, whose findings are known: of its results only their number counts.

        Raises:
            SinkError: disk full, …
        """
        if self._writer is None:
            raise SinkError(f"{self._path} is written before it is opened")
        try:
            self._writer.write(batch, found)
        except SinkError:
            raise
        except OSError as error:
            raise output_error(self._path, error) from error
        self._counts.add(batch, found)

    def close(self) -> None:
        """Finish the file and give it its final name.

        Raises:
            SinkError: disk full, …; ``abort`` must follow.
        """
        if self._file is None or self._writer is None:
            return
        try:
            self._writer.finish()
        except OSError as error:
            raise output_error(self._path, error, "finish") from error
        self._file.commit()
        self._writer = None

    def abort(self) -> None:
        """Remove what was written."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.discard()
        if self._file is not None:
            self._file.abort()

    def facts(self) -> Mapping[str, object]:
        """Records (frames and gaps) and findings written."""
        return {"format": self._name, **self._counts.facts()}


class LabelStreamSink:
    """Records on standard output as they are made, for pipes. A :class:`vidinfer.stages.InterruptibleSink`.

    Several streams may share standard output, each with a sink of its own: lines are whole, whoever writes.

    A reader that goes away (``| head``) is no fault: ``on_reader_gone`` is called once, on the writing thread, and
    what comes after is left out. A reader that stops reading makes ``write`` wait, until ``interrupt``.

    Thread rule: as every sink; ``interrupt`` from any.
    """

    needs_pictures = False
    paths: tuple[Path, ...] = ()

    def __init__(
        self,
        name: str,
        writer: WriterFactory,
        *,
        stream: BinaryIO | SharedStream | None = None,
        on_reader_gone: Callable[[], None] | None = None,
    ) -> None:
        """``stream`` is standard output unless given, or what several sinks share; it stays open."""
        self._name = name
        self._make_writer = writer
        stream = sys.stdout.buffer if stream is None else stream
        self._stream = stream if isinstance(stream, SharedStream) else SharedStream(stream)
        self._on_reader_gone = on_reader_gone
        self._counts = Counts()
        self._layout: Layout | None = None
        self._writer: LabelWriter | None = None
        self._text = BytesIO()
        self._interrupted = threading.Event()
        self._gone = False

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        """Begin; nothing is written yet. May be called again when a stream has another size.

        Raises:
            SinkError: a task without a record.
        """
        self._layout = layout_of(source, model)
        self._writer = self._make_writer(self._text, source, model)

    def write(self, batch: LabelledBatch) -> None:
        """Write the records of ``batch`` and flush them; waits for the reader.

        Raises:
            SinkError: the other end of standard output is a full disk or the like, or ``interrupt`` was called. Records
                may be lost then, and the next write goes on with a new line.
        """
        if self._writer is None or self._layout is None:
            raise SinkError("standard output is written before it is opened")
        if self._gone:
            return
        found = find(batch, self._layout)
        try:
            self._writer.write(batch, found)
            self._stream.write(self._text.getvalue(), self._interrupted.is_set)
        except BrokenPipeError:
            self._gone = True
            if self._on_reader_gone is not None:
                self._on_reader_gone()
        except SinkError:
            raise
        except OSError as error:
            raise output_error(Path("standard output"), error) from error
        else:
            self._counts.add(batch, found)
        finally:
            self._text.seek(0)
            self._text.truncate()

    def interrupt(self) -> None:
        """Make a write that waits for its reader raise, and every later one that would wait. Idempotent; any thread."""
        self._interrupted.set()

    def close(self) -> None:
        """End; the stream stays open."""
        self._writer = None

    def abort(self) -> None:
        """End; what was written cannot be taken back."""
        self._writer = None

    def facts(self) -> Mapping[str, object]:
        """Records (frames and gaps) and findings written, and whether the reader went away."""
        return {"format": self._name, **self._counts.facts(), "reader_gone": self._gone}
