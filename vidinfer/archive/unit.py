"""The unit of work: a stretch of one file, named by all that its labels depend on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidinfer.archive.recipe import digest
from vidinfer.archive.stamp import same_stamp, stamp_of
from vidinfer.source import WHOLE, Part
from vidinfer.storage import Location, RemoteFile

__all__ = ["WHOLE", "State", "Unit", "same_state", "state_of", "unit_id"]

State = tuple[int, str]
"""Bytes, and what changes when somebody writes to the file."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What one process labels in one go and commits as one file.

    Equal names mean equal labels: the name is a hash of the content, the stretch and the recipe, not of the file's
    own name or place, so a file that is moved is not labelled again, and one that is there twice is labelled once.
    """

    id: str
    path: Location
    """Where the content is now."""
    state: State
    """Of the file when its content was fingerprinted: another one now, and the plan does not hold."""
    part: Part = WHOLE
    frames: int = 0
    """About how many, for progress; 0: unknown."""
    weight: float = 0.0
    """About how much work, in seconds of video."""
    kind: str = ""
    """Files of the same kind cost the same for each frame: codec and size; empty: unknown."""
    pixels: int = 0
    """Of a picture; 0: unknown."""


def unit_id(fingerprint: str, part: Part, recipe: str) -> str:
    """32 hexadecimal digits.

    Args:
        fingerprint: of the file's content.
        part: of its video stream.
        recipe: the digest of all else.
    """
    return digest({"content": fingerprint, "start": part.start, "end": part.end, "recipe": recipe})


def state_of(path: Location, stopped: Callable[[], bool] | None = None) -> State:
    """As it is now.

    Args:
        path: of the file, folder or object.
        stopped: ends the wait for a store.

    Raises:
        Interrupted: ``stopped()`` became true.
        SourceError: an object that is gone, or whose store does not answer.
        OSError: a file that is gone, or may not be read.
    """
    if isinstance(path, RemoteFile):
        found = path.stat_now(stopped)
        return found.st_size, found.tag
    if path.is_dir():
        return _of_folder(path)
    status = path.stat()
    return status.st_size, stamp_of([status])


def same_state(one: State, other: State) -> bool:
    """Nobody wrote to the file in between."""
    return one[0] == other[0] and same_stamp(one[1], other[1])


def _of_folder(folder: Path) -> State:
    """Of a folder of images."""
    statuses = [one.stat() for one in sorted(folder.iterdir()) if one.is_file()]
    return sum(status.st_size for status in statuses), stamp_of(statuses)
