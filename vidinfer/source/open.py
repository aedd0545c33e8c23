"""One door for every kind of source."""

from __future__ import annotations

from pathlib import Path

from vidinfer.sampling import Sampling
from vidinfer.source.file import FileSource
from vidinfer.source.images import ImageFolderSource
from vidinfer.source.nvdec import open_nvdec
from vidinfer.source.part import Part
from vidinfer.stages import Source
from vidinfer.storage import Location

__all__ = ["open_source"]


def open_source(
    path: Location,
    *,
    name: str,
    threads: int,
    fast: bool = False,
    nvdec: int | None = None,
    sampling: Sampling | None = None,
    part: Part | None = None,
) -> Source:
    """Open a media file, a still image or a folder of numbered images; ``close`` the result.

    Args:
        path: the file or the folder.
        name: as shown in the records.
        threads: the most that the decoder may use, at least 1.
        fast: pixels need not be exact: the decoder may leave out what takes long.
        nvdec: number of a GPU to decode on, where that can be; else in software, and the facts say why.
        sampling: what it leaves out need not be decoded, where that can be told without (not on a GPU); it comes as
            :class:`~vidinfer.frame.Passed` then.
        part: a stretch of the file instead of all of it, in software; what is left out by sampling is decoded there.

    Raises:
        SourceError: it cannot be read, or holds no video that can be decoded; one line says why and what to do.
    """
    if isinstance(path, Path) and path.is_dir():
        return ImageFolderSource(path, name=name)
    if nvdec is not None and part is None:
        return open_nvdec(path, name=name, threads=threads, device=nvdec)
    return FileSource(path, name=name, threads=threads, fast=fast, sampling=sampling, part=part)
