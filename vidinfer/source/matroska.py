"""Damage inside Matroska and WebM: FFmpeg skips to the next cluster without a word, so somebody must look."""

from __future__ import annotations

import mmap
from pathlib import Path

__all__ = ["MatroskaWalk"]

_SEGMENT, _CLUSTER, _GROUP = 0x18538067, 0x1F43B675, 0xA0
_BLOCKS = frozenset({0xA3, 0xA1})
_CLUSTER_BYTES = _CLUSTER.to_bytes(4)
# Everything that may stand in a segment, a cluster or a block group (RFC 9559); anything else there is damage.
_TOP = frozenset({0x1A45DFA3, _SEGMENT, _CLUSTER})
_IN_SEGMENT = frozenset({0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367})
_IN_CLUSTER = frozenset({0xE7, 0xA7, 0xAB, 0xA3, _GROUP, 0xAF, 0x5854})
_IN_GROUP = frozenset({0xA1, 0xA2, 0xA4, 0x75A1, 0x75A2, 0x9B, 0xFA, 0xFB, 0xFD, 0x8E, 0xC8})
_ANYWHERE = frozenset({0xEC, 0xBF})  # padding and checksums
_KNOWN = _TOP | _IN_SEGMENT | _IN_CLUSTER | _IN_GROUP | _ANYWHERE


class MatroskaWalk:
    """Follows the chain of elements through a file, in step with its reader; reads headers only.

    Thread rule: one thread at a time.
    """

    def __init__(self, path: Path, *, cut_off: bool) -> None:
        """Look at ``path``, which is not empty; ``close`` it.

        ``cut_off``: the file is known to end early, so a chain that ends with it is not told again.
        """
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._track: int | None = None
        self._cut_off = cut_off
        self._at = 0
        self._end = len(self._data)  # of the segment; what follows it is nobody's
        self._cluster_end: int | None = None
        self.blocks = 0
        """Blocks so far of the track that is read; a reader that got fewer packets has skipped some."""

    def close(self) -> None:
        """Let the file go. Idempotent."""
        self._data.close()

    def breaks_before(self, position: int) -> list[int]:
        """Walk on to byte ``position``, where a block that was read begins; where the chain broke on the way."""
        if self._track is None:  # a block begins with the number of its track
            self._track = self._number(position, 8, keep_marker=False)[0]
        breaks = []
        while self._at < min(position, self._end):
            if not self._step():
                broken, self._at = self._at, self._next_cluster()
                if self._at < self._end or not self._cut_off:
                    breaks.append(broken)
        return breaks

    def _step(self) -> bool:
        """Move behind the next element, or into it if it holds others. False: none starts here."""
        identity, start = self._number(self._at, 4, keep_marker=True)
        if identity not in _KNOWN:
            return False
        size, start = self._number(start, 8, keep_marker=False)
        if identity in (_SEGMENT, _CLUSTER):
            self._at = start
            if identity == _CLUSTER:
                self._cluster_end = None if size is None else start + size
            elif size is not None:
                self._end = min(self._end, start + size)
            return True
        if size is None or start + size > self._end:
            return False
        inside = identity in _IN_CLUSTER or identity in _IN_GROUP
        if inside and self._cluster_end is not None and start + size > self._cluster_end:
            return False
        if identity in _BLOCKS and self._number(start, 8, keep_marker=False)[0] == self._track:
            self.blocks += 1
        self._at = start if identity == _GROUP else start + size
        return True

    def _next_cluster(self) -> int:
        """Where to go on behind damage, as FFmpeg does."""
        found = self._data.find(_CLUSTER_BYTES, self._at + 1)
        return self._end if found < 0 else found

    def _number(self, at: int, longest: int, *, keep_marker: bool) -> tuple[int | None, int]:
        """An EBML number and where it ends; ``None`` for one that is unknown (all ones) or none at all."""
        first = self._data[at] if at < len(self._data) else 0
        length = 9 - first.bit_length()
        if length > longest:
            return None, at + 1
        value = int.from_bytes(self._data[at : at + length])
        if keep_marker:
            return value, at + length
        mask = (1 << 7 * length) - 1
        return (None if value & mask == mask else value & mask), at + length
