"""Pictures of the strongest findings, decoded again by a process of its own: a file that crashes it costs a picture."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from vidinfer.errors import SourceError
from vidinfer.source.still import still

__all__ = ["Stills", "Wanted", "take_stills"]

Wanted = tuple[Path, int]
"""A file, and the ``pts`` of a frame."""
Stills = Callable[[Sequence[Wanted], int], list[bytes | None]]
"""JPEGs of frames, at most so many pixels wide; ``None`` where there is no picture."""

PATIENCE = 20.0
"""Seconds for a picture."""
LOST = 3
"""Pictures on which a process may end before the rest is done without."""


def take_stills(wanted: Sequence[Wanted], width: int) -> list[bytes | None]:
    """One for each; ``None`` for those that could not be made."""
    found: list[bytes | None] = []
    for _ in range(LOST):
        if len(found) == len(wanted):
            break
        found += _taken(wanted[len(found) :], width)
        if len(found) < len(wanted):
            found.append(None)  # that which it ended on
    return found + [None] * (len(wanted) - len(found))


def _taken(wanted: Sequence[Wanted], width: int) -> list[bytes | None]:
    """Those that one process gave before it ended, crashed or hung."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_take, args=(theirs, list(wanted), width), daemon=True)
    process.start()
    theirs.close()
    found: list[bytes | None] = []
    try:
        while len(found) < len(wanted) and ours.poll(PATIENCE):
            found.append(ours.recv())
    except (EOFError, OSError):
        return found
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()
    return found


def _take(pipe: Connection, wanted: Sequence[Wanted], width: int) -> None:
    """What the process does."""
    for path, pts in wanted:
        try:
            picture = still(path, pts, width)
        except SourceError:
            picture = None
        try:
            pipe.send(picture)
        except OSError:
            return  # nobody wants it any more
