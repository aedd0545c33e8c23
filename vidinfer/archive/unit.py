"""The unit of work: a stretch of one file, named by all that its labels depend on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidinfer.archive.recipe import digest

__all__ = ["Interval", "Unit", "unit_id"]


@dataclass(frozen=True, slots=True)
class Interval:
    """Half-open, in units of the stream's time base; ``None``: open to that side."""

    start: int | None = None
    end: int | None = None


WHOLE = Interval()


@dataclass(frozen=True, slots=True)
class Unit:
    """What one process labels in one go and commits as one file.

    Equal names mean equal labels: the name is a hash of the content, the stretch and the recipe, not of the file's
    own name or place, so a file that is moved is not labelled again, and one that is there twice is labelled once.
    """

    id: str
    path: Path
    """Where the content is now."""
    size: int
    """Bytes of the file, and"""
    modified: int
    """its time in nanoseconds when the content was fingerprinted: another one now, and the plan does not hold."""
    interval: Interval = WHOLE
    frames: int = 0
    """About how many, for progress; 0: unknown."""
    weight: float = 0.0
    """About how much work, in seconds of video."""
    kind: str = ""
    """Files of the same kind cost the same for each frame: codec and size; empty: unknown."""
    pixels: int = 0
    """Of a picture; 0: unknown."""


def unit_id(fingerprint: str, interval: Interval, recipe: str) -> str:
    """32 hexadecimal digits.

    Args:
        fingerprint: of the file's content.
        interval: of its first video stream.
        recipe: the digest of all else.
    """
    return digest({"content": fingerprint, "start": interval.start, "end": interval.end, "recipe": recipe})
