"""A process that reads headers and packets: a request a line comes in, an answer goes out. A file may crash it."""

from __future__ import annotations

import json
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

from vidinfer.archive.header_lines import part_told, sampling_of
from vidinfer.errors import SourceError
from vidinfer.source import split
from vidinfer.source.header import read_header
from vidinfer.storage import Location, locate

__all__ = ["main"]


def main() -> None:
    """Say ``null`` once ready, then answer until standard input ends. Names travel with their odd bytes escaped.

    Requests are ``[path]`` for the headers, ``[path, frames, sampling]`` for parts of which about so many frames are
    decoded; the sampling is as :func:`sampling_told` tells it, or ``null``.
    """
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever else is printed is no answer
    answers.write("null\n")
    answers.flush()
    while line := sys.stdin.readline():
        path, *how = json.loads(line)
        answer = _parts(locate(path), *how) if how else astuple(read_header(Path(path)))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _parts(path: Location, frames: int, chosen: list[Any] | None) -> object:
    sampling = None if chosen is None else sampling_of(chosen)
    try:
        return [part_told(part) for part in split(path, frames, sampling).parts]
    except SourceError as error:
        return str(error)
