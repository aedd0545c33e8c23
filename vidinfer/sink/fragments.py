"""A fragmented MP4 whose writer was killed: how much of it is whole."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

__all__ = ["whole_fragments"]


def whole_fragments(path: Path) -> bool:
    """Cut the MP4 at ``path`` after its last whole fragment; whether there is any, or the file was finished.

    A fragment is a ``moof`` box and the ``mdat`` box behind it (ISO/IEC 14496-12, 8.8); a finished file has a ``moov``
    behind its ``mdat``.

    Raises:
        OSError: it cannot be read or cut.
    """
    with path.open("r+b") as file:
        length = _whole(file)
        if length:
            file.truncate(length)
    return length > 0


def _whole(file: BinaryIO) -> int:
    end = file.seek(0, os.SEEK_END)
    begin = whole = 0
    kinds: list[bytes] = []
    while (box := _box_at(file, begin)) is not None:
        kind, size = box
        begin += size
        if begin > end:
            break
        finished = kind == b"moov" and b"mdat" in kinds and b"moof" not in kinds
        if finished or (kind == b"mdat" and kinds[-1:] == [b"moof"]):
            whole = begin
        kinds.append(kind)
    return whole


def _box_at(file: BinaryIO, begin: int) -> tuple[bytes, int] | None:
    """Kind and size of the box at ``begin``; ``None`` where there is none."""
    file.seek(begin)
    head = file.read(16)
    if len(head) < 8:
        return None
    size, kind = struct.unpack(">I4s", head[:8])
    if size == 1 and len(head) == 16:
        size = struct.unpack(">Q", head[8:])[0]
    return (kind, size) if size >= 8 else None
