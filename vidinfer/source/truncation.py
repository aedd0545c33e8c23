"""Files that end before they say they do. FFmpeg plays what is there and keeps quiet; a ledger must not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import IO, Any

from vidinfer.storage import Location

__all__ = ["boxes", "bytes_missing"]

_SEGMENT = b"\x18\x53\x80\x67"
# At the top of an MP4 or MOV file; what cameras put behind them is none of these.
_BOXES = frozenset({
    "ftyp", "styp", "moov", "moof", "mdat", "mfra", "sidx", "ssix", "prft", "emsg", "pdin", "meta", "udta", "uuid",
    "free", "skip", "wide",
})  # fmt: skip
_EBML = b"\x1a\x45\xdf\xa3"


def boxes(path: Location) -> Iterator[tuple[str, int, int]]:
    """Walk the top-level boxes of an MP4 or MOV file: type, offset, size as claimed (0: to the end of the file)."""
    end = path.stat().st_size
    offset = 0
    with path.open("rb") as file:
        while offset + 8 <= end:
            file.seek(offset)
            head = file.read(16)
            size = int.from_bytes(head[:4])
            if size == 1:
                size = int.from_bytes(head[8:16])
            yield head[4:8].decode("latin-1"), offset, size
            if size < 8:
                return
            offset += size


def bytes_missing(path: Location) -> int:
    """How many bytes an AVI, MKV, WebM, GIF, MP4 or TS file lacks at least by its own account; 0 for whole files.

    Headers that leave the length open (written live) say nothing, and give 0.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF":
            stated = int.from_bytes(head[4:8], "little")
            # 0 and all ones are placeholders of a writer that never came back.
            return max(0, 8 + stated - size) if 0 < stated < 0xFFFFFFFF else 0
        if head[:4] == _EBML:
            file.seek(4)
            return _segment_missing(file, size)
        if head[:4] == b"GIF8":
            file.seek(-1, 2)
            return int(file.read(1) not in (b";", b"\0"))  # the trailer; some writers pad behind it
        if head[:1] == b"G" and file.seek(188) and file.read(1) == b"G":
            return -size % 188  # a transport stream consists of packets of this size, and tells no length
    if head[4:8] == b"ftyp":
        known = takewhile(lambda box: box[0] in _BOXES, boxes(path))
        return max(0, *(offset + claimed - size for _, offset, claimed in known))
    return 0


def _segment_missing(file: IO[bytes] | Any, size: int) -> int:
    header = _vint(file)
    if header is None:
        return 0
    file.seek(header, 1)
    if file.read(4) != _SEGMENT:
        return 0
    length = _vint(file)
    return 0 if length is None else max(0, file.tell() + length - size)


def _vint(file: IO[bytes] | Any) -> int | None:
    """An EBML length; ``None`` for "unknown", which is all ones."""
    first = file.read(1)
    if not first or first == b"\x00":
        return None
    more = 8 - first[0].bit_length()
    bits = 7 * (more + 1)
    value = int.from_bytes(first + file.read(more)) & ((1 << bits) - 1)
    return None if value == (1 << bits) - 1 else value
