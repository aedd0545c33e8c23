"""From files to units: each file fingerprinted, cut, and its units named."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidinfer.archive.fingerprint import fingerprint
from vidinfer.archive.recipe import digest
from vidinfer.archive.unit import WHOLE, Unit, unit_id
from vidinfer.errors import SourceError
from vidinfer.outputs import OutputNames
from vidinfer.source import Part, SourceFile, split

SPLIT_BYTES = 1 << 20
"""Smaller files are a minute of work at most, and looking at each of their packets is not worth while."""

__all__ = ["PlannedSource", "SurveyedFile", "plan_source", "survey_file"]


@dataclass(frozen=True, slots=True)
class SurveyedFile:
    """A file as it was found when the run began."""

    name: str
    """In records and outputs."""
    path: Path
    size: int
    modified: int
    """Nanoseconds."""
    fingerprint: str
    parts: tuple[Part, ...] = (WHOLE,)
    """Tile the whole file, in order."""
    seconds: float = 0.0
    """Of video, as claimed; 0: unknown."""
    frames: int = 0
    """As claimed; 0: unknown."""


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """A file and the units that its labels are made of."""

    file: SurveyedFile
    names: OutputNames
    units: tuple[Unit, ...]
    digest: str
    """Of all that its outputs depend on: equal digests, equal outputs."""


def survey_file(source: SourceFile, unit_frames: int | None) -> SurveyedFile:
    """Look at a file, and split it into parts of about ``unit_frames`` frames; ``None``: do not.

    Raises:
        SourceError: it cannot be read, or changes while it is.
    """
    before = _stat(source.path)
    content = fingerprint(source.path)
    parts: tuple[Part, ...] = (WHOLE,)
    if unit_frames is not None and before.st_size >= SPLIT_BYTES:
        parts = split(source.path, unit_frames).parts
    after = _stat(source.path)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise SourceError(f"{source.path}: is being written to; run again when it is complete")
    return SurveyedFile(str(source.name), source.path, before.st_size, before.st_mtime_ns, content, parts)


def plan_source(file: SurveyedFile, names: OutputNames, recipe: str, formats: Sequence[str]) -> PlannedSource:
    """Name its units.

    Args:
        file: as surveyed.
        names: of its outputs.
        recipe: the digest of all that labels depend on besides the content.
        formats: of the label files.
    """
    units = tuple(
        Unit(
            unit_id(file.fingerprint, part, recipe),
            file.path,
            file.size,
            file.modified,
            part,
            part.frames or file.frames,
        )
        for part in file.parts
    )
    facts = {"name": file.name, "units": [unit.id for unit in units], "formats": list(formats)}
    return PlannedSource(file, names, units, digest(facts))


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; check the file and its permissions") from error
