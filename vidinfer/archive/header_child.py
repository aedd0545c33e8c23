"""A process that reads headers: a path a line comes in, what its headers say goes out. A file may crash it."""

from __future__ import annotations

import json
import sys
from dataclasses import astuple
from pathlib import Path

from vidinfer.source.header import read_header

__all__ = ["main"]


def main() -> None:
    """Say ``null`` once ready, then answer until standard input ends. Names travel with their odd bytes escaped."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever else is printed is no answer
    answers.write("null\n")
    answers.flush()
    while line := sys.stdin.readline():
        answers.write(json.dumps(astuple(read_header(Path(json.loads(line))))) + "\n")
        answers.flush()
