"""The labels of a live stream, in files that follow one another and can be read while they grow."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from vidinfer.clock import unix_now
from vidinfer.detections import Results
from vidinfer.errors import SinkError
from vidinfer.frame import SourceInfo
from vidinfer.record import Entry, LabelledBatch
from vidinfer.sink.findings import Findings, Layout, find, layout_of
from vidinfer.sink.labels import Counts, LabelWriter, WriterFactory
from vidinfer.sink.periods import Periods
from vidinfer.sink.piece import Piece
from vidinfer.sink.series import Keep, Series
from vidinfer.stages import ModelInfo

__all__ = ["RotatingLabels", "whole_lines"]

HOUR = 3600.0
SIZE = 256 << 20
_BLOCK = 1 << 16


class RotatingLabels:
    """``NAME.20261125T101500Z.labels.jsonl`` and so on, see :mod:`vidinfer.sink.series`. A ``Sink``.

    A file ends at a round time of the wall clock, or once it is larger than so many bytes (by one batch at most).
    While it grows it has the temporary name of :mod:`vidinfer.sink.atomic`, and holds whole lines only: each batch is
    handed to the system before ``write`` returns.

    Where a ``write`` fails, the records of that batch that are not in a file yet are lost and counted (``lost`` in
    ``facts``), the file is cut back to its last whole line, and the next ``write`` tries again: once there is room,
    it goes on in the same file. ``open`` may be called again when the stream has another size: a new file begins.
    ``abort`` keeps what was written.

    Thread rule: as every sink.
    """

    needs_pictures = False
    paths: tuple[Path, ...] = ()
    """Not known beforehand: they are named by the time of their first record."""

    def __init__(
        self,
        folder: Path,
        name: str,
        form: str,
        writer: WriterFactory,
        *,
        seconds: float | None = HOUR,
        nbytes: int | None = SIZE,
        keep: Keep | None = None,
        wall: Callable[[], float] = unix_now,
    ) -> None:
        """Nothing is done yet.

        Args:
            folder: where the files go.
            name: of the stream, without a slash.
            form: the format, for names: ``jsonl``, or another whose files are lines and need no end.
            writer: of that format.
            seconds: of wall time from one file to the next, aligned to its multiples; ``None``: no limit.
            nbytes: of one file; ``None``: no limit.
            keep: when files are removed; ``None``: never.
            wall: the wall clock in Unix seconds, for records that do not say when they came.

        Raises:
            SinkError: a name that no file can have.
        """
        self._series = Series(folder, name, f".labels.{form}", mend=whole_lines, keep=keep)
        self._form, self._make_writer, self._nbytes, self._wall = form, writer, nbytes, wall
        self._periods = Periods(seconds)
        self._counts = Counts()
        self._lost = 0
        self._source: SourceInfo | None = None
        self._model: ModelInfo | None = None
        self._layout: Layout | None = None
        self._piece: Piece | None = None
        self._text = BytesIO()
        self._head = b""
        self._writer: LabelWriter | None = None

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        """Give leftovers of a killed run their names; a file begins with the first record. May be called again.

        Raises:
            SinkError: not writable, or a task without a record.
        """
        self._layout = layout_of(source, model)
        self._source, self._model = source, model
        self._finish()
        self._series.open()

    def write(self, batch: LabelledBatch) -> None:
        """Append the records of ``batch``; they are with the system when this returns.

        Raises:
            SinkError: disk full, …; what is not written is lost, see the class.
        """
        if self._layout is None:
            raise SinkError("labels of a live stream are written before they are opened")
        left = len(batch.entries)
        part: list[Entry] = []
        try:
            found = find(batch, self._layout)
            for entry in batch.entries:
                wall = self._time(entry)
                if self._piece is None or self._periods.over(wall):
                    left -= self._append(part, batch.results, found)
                    part = []
                    self._begin(wall)
                part.append(entry)
            left -= self._append(part, batch.results, found)
        except BaseException:
            self._lost += left
            raise
        self._counts.add_findings(found)

    def close(self) -> None:
        """Give the open file its final name, once the disk has it.

        Raises:
            SinkError: the disk fails, …; the file stays under its temporary name, for the next run to rescue.
        """
        self._layout = None
        self._finish()

    def abort(self) -> None:
        """Give the open file its final name without waiting for the disk; never raises."""
        self._layout = None
        with suppress(SinkError):
            self._finish(durable=False)

    def facts(self) -> Mapping[str, object]:
        """Records and findings written, records lost, and files by what became of them."""
        return {
            "format": self._form,
            **self._counts.facts(),
            "lost": self._lost,
            "files": {
                "completed": self._series.completed,
                "recovered": self._series.recovered,
                "removed": self._series.removed,
            },
        }

    def _time(self, entry: Entry) -> float:
        return self._wall() if entry.arrival is None else entry.arrival.wall

    def _begin(self, wall: float) -> None:
        """End the open file and begin one with a record of ``wall``."""
        assert self._source is not None
        assert self._model is not None
        self._finish()
        self._piece = self._series.begin(wall)
        self._periods.begin(wall)
        self._writer = self._make_writer(self._text, self._source, self._model)
        self._head = self._take()

    def _append(self, entries: Sequence[Entry], results: Results, found: Findings) -> int:
        """Write records that belong into the open file; returns how many."""
        if not entries:
            return 0
        assert self._piece is not None
        assert self._writer is not None
        self._take()  # what a write that failed left
        self._writer.write(LabelledBatch(entries, results), found)
        try:
            self._piece.append((b"" if self._piece.size else self._head) + self._take())
        except SinkError:
            if self._piece.torn or not self._piece.size:
                self._let_go()
            raise
        self._counts.add_records(len(entries))
        if self._nbytes is not None and self._piece.size >= self._nbytes:
            self._finish()
        return len(entries)

    def _take(self) -> bytes:
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text

    def _finish(self, *, durable: bool = True) -> None:
        if self._piece is not None and not self._piece.size:
            self._let_go()
        piece, self._piece = self._piece, None
        if piece is not None:
            self._series.complete(piece, durable=durable)

    def _let_go(self) -> None:
        """Leave the open file as it is, for ``Series`` to rescue; without any record it goes."""
        piece, self._piece = self._piece, None
        if piece is None:
            return
        with suppress(OSError):
            if not piece.size:
                piece.path.unlink(missing_ok=True)
        self._series.leave(piece)


def whole_lines(path: Path) -> bool:
    """Cut the file at ``path`` after its last whole line; whether there is any.

    Raises:
        OSError: it cannot be read or cut.
    """
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(end - _BLOCK, 0)
            file.seek(begin)
            at = file.read(end - begin).rfind(b"\n")
            if at >= 0:
                file.truncate(begin + at + 1)
                return True
            end = begin
    return False
