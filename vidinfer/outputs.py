"""Names of the output files: mirrored from the sources, never colliding, never overwritten by accident."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vidinfer.errors import SinkError, UsageError

__all__ = ["OutputNames", "check_free", "check_writable", "name_outputs"]

_LONGEST = 235
"""Bytes of a name without what outputs, exports and unfinished files add to it: 255 is all that file systems take."""


@dataclass(frozen=True, slots=True)
class OutputNames:
    """Where the outputs of one source go."""

    labels: dict[str, Path]
    """By format."""
    video: Path | None
    class_maps: Path | None
    """A folder."""
    flow: Path | None
    """A folder."""
    report: Path | None
    """``None`` where nothing is written but standard output."""

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file, the report last: it is what says that the rest is complete."""
        rest = (self.video, self.class_maps, self.flow, self.report)
        return (*self.labels.values(), *(path for path in rest if path is not None))


def name_outputs(
    sources: Sequence[str],
    out: Path,
    formats: Sequence[str],
    *,
    video: bool,
    class_maps: bool = False,
    flow: bool = False,
) -> list[OutputNames]:
    """One set of names per source, in the same order.

    ``cam/clip.mp4`` becomes ``OUT/cam/clip.labels.jsonl`` and so on; sources that differ in their suffix only
    keep it (``clip.mp4.labels.jsonl``), and so does ``clip.mp4.mp4`` beside those. A name that would be too long
    for what is added to it is cut, and ends in a hash of the whole.

    Args:
        sources: relative names of the sources, ``/`` between folders; all different.
    """
    return [
        OutputNames(
            labels={f: out / f"{base}.labels.{f}" for f in formats},
            video=out / f"{base}.annotated.mp4" if video else None,
            class_maps=out / f"{base}.classmaps" if class_maps else None,
            flow=out / f"{base}.flow" if flow else None,
            report=out / f"{base}.run.json" if formats or video or class_maps or flow else None,
        )
        for base in _bases(sources)
    ]


def _bases(names: Sequence[str]) -> list[str]:
    """Names without their suffixes, but for those that would then be another's: all different."""
    bases = [str(PurePosixPath(name).with_suffix("")) for name in names]
    while True:
        counts = Counter(bases)
        kept = [name if counts[base] > 1 else base for name, base in zip(names, bases, strict=True)]
        if kept == bases:
            return [_short(base, name) for base, name in zip(bases, names, strict=True)]
        bases = kept


def _short(base: str, name: str) -> str:
    """``base``, its last part cut where it must be: ``name`` tells it from all others."""
    folder, slash, last = base.rpartition("/")
    if len(os.fsencode(last)) <= _LONGEST:
        return base
    mark = "~" + hashlib.blake2b(os.fsencode(name), digest_size=6).hexdigest()
    while len(os.fsencode(last)) > _LONGEST - len(mark):
        last = last[:-1]
    return f"{folder}{slash}{last}{mark}"


def check_writable(out: Path) -> None:
    """Find out before any work is done that ``out`` cannot be made or written.

    Raises:
        SinkError: names the folder that is in the way.
    """
    folder = out
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise SinkError(f"--out {out}: {folder} is a file, not a folder; choose another folder")
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise SinkError(
            f"--out {out}: {folder} is on a read-only file system; choose a folder on another one"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SinkError(f"--out {out}: no permission to write in {folder}; choose another folder")


def check_free(names: Sequence[OutputNames], others: Sequence[Path] = ()) -> None:
    """Refuse to run when an output is there already: of a source, or one of ``others``.

    Raises:
        UsageError: names the first file and how many more.
        SinkError: an output cannot be looked for.
    """
    everything = [*(path for one in names for path in one.all), *others]
    try:
        existing = [path for path in everything if path.exists()]
    except OSError as error:  # a path that the system does not take
        raise SinkError(f"{error.filename}: {error.strerror}; choose another --out") from error
    if existing:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise UsageError(
            f"output exists: {existing[0]}{more}; give --overwrite to replace it, --resume to keep finished "
            f"sources, or another --out"
        )
