"""What a survey comes to, in sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from vidinfer.archive.survey import Surveyed

__all__ = ["Format", "Sums", "Totals", "totals_of"]

KINDS = ("video", "image", "duplicate", "foreign", "broken")


@dataclass(slots=True)
class Sums:
    """Of some files."""

    files: int = 0
    bytes: int = 0
    seconds: float = 0.0
    frames: int = 0
    """As claimed, or by duration and rate where nothing is claimed."""
    frames_unknown: int = 0
    """Files whose headers tell neither; they are not in ``frames``."""

    def add(self, file: Surveyed) -> None:
        """Count one more."""
        self.files += 1
        self.bytes += file.size
        self.seconds += file.duration or 0.0
        self.frames += file.frames_expected or 0
        self.frames_unknown += file.frames_expected is None

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON; hours instead of seconds."""
        return {
            "files": self.files,
            "bytes": self.bytes,
            "hours": self.seconds / 3600,
            "frames": self.frames,
            "files_without_frame_count": self.frames_unknown,
        }


class Format(NamedTuple):
    """What decides how fast a file can be decoded."""

    codec: str
    width: int
    height: int
    rate: float | None
    """Frames a second, to two digits."""


@dataclass(slots=True)
class Totals:
    """Sums by kind, and by format of what can be labelled."""

    kinds: dict[str, Sums] = field(default_factory=lambda: {kind: Sums() for kind in KINDS})
    usable: Sums = field(default_factory=Sums)
    """Videos and images: what a run labels, each content once."""
    formats: dict[Format, Sums] = field(default_factory=lambda: defaultdict(Sums))

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON; formats by their hours, the longest first."""
        return {
            "kinds": {kind: sums.as_dict() for kind, sums in self.kinds.items()},
            "usable": self.usable.as_dict(),
            "formats": [one._asdict() | sums.as_dict() for one, sums in self.by_length()],
        }

    def by_length(self) -> list[tuple[Format, Sums]]:
        """Formats, those with most hours first."""
        return sorted(
            self.formats.items(), key=lambda item: (-item[1].seconds, -item[1].files, item[0].codec)
        )


def totals_of(files: Sequence[Surveyed]) -> Totals:
    """Sum up."""
    totals = Totals()
    for file in files:
        totals.kinds[file.kind].add(file)
        if file.usable:
            totals.usable.add(file)
            rate = None if file.rate is None else round(float(file.rate), 2)
            totals.formats[Format(file.codec or "?", file.width or 0, file.height or 0, rate)].add(file)
    return totals
