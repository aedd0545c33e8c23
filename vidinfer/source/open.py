"""One door for every kind of source."""

from __future__ import annotations

from pathlib import Path

from vidinfer.source.file import FileSource
from vidinfer.stages import Source

__all__ = ["open_source"]


def open_source(path: Path, *, name: str, threads: int) -> Source:
    """Open a media file or a still image; ``close`` the result.

    Args:
        path: the file.
        name: as shown in the records.
        threads: the most that the decoder may use, at least 1.

    Raises:
        SourceError: it cannot be read, or holds no video that can be decoded; one line says why and what to do.
    """
    return FileSource(path, name=name, threads=threads)
