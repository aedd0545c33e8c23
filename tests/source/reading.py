"""Read a whole source, and what its pictures say of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.media import read_number
from vidinfer.frame import Frame, Gap, SourceInfo
from vidinfer.source import open_source

__all__ = ["UNREADABLE", "Reading", "read"]

UNREADABLE = -1


@dataclass(frozen=True)
class Reading:
    """Everything that came out of a file."""

    info: SourceInfo
    items: list[Frame | Gap]
    facts: dict[str, object]

    @property
    def frames(self) -> list[Frame]:
        return [item for item in self.items if isinstance(item, Frame)]

    @property
    def gaps(self) -> list[Gap]:
        return [item for item in self.items if isinstance(item, Gap)]

    @property
    def pts(self) -> list[int | None]:
        return [frame.stamp.pts for frame in self.frames]

    @property
    def numbers(self) -> list[int]:
        """The numbers drawn into the pictures."""
        return [_number(frame) for frame in self.frames]

    @property
    def lost(self) -> int:
        return sum(gap.packets for gap in self.gaps)


def read(path: Path, *, threads: int = 2) -> Reading:
    """Open ``path`` and read it to its end."""
    source = open_source(path, name=path.name, threads=threads)
    try:
        items = list(source)
        return Reading(source.info, items, source.facts())
    finally:
        source.close()


def _number(frame: Frame) -> int:
    try:
        return read_number(frame.picture.rgb())
    except ValueError:
        return UNREADABLE
