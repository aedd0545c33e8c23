"""From what the user typed (files, folders, globs) to a list of files and the names they get in the outputs."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from vidinfer.address import shown
from vidinfer.errors import SourceError, UsageError

__all__ = ["Expanded", "SourceFile", "expand_sources", "named_apart"]

# What counts as media inside a folder; a file that is named outright is tried whatever its suffix.
_VIDEO = frozenset({
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".h264", ".h265", ".hevc", ".ivf",
    ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".obu",
    ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".y4m",
})  # fmt: skip
_IMAGE = frozenset([".avif", ".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"])
_MEDIA = _VIDEO | _IMAGE
_LIVE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://|camera:\d*$|/dev/video\d+$|-$")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to label."""

    path: Path
    name: PurePosixPath
    """Relative: the path below the folder that was asked for, or the file's own name. Outputs mirror it."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """What the specifications come to."""

    files: tuple[SourceFile, ...]
    """In the order asked for, sorted within a folder or glob, each file once."""
    errors: tuple[tuple[str, SourceError], ...]
    """Specifications that came to nothing, and why; the files are good all the same."""


def expand_sources(specs: Sequence[str]) -> Expanded:
    """Resolve files, folders and globs.

    Folders are searched through all their subfolders for media by suffix, hidden ones left out; a glob may hold
    ``*``, ``?``, ``[...]`` and ``**``. Where two files would get the same name, folders are put in front of it.

    Raises:
        UsageError: a network address, a camera or stdin; this version reads files only.
    """
    found: dict[Path, SourceFile] = {}
    errors: list[tuple[str, SourceError]] = []
    for spec in specs:
        if _LIVE.match(spec):
            raise UsageError(
                f"{shown(spec)}: live streams are not in this version; give a file, a folder or a glob"
            )
        try:
            for file in _expand(spec):
                found.setdefault(file.path.resolve(), file)
        except SourceError as error:
            errors.append((spec, error))
    return Expanded(named_apart(list(found.values())), tuple(errors))


def _expand(spec: str) -> list[SourceFile]:
    path = Path(spec).expanduser()
    try:
        if path.is_dir():
            return _in_folder(path)
        if path.exists():
            return [SourceFile(path, PurePosixPath(path.name))]
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{spec}: {error.strerror}; check the path and its permissions") from None
    if glob.has_magic(spec):
        return _matching(path)
    raise SourceError(f"{spec}: no such file; check the name")


def _in_folder(folder: Path) -> list[SourceFile]:
    denied: list[OSError] = []
    files: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=denied.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files.extend(
            Path(root, name) for name in names if _is_media(name) and not _is_output(Path(root, name))
        )
    if not files and denied:
        raise SourceError(
            f"{folder}: no permission to look into it; allow it with chmod, or run as its owner"
        )
    if not files:
        raise SourceError(f"{folder}: a folder without media; give one that holds videos or images")
    return [SourceFile(file, PurePosixPath(file.relative_to(folder).as_posix())) for file in sorted(files)]


def _matching(pattern: Path) -> list[SourceFile]:
    # Names are relative to the deepest folder that the pattern spells out.
    fixed = next(parent for parent in pattern.parents if not glob.has_magic(str(parent)))
    files = [Path(match) for match in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207 - Path.glob refuses absolute patterns
    # A star takes everything along; what was not spelled out must at least look like media.
    files = sorted(f for f in files if f.is_file() and _is_media(f.name) and not _is_output(f))
    if not files:
        raise SourceError(f"{pattern}: no media file matches; check the pattern")
    return [SourceFile(file, PurePosixPath(file.relative_to(fixed).as_posix())) for file in files]


def _is_media(name: str) -> bool:
    return not name.startswith(".") and PurePosixPath(name).suffix.lower() in _MEDIA


def _is_output(path: Path) -> bool:
    """An overlaid video of an earlier run that wrote into this very folder: labelling it again helps nobody."""
    stem = path.name.removesuffix(".annotated.mp4")
    return stem != path.name and path.with_name(f"{stem}.run.json").exists()


def named_apart(files: list[SourceFile]) -> tuple[SourceFile, ...]:
    """Put as many of its folders in front of a name as it takes to make it differ from all others."""
    counts = Counter(file.name for file in files)
    taken = {name for name, count in counts.items() if count == 1}
    named = []
    for file in files:
        if counts[file.name] > 1:
            parts = file.path.resolve().parts[1:]
            for length in range(len(file.name.parts) + 1, len(parts) + 1):
                longer = PurePosixPath(*parts[-length:])
                if longer not in taken and _differs(longer, file, files):
                    file = replace(file, name=longer)
                    break
            taken.add(file.name)
        named.append(file)
    return tuple(named)


def _differs(name: PurePosixPath, file: SourceFile, files: list[SourceFile]) -> bool:
    """No other file's path ends like ``name``."""
    size = len(name.parts)
    return all(other is file or other.path.resolve().parts[-size:] != name.parts for other in files)
