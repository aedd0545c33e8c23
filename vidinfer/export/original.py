"""The video that labels were made from: found again, and known to be the same one."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from vidinfer.errors import LabelError, SourceError
from vidinfer.export.labels import LabelFile
from vidinfer.frame import SourceInfo

__all__ = ["check_same", "find_original"]


def find_original(labels: LabelFile, given: Path | None) -> Path:
    """Where the source of ``labels`` is.

    Args:
        given: the file itself, or a folder that holds it under its name in the records, or the end of that; ``None``:
            where ``run.json`` has it, or else beside the labels.

    Raises:
        SourceError: nowhere there.
    """
    name = PurePosixPath(labels.source.name)
    if given is not None:
        if given.is_file():
            return given
        places = [given.joinpath(*name.parts[i:]) for i in range(len(name.parts))]
    else:
        beside = labels.path.parent
        places = [beside / name.name]
        if labels.source.path is not None:
            places = [Path(labels.source.path), beside / labels.source.path, *places]
    for place in places:
        if place.is_file():
            return place
    raise SourceError(
        f"{labels.path}: its video is not at {places[0]}; give --source with the file, or a folder that holds {name}"
    )


def check_same(labels: LabelFile, path: Path, info: SourceInfo) -> None:
    """Compare what is known before the first frame; each frame's time is compared when it is drawn.

    Raises:
        LabelError: this is another video.
    """
    told = labels.source
    size, expected = path.stat().st_size, told.details.get("bytes")
    different = ""
    if expected is not None and size != expected:
        different = f"has {size} bytes, and {expected} were labelled"
    elif (info.width, info.height) != (told.width, told.height):
        different = f"shows {info.width}x{info.height} pixels, and {told.width}x{told.height} were labelled"
    if different:
        raise LabelError(
            f"{labels.path}: {path} {different}: it is another video, or was changed; give the right one with --source"
        )
