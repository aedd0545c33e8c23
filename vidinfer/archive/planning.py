"""From files to units: each file fingerprinted, split, and its units named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vidinfer.archive.fingerprint import FingerprintMode, fingerprint
from vidinfer.archive.recipe import digest
from vidinfer.archive.survey import Surveyed
from vidinfer.archive.unit import WHOLE, State, Unit, same_state, state_of, unit_id
from vidinfer.errors import SourceError
from vidinfer.outputs import OutputNames
from vidinfer.source import Part
from vidinfer.storage import Location

__all__ = ["KnownFile", "PlannedSource", "Splitter", "identify", "plan_source"]

SPLIT_BYTES = 1 << 20
"""Smaller files are a minute of work at most, and looking at each of their packets is not worth while."""

Splitter = Callable[[Location], tuple[Part, ...]]


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as it was found when the run began."""

    name: str
    """In records and outputs."""
    path: Location
    state: State
    fingerprint: str
    parts: tuple[Part, ...] = (WHOLE,)
    """Tile the whole file, in order."""
    frames: int = 0
    """As claimed; 0: unknown."""
    seconds: float = 0.0
    """Of video, as claimed; 0: unknown."""
    codec: str | None = None
    size: tuple[int, int] | None = None
    """Width and height in pixels, as stored."""

    @property
    def kind(self) -> str:
        """Files of the same kind cost the same for each frame; empty: unknown."""
        return f"{self.codec} {self.size[0]}x{self.size[1]}" if self.codec and self.size else ""

    @property
    def pixels(self) -> int:
        """Of a picture; 0: unknown."""
        return self.size[0] * self.size[1] if self.size else 0


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """A file and the units that its labels are made of."""

    file: KnownFile
    names: OutputNames
    units: tuple[Unit, ...]
    digest: str
    """Of all that its outputs depend on: equal digests, equal outputs."""


def identify(
    found: Surveyed, splitter: Splitter | None, stopped: Callable[[], bool], mode: FingerprintMode = "auto"
) -> KnownFile:
    """Fingerprint a file, and split it where that pays.

    Args:
        found: its headers.
        splitter: from a file to its parts; ``None``: nothing is split.
        stopped: looked at now and then; true ends it.
        mode: of the fingerprint.

    Raises:
        SourceError: it cannot be read, or changes while it is.
        Interrupted: ``stopped()`` became true.
    """
    path = found.path
    before = _state(path, stopped)
    content = str(fingerprint(path, mode, stopped=stopped))
    parts: tuple[Part, ...] = (WHOLE,)
    if splitter is not None and not path.is_dir() and found.size >= SPLIT_BYTES:
        parts = splitter(path)
    if not same_state(_state(path, stopped), before):
        raise SourceError(f"{path}: is being written to; run again when it is complete")
    size = None if found.width is None or found.height is None else (found.width, found.height)
    return KnownFile(
        str(found.name),
        path,
        before,
        content,
        parts,
        found.frames_expected or 0,
        found.duration or 0.0,
        found.codec,
        size,
    )


def plan_source(file: KnownFile, names: OutputNames, recipe: str, formats: Sequence[str]) -> PlannedSource:
    """Name its units.

    Args:
        file: as identified.
        names: of its outputs.
        recipe: the digest of all that labels depend on besides the content.
        formats: of the label files.
    """
    units = tuple(
        Unit(
            unit_id(file.fingerprint, part, recipe),
            file.path,
            file.state,
            part,
            part.frames or file.frames,
            file.seconds / len(file.parts),
            file.kind,
            file.pixels,
        )
        for part in file.parts
    )
    facts = {"name": file.name, "units": [unit.id for unit in units], "formats": list(formats)}
    return PlannedSource(file, names, units, digest(facts))


def _state(path: Location, stopped: Callable[[], bool]) -> State:
    try:
        return state_of(path, stopped)
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; check the file and its permissions") from error
