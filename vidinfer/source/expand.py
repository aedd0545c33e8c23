"""From what the user typed (files, folders, globs, lists, object storage) to files and the names of their outputs."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path, PurePosixPath

from vidinfer.address import CAMERA, at_home, shown
from vidinfer.errors import SourceError, UsageError
from vidinfer.source.listed import read_list
from vidinfer.source.numbered import IMAGES, numbered
from vidinfer.storage import Location, RemoteFile, is_remote, list_remote

__all__ = ["Expanded", "SourceFile", "expand_sources", "named_apart"]

# What counts as media inside a folder; a file that is named outright is tried whatever its suffix.
_VIDEO = frozenset({
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".h264", ".h265", ".hevc", ".ivf",
    ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".obu",
    ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".y4m",
})  # fmt: skip
_MEDIA = _VIDEO | IMAGES
_LIVE = re.compile(rf"[a-zA-Z][a-zA-Z0-9+.-]+://|-$|{CAMERA.pattern}")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to label, or one folder of numbered images."""

    path: Location
    name: PurePosixPath
    """Relative: the path below the folder, prefix or list that was asked for, or the own name. Outputs mirror it."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """What the specifications come to."""

    files: tuple[SourceFile, ...]
    """In the order asked for, sorted within a folder or glob, each file once."""
    errors: tuple[tuple[str, SourceError], ...]
    """Specifications that came to nothing, and why; the files are good all the same."""


def expand_sources(specs: Sequence[str]) -> Expanded:
    """Resolve files, folders, globs, lists of these (``@FILE``, ``@-``), and the like in object storage.

    Folders are searched through all their subfolders for media by suffix, hidden ones left out; one that cannot be
    looked into is an error beside the files of the others. A folder that holds nothing but images whose names differ in
    one number is one source, a frame an image. A glob may hold ``*``, ``?``, ``[...]`` and ``**``. Where two files
    would get the same name, folders are put in front of it.

    Raises:
        UsageError: a network address, a camera or stdin, which are no files; an object store without its package.
    """
    found: dict[Location, SourceFile] = {}
    errors: list[tuple[str, SourceError]] = []
    resolved = cache(Path.resolve)  # of folders: there are far fewer of them than files
    for spec, expand in _single(specs, errors):
        if _LIVE.match(spec) and not is_remote(spec):
            raise UsageError(
                f"{shown(spec)}: live streams are not in this version; give a file, a folder or a glob"
            )
        try:
            for file in expand():
                known = found.setdefault(_identity(file.path, resolved), file)
                if known is not file and _is_link(known.path) and not _is_link(file.path):
                    found[_identity(file.path, resolved)] = file  # its own name is the better one
        except SourceError as error:
            errors.append((spec, error))
    return Expanded(named_apart(found), tuple(errors))


def _single(
    specs: Sequence[str], errors: list[tuple[str, SourceError]]
) -> Iterator[tuple[str, Callable[[], Iterable[SourceFile]]]]:
    """Each source as it was given, the lines of lists in their place, and what resolves it: it gives the files that
    there are, then raises what it has to say of those that it could not get at."""
    for spec in specs:
        if not spec.startswith("@"):
            yield spec, partial(_expand, spec)
            continue
        try:
            lines, folder = read_list(spec)
        except SourceError as error:
            errors.append((spec, error))
            continue
        for line in lines:
            yield line.source, partial(_listed, line.source, folder, f"{spec}, line {line.number}")


def _listed(source: str, folder: Path, where: str) -> Iterator[SourceFile]:
    """What a line of a list stands for; files below the list's own folder are named as seen from there."""
    try:
        files = _expand_remote(source) if is_remote(source) else _expand_path(folder / at_home(source))
        for file in files:
            yield replace(file, name=_seen_from(folder, file))
    except SourceError as error:
        raise type(error)(f"{where}: {error}") from None


def _seen_from(folder: Path, file: SourceFile) -> PurePosixPath:
    if isinstance(file.path, Path) and file.path.is_relative_to(folder):
        below = PurePosixPath(file.path.relative_to(folder).as_posix())
        if ".." not in below.parts and not below.is_absolute() and below.parts:
            return below
    return file.name


def _identity(path: Location, resolved: Callable[[Path], Path]) -> Location:
    """The same for all ways to one file; links to files are followed, names are not compared by content."""
    if isinstance(path, RemoteFile):
        return RemoteFile(path.url)
    here = resolved(path.parent) / path.name
    if not path.is_symlink():
        return here
    try:
        return path.resolve()
    except RuntimeError:  # a link that leads back to itself: opening it tells
        return here


def _is_link(path: Location) -> bool:
    return isinstance(path, Path) and path.is_symlink()


def _expand(spec: str) -> Iterable[SourceFile]:
    return _expand_remote(spec) if is_remote(spec) else _expand_path(at_home(spec))


def _expand_remote(spec: str) -> list[SourceFile]:
    return [SourceFile(file, name) for file, name in list_remote(spec, _is_media)]


def _expand_path(path: Path) -> Iterator[SourceFile]:
    try:
        if path.is_dir():
            yield from _in_folder(path)
        elif path.exists():
            yield SourceFile(path, PurePosixPath(path.name))
        elif glob.has_magic(str(path)):
            yield from _matching(path)
        else:
            raise SourceError(f"{path}: no such file; check the name")
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; check the path and its permissions") from None


def _in_folder(folder: Path) -> Iterator[SourceFile]:
    denied: list[OSError] = []
    files: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=denied.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        media = [name for name in names if _is_media(name) and not _is_output(Path(root, name))]
        if numbered(media) is not None:
            files.append(Path(root))
        else:
            files.extend(Path(root, name) for name in media)
    yield from (SourceFile(file, _below(folder, file)) for file in sorted(files))
    _raise_if_any(denied)
    if not files:
        raise SourceError(f"{folder}: a folder without media; give one that holds videos or images")


def _raise_if_any(denied: Sequence[OSError]) -> None:
    """What is in a folder that could not be listed is missing, whatever was found elsewhere; one that was removed
    meanwhile holds nothing."""
    kept = [error for error in denied if not isinstance(error, FileNotFoundError)]
    if kept:
        more = f", as {len(kept) - 1} more folders" if kept[1:] else ""
        raise SourceError(
            f"{kept[0].filename}: cannot be looked into ({kept[0].strerror}{more}), so nothing in it is labelled; "
            f"check its permissions"
        )


def _below(folder: Path, file: Path) -> PurePosixPath:
    if file == folder:  # its images are the source
        return PurePosixPath(folder.resolve().name or "images")
    return PurePosixPath(file.relative_to(folder).as_posix())


def _matching(pattern: Path) -> Iterator[SourceFile]:
    # Names are relative to the deepest folder that the pattern spells out.
    fixed = next(parent for parent in pattern.parents if not glob.has_magic(str(parent)))
    denied: list[OSError] = []
    found = {Path(match) for match in _glob(pattern, denied)}
    # A star takes everything along; what was not spelled out must at least look like media.
    files = sorted(f for f in found if _may_be_file(f) and _is_media(f.name) and not _is_output(f))
    yield from (SourceFile(file, PurePosixPath(file.relative_to(fixed).as_posix())) for file in files)
    _raise_if_any(denied)
    if not files:
        raise SourceError(f"{pattern}: no media file matches; check the pattern")


def _may_be_file(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:  # of its folder, which says who is in it and nothing else: opening it tells
        return True


def _glob(pattern: Path, denied: list[OSError]) -> Iterator[str]:
    """As ``glob.glob``, some perhaps twice, but ``**`` follows no link to a folder: two that lead upwards never end.

    Folders that ``**`` cannot look into are told in ``denied``.
    """
    if "**" not in pattern.parts:
        yield from glob.iglob(str(pattern))  # noqa: PTH207 - Path.glob refuses absolute patterns
        return
    at = pattern.parts.index("**")
    for top in _glob(Path(*pattern.parts[:at]), denied):
        for root, folders, _ in os.walk(top, onerror=denied.append):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from _glob(Path(glob.escape(root), *(pattern.parts[at + 1 :] or ("*",))), denied)


def _is_media(name: str) -> bool:
    return not name.startswith(".") and PurePosixPath(name).suffix.lower() in _MEDIA


def _is_output(path: Path) -> bool:
    """An overlaid video of an earlier run that wrote into this very folder: labelling it again helps nobody."""
    stem = path.name.removesuffix(".annotated.mp4")
    return stem != path.name and path.with_name(f"{stem}.run.json").exists()


def named_apart(found: dict[Location, SourceFile]) -> tuple[SourceFile, ...]:
    """Put as many of its folders in front of a name as it takes to make it differ from all others.

    Linear in the number of files: how often a path ends in each way is counted once for each length.
    """
    counts = Counter(file.name for file in found.values())
    taken = {name for name, count in counts.items() if count == 1}
    parts = {path: _parts(path) for path in found}
    endings: dict[int, Counter[tuple[str, ...]]] = {}
    named = []
    for path, file in found.items():
        if counts[file.name] > 1:
            for length in range(len(file.name.parts) + 1, len(parts[path]) + 1):
                if length not in endings:
                    endings[length] = Counter(one[-length:] for one in parts.values() if len(one) >= length)
                ending = parts[path][-length:]
                longer = PurePosixPath(*ending)
                if longer not in taken and endings[length][ending] == 1:
                    file = replace(file, name=longer)
                    break
            taken.add(file.name)
        named.append(file)
    return tuple(named)


def _parts(path: Location) -> tuple[str, ...]:
    return PurePosixPath(path.key).parts if isinstance(path, RemoteFile) else path.parts[1:]
