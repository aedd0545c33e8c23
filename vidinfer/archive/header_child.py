"""A process that reads headers and packets: a request a line comes in, an answer goes out. A file may crash it."""

from __future__ import annotations

import json
import sys
from dataclasses import astuple
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidinfer.errors import SourceError
from vidinfer.sampling import Sampling
from vidinfer.source import split
from vidinfer.source.header import read_header

__all__ = ["main"]


def main() -> None:
    """Say ``null`` once ready, then answer until standard input ends. Names travel with their odd bytes escaped.

    Requests are ``[path]`` for the headers, ``[path, frames, sampling]`` for parts of which about so many frames are
    decoded; the sampling is ``[every, fps, keyframes]`` or ``null``.
    """
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever else is printed is no answer
    answers.write("null\n")
    answers.flush()
    while line := sys.stdin.readline():
        path, *how = json.loads(line)
        answer = _parts(Path(path), *how) if how else astuple(read_header(Path(path)))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _parts(path: Path, frames: int, chosen: list[Any] | None) -> object:
    sampling = None
    if chosen is not None:
        every, fps, keyframes = chosen
        sampling = Sampling(every, None if fps is None else Fraction(fps), keyframes)
    try:
        return [astuple(part) for part in split(path, frames, sampling).parts]
    except SourceError as error:
        return str(error)
