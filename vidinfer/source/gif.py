"""Damage inside a GIF: its blocks form one chain, and FFmpeg takes a broken link for the end, or skips frames."""

from __future__ import annotations

import mmap
from pathlib import Path

__all__ = ["chain_break"]

_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_LABELS = frozenset({0x01, 0xF9, 0xFE, 0xFF})  # plain text, graphic control, comment, application


def chain_break(path: Path) -> int | None:
    """Where the chain of blocks ends without a trailer; ``None`` for a whole file. ``path`` is a GIF."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            at = 13 + _palette(data[10])
            while data[at] != _TRAILER:
                after = _block(data, at)
                if after is None:
                    return at
                at = after
        except IndexError:
            return len(data)
    return None


def _block(data: mmap.mmap, at: int) -> int | None:
    """Where the block at ``at`` ends; ``None`` if none starts there."""
    if data[at] == _EXTENSION and data[at + 1] in _LABELS:
        return _sub_blocks(data, at + 2)
    if data[at] == _IMAGE:
        return _sub_blocks(data, at + 10 + _palette(data[at + 9]) + 1)
    return None


def _sub_blocks(data: mmap.mmap, at: int) -> int:
    while data[at]:
        at += data[at] + 1
    return at + 1


def _palette(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
