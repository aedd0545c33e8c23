"""From files to units: each file fingerprinted, cut, and its units named."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidinfer.archive.fingerprint import fingerprint
from vidinfer.archive.recipe import digest
from vidinfer.archive.unit import WHOLE, Interval, Unit, unit_id
from vidinfer.errors import SourceError
from vidinfer.outputs import OutputNames
from vidinfer.source import SourceFile

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
    intervals: tuple[Interval, ...] = (WHOLE,)
    """Tile the whole file, in order."""
    seconds: float = 0.0
    """Of video, as claimed; 0: unknown."""
    frames: int = 0
    """As claimed; 0: unknown."""
    codec: str = ""
    """Empty: unknown."""
    width: int = 0
    height: int = 0
    """Pixels; 0: unknown."""

    @property
    def kind(self) -> str:
        """Files of the same kind cost the same for each frame; empty: unknown."""
        return f"{self.codec} {self.width}x{self.height}" if self.codec and self.width else ""


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """A file and the units that its labels are made of."""

    file: SurveyedFile
    names: OutputNames
    units: tuple[Unit, ...]
    digest: str
    """Of all that its outputs depend on: equal digests, equal outputs."""


def survey_file(source: SourceFile) -> SurveyedFile:
    """Look at a file.

    Raises:
        SourceError: it cannot be read, or changes while it is.
    """
    before = _stat(source.path)
    content = fingerprint(source.path)
    after = _stat(source.path)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise SourceError(f"{source.path}: is being written to; run again when it is complete")
    return SurveyedFile(str(source.name), source.path, before.st_size, before.st_mtime_ns, content)


def plan_source(file: SurveyedFile, names: OutputNames, recipe: str, formats: Sequence[str]) -> PlannedSource:
    """Name its units.

    Args:
        file: as surveyed.
        names: of its outputs.
        recipe: the digest of all that labels depend on besides the content.
        formats: of the label files.
    """
    share = 1 / len(file.intervals)
    units = tuple(
        Unit(
            unit_id(file.fingerprint, interval, recipe),
            file.path,
            file.size,
            file.modified,
            interval,
            round(file.frames * share),
            file.seconds * share,
            file.kind,
            file.width * file.height,
        )
        for interval in file.intervals
    )
    facts = {"name": file.name, "units": [unit.id for unit in units], "formats": list(formats)}
    return PlannedSource(file, names, units, digest(facts))


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; check the file and its permissions") from error
