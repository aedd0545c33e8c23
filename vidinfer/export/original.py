"""The video that labels were made from: found again, and known to be the same one."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from vidinfer.errors import LabelError, SourceError
from vidinfer.export.labels import LabelFile
from vidinfer.frame import SourceInfo
from vidinfer.sink.text import utf8
from vidinfer.source.images import images_of

__all__ = ["check_same", "find_original"]


def find_original(labels: LabelFile, given: Path | None) -> Path:
    """Where the source of ``labels`` is.

    Args:
        given: the file itself or the folder of images, or a folder that holds it under its name in the records, or the
            end of that; ``None``: where ``run.json`` has it, or else beside the labels.

    Raises:
        SourceError: nowhere there.
    """
    name = PurePosixPath(labels.source.name)
    if given is not None:
        if _is_source(given):
            return given
        places = [given.joinpath(*name.parts[i:]) for i in range(len(name.parts))]
    else:
        beside = labels.path.parent
        places = [beside / name.name]
        if labels.source.path is not None:
            places = [Path(labels.source.path), beside / labels.source.path, *places]
    for place in places:
        found = place if place.exists() else _written_otherwise(place)
        if found is not None and _is_source(found):
            return found
    raise SourceError(
        f"{labels.path}: its video is not at {places[0]}; give --source with the file, or a folder that holds {name}"
    )


def _is_source(place: Path) -> bool:
    """A file, or a folder of numbered images."""
    if not place.is_dir():
        return place.is_file()
    try:
        return bool(images_of(place))
    except SourceError:
        return False


def _written_otherwise(place: Path) -> Path | None:
    """The only file there that records call as ``place``: bytes that are no text are replaced in those."""
    if "\ufffd" not in place.name:
        return None
    try:
        found = [one for one in place.parent.iterdir() if utf8(one.name) == place.name]
    except OSError:
        return None
    return found[0] if len(found) == 1 else None


def check_same(labels: LabelFile, path: Path, info: SourceInfo) -> None:
    """Compare what is known before the first frame; each frame's time is compared when it is drawn.

    Raises:
        LabelError: this is another video.
    """
    told = labels.source
    size, expected = path.stat().st_size, told.details.get("bytes")
    different = ""
    if expected is not None and size != expected and not path.is_dir():  # of images it is that of one of them
        different = f"has {size} bytes, and {expected} were labelled"
    elif (info.width, info.height) != (told.width, told.height):
        different = f"shows {info.width}x{info.height} pixels, and {told.width}x{told.height} were labelled"
    if different:
        raise LabelError(
            f"{labels.path}: {path} {different}: it is another video, or was changed; give the right one with --source"
        )
