"""Tries of units, written down before each is begun: what crashes a process leaves a trace, whatever it takes with it.

A line for each event, appended and synced. A torn last line is that of a run that was killed while it wrote it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vidinfer.archive.document import read_line
from vidinfer.sink.atomic import output_error

__all__ = ["Journal", "Quarantine", "Quarantined", "read_quarantine"]


class Journal:
    """How often each unit was begun and how that ended. Thread rule: one thread.

    A try that never ended is that of a run which was killed, and says nothing against the unit: such tries are counted
    apart, as ``open``.
    """

    def __init__(self, path: Path) -> None:
        """Read what there is, and begin to append.

        Raises:
            SinkError: not writable.
        """
        self._path = path
        self._failed: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        for line in _lines(path):
            self._count(line)
        self._file = _append(path)

    def begin(self, *units: str) -> None:
        """Durable before it returns; of several units at once in one go, as it is the disk that takes long.

        Raises:
            SinkError: the disk is full.
        """
        for number, unit in enumerate(units, 1):
            self._write({"try": unit}, sync=number == len(units))

    def failed(self, unit: str, reason: str) -> int:
        """The try ended badly through the unit. Returns how many did."""
        self._write({"failed": unit, "reason": reason}, sync=True)
        return self._failed[unit]

    def done(self, unit: str) -> None:
        """The try ended well, or nobody is to blame."""
        self._write({"done": unit}, sync=False)

    def forgive(self, unit: str) -> None:
        """What was counted does not count any more."""
        self._write({"forgiven": unit}, sync=True)

    def failures(self, unit: str) -> int:
        """Tries that ended badly."""
        return self._failed[unit]

    def open_tries(self, unit: str) -> int:
        """Tries whose end nobody saw."""
        return self._open[unit]

    def close(self) -> None:
        """Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, line: dict[str, object], *, sync: bool) -> None:
        try:
            _write_line(self._file, line, sync=sync)
        except OSError as error:
            raise output_error(self._path, error) from error
        self._count(line)

    def _count(self, line: dict[str, Any]) -> None:
        kind, unit = next(
            ((k, line[k]) for k in ("try", "failed", "done", "forgiven") if k in line), ("", "")
        )
        if not isinstance(unit, str):
            return  # no line of ours
        if kind == "try":
            self._open[unit] += 1
        elif kind == "failed":
            self._open[unit] -= 1
            self._failed[unit] += 1
        elif kind == "done":
            self._open.pop(unit, None)  # nothing is kept of what went well
            self._failed.pop(unit, None)
        elif kind == "forgiven":
            self._failed.pop(unit, None)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A unit that was given up."""

    unit: str
    source: str
    reason: str
    tries: int
    log: str = ""
    """The last that its process said."""
    passing: bool = False
    """Its file is not the one any more that was planned, or its store fails: this run makes nothing of the file."""


class Quarantine:
    """Units that are not tried again until somebody asks for it. Thread rule: one thread."""

    def __init__(self, path: Path) -> None:
        """Read what there is.

        Raises:
            SinkError: not writable.
        """
        self._path = path
        self._held = read_quarantine(path)
        self._file = _append(path)

    def __iter__(self) -> Iterator[Quarantined]:
        return iter(self._held.values())

    def get(self, unit: str) -> Quarantined | None:
        """Why it is held; ``None``: it is not."""
        return self._held.get(unit)

    def hold(self, one: Quarantined) -> None:
        """Durable before it returns.

        Raises:
            SinkError: the disk is full.
        """
        self._write(asdict(one))
        self._held[one.unit] = one

    def release(self, unit: str) -> None:
        """It may be tried again."""
        self._write({"released": unit})
        self._held.pop(unit, None)

    def close(self) -> None:
        """Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, line: dict[str, object]) -> None:
        try:
            _write_line(self._file, line, sync=True)
        except OSError as error:
            raise output_error(self._path, error) from error


_TYPES = {"unit": str, "source": str, "reason": str, "tries": int}


def read_quarantine(path: Path) -> dict[str, Quarantined]:
    """What is held, by unit; nothing where there is no file."""
    held: dict[str, Quarantined] = {}
    fields = Quarantined.__dataclass_fields__
    for line in _lines(path):
        if "released" in line:
            held.pop(str(line["released"]), None)
        elif all(isinstance(line.get(name), kind) for name, kind in _TYPES.items()):
            one = Quarantined(**{k: v for k, v in line.items() if k in fields})
            held[one.unit] = one
    return held


def _append(path: Path) -> int:
    """Open for appending; after a torn last line on a new one."""
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            os.write(file, b"\n")
    except OSError as error:
        raise output_error(path, error, "create") from error
    return file


def _write_line(file: int, line: dict[str, object], *, sync: bool) -> None:
    data = (json.dumps(line) + "\n").encode()
    written = os.write(file, data)
    if written < len(data):  # a full disk took a part: the next line begins anew
        os.write(file, data[written:])
    if sync:
        os.fdatasync(file)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Those that are whole.

    Raises:
        SinkError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield from filter(None, map(read_line, file))
    except FileNotFoundError:
        return
    except OSError as error:
        raise output_error(path, error, "read") from error
