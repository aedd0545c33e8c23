"""The unit of work: a stretch of one file, named by all that its labels depend on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidinfer.archive.recipe import digest
from vidinfer.source import Part

__all__ = ["WHOLE", "Unit", "unit_id"]

WHOLE = Part(None, None)


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
    part: Part = WHOLE
    frames: int = 0
    """About how many, for progress; 0: unknown."""


def unit_id(fingerprint: str, part: Part, recipe: str) -> str:
    """32 hexadecimal digits.

    Args:
        fingerprint: of the file's content.
        part: of its video stream.
        recipe: the digest of all else.
    """
    return digest({"content": fingerprint, "start": part.start, "end": part.end, "recipe": recipe})
