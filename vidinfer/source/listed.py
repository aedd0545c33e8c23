"""File lists: ``@list.txt`` and ``@-``, one source a line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vidinfer.address import at_home
from vidinfer.errors import SourceError, UsageError

__all__ = ["Line", "read_list"]

_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One source of a list."""

    number: int
    """From 1."""
    source: str
    """As written."""


def read_list(spec: str) -> tuple[list[Line], Path]:
    """The sources of ``@FILE``, or of ``@-`` from standard input, and the folder that they are relative to.

    A source a line; empty lines and those that begin with ``#`` are none, spaces around one are not part of it. A list
    that holds a NUL byte is divided by those alone (``find -print0``), and everything in it is taken as it is.

    Raises:
        SourceError: the list cannot be read, or names nothing.
        UsageError: ``@-`` at a terminal, or ``@`` alone.
    """
    name = spec[1:]
    if not name:
        raise UsageError("@: expected @FILE, a list of sources, or @- for a list on standard input")
    data, folder = (_standard_input(), Path()) if name == "-" else _file(at_home(name))
    lines = list(_lines(data))
    if not lines:
        raise SourceError(f"{spec}: an empty list; expected one source a line")
    return lines, folder


def _standard_input() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "@-: expected a list on standard input, as in `find archive -name '*.mp4' | vidinfer @-`"
        )
    return sys.stdin.buffer.read()


def _file(path: Path) -> tuple[bytes, Path]:
    try:
        return path.read_bytes(), path.parent
    except OSError as error:
        raise SourceError(f"@{path}: {error.strerror}; expected a list of sources, one a line") from None


def _lines(data: bytes) -> Iterator[Line]:
    data = data.removeprefix(_BOM)
    if b"\0" in data:
        for number, entry in enumerate(data.split(b"\0"), 1):
            if entry:
                yield Line(number, os.fsdecode(entry))
        return
    for number, line in enumerate(data.splitlines(), 1):
        text = os.fsdecode(line.strip())
        if text and not text.startswith("#"):
            yield Line(number, text)
