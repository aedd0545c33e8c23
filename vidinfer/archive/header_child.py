"""A process that reads headers and packets: a request a line comes in, an answer goes out. A file may crash it."""

from __future__ import annotations

import json
import sys
from dataclasses import astuple
from pathlib import Path

from vidinfer.errors import SourceError
from vidinfer.source import split
from vidinfer.source.header import read_header

__all__ = ["main"]


def main() -> None:
    """Say ``null`` once ready, then answer until standard input ends. Names travel with their odd bytes escaped.

    Requests are ``[path]`` for the headers, ``[path, frames]`` for parts of about so many frames.
    """
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever else is printed is no answer
    answers.write("null\n")
    answers.flush()
    while line := sys.stdin.readline():
        path, *frames = json.loads(line)
        answer = _parts(Path(path), *frames) if frames else astuple(read_header(Path(path)))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _parts(path: Path, frames: int) -> object:
    try:
        return [astuple(part) for part in split(path, frames).parts]
    except SourceError as error:
        return str(error)
