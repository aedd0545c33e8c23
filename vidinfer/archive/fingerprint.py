"""What makes a file the same file: its content, whatever it is called and wherever it lies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

from vidinfer.archive.stamp import same_stamp, stamp_of
from vidinfer.errors import Interrupted, SourceError
from vidinfer.source.images import images_of
from vidinfer.source.truncation import boxes
from vidinfer.storage import Location, RemoteFile, locate

__all__ = ["SMALL", "Fingerprint", "FingerprintMode", "fingerprint"]

FingerprintMode: TypeAlias = Literal["auto", "full", "fast"]
Stopped: TypeAlias = Callable[[], bool]

SMALL = 8 * 2**20
"""Bytes up to which ``auto`` reads everything."""
_EDGE = 256 * 2**10
"""Bytes at either end that ``fast`` reads."""
_PIECES, _PIECE = 32, 16 * 2**10
"""Pieces in between, evenly spread, and their bytes."""
_INDEX = 64 * 2**20
"""Most bytes of an index (``moov`` box) that ``fast`` reads; longer ones than this belong to videos of weeks."""
_BOXES = 4096
"""Boxes that are followed; a fragmented file has two for each fragment."""
_CHUNK = 2**20
_MP4 = frozenset({"ftyp", "moov", "mdat", "wide", "free", "skip", "styp"})


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Two files with equal fingerprints are taken for the same content: for certain where the mode is ``full``."""

    mode: str
    """``full``: every byte. ``fast``: size, both ends, the index, pieces in between. ``object``: size and ETag of an
    object in a store, both ends and pieces. ``images``: names and bytes of a folder of images."""
    digest: str
    """BLAKE2b-256 in hex; of ``full`` that of ``b2sum -l 256``."""
    size: int
    """Bytes."""

    def __str__(self) -> str:
        return f"b2-{self.mode}:{self.digest}"


def fingerprint(
    location: Location | str, mode: FingerprintMode = "auto", *, stopped: Stopped | None = None
) -> Fingerprint:
    """Read as much of a file as ``mode`` asks for.

    ``fast`` notices another size, other headers or index, another encoding of anything and damage in what it reads; not
    a change of a few bytes between its pieces that leaves size and index as they are. ``auto`` is ``full`` up to 8 MiB,
    then ``fast``. Objects in a store are read wholly with ``full`` only.

    Args:
        location: a file, a folder of numbered images, or an object in a store.
        mode: how much is read.
        stopped: looked at now and then; true ends it.

    Raises:
        SourceError: it cannot be read, or it changed meanwhile (see ``stamp``).
        Interrupted: ``stopped()`` became true.
    """
    where = locate(location) if isinstance(location, str) else location
    if isinstance(where, RemoteFile):
        return _of_object(where, mode, stopped)
    if where.is_dir():
        return _of_images(where, stopped)
    return _of_file(where, mode, stopped)


def _of_file(path: Path, mode: FingerprintMode, stopped: Stopped | None) -> Fingerprint:
    try:
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            size = before.st_size
            if mode == "full" or (mode == "auto" and size <= SMALL):
                found = Fingerprint("full", _whole(file, path, size, stopped), size)
            else:
                spans = [*_edges_and_pieces(size), *_index(path)]
                found = Fingerprint("fast", _parts(file, f"{size}", spans, stopped), size)
        after = path.stat()
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; check the path and its permissions") from None
    if not _same(before, after):
        raise SourceError(f"{path}: it changed while it was read; run again once nobody writes to it")
    return found


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    facts = [(status.st_size, status.st_dev) for status in (before, after)]
    return facts[0] == facts[1] and same_stamp(stamp_of([before]), stamp_of([after]))


def _of_object(file: RemoteFile, mode: FingerprintMode, stopped: Stopped | None) -> Fingerprint:
    before = file.stat_now(stopped)
    with RemoteFile(file.url, before).open(stopped=stopped) as reader:
        if mode == "full":
            found = Fingerprint("full", _whole(reader, file, before.st_size, stopped), before.st_size)
        else:
            facts = f"{before.st_size} {before.tag}"
            digest = _parts(reader, facts, _edges_and_pieces(before.st_size, pieces=4), stopped)
            found = Fingerprint("object", digest, before.st_size)
    if file.stat_now(stopped) != before:
        raise SourceError(f"{file}: it changed while it was read; run again once nobody writes to it")
    return found


def _of_images(folder: Path, stopped: Stopped | None) -> Fingerprint:
    hashed, size = hashlib.blake2b(digest_size=32, person=b"vidinfer-images"), 0
    for _, name in images_of(folder):
        one = _of_file(folder / name, "full", stopped)
        hashed.update(os.fsencode(name) + b"\0" + bytes.fromhex(one.digest))
        size += one.size
    return Fingerprint("images", hashed.hexdigest(), size)


def _whole(file: IO[bytes] | Any, path: Location, size: int, stopped: Stopped | None) -> str:
    """Of ``size`` bytes: a file that grows as fast as it is read would have no end."""
    hashed, left = hashlib.blake2b(digest_size=32), size
    while left > 0 and (chunk := file.read(min(_CHUNK, left))):
        hashed.update(chunk)
        left -= len(chunk)
        if stopped is not None and stopped():
            raise Interrupted(f"{path}: stopped while reading")
    return hashed.hexdigest()


def _parts(file: IO[bytes] | Any, facts: str, spans: list[tuple[int, int]], stopped: Stopped | None) -> str:
    hashed = hashlib.blake2b(facts.encode(), digest_size=32, person=b"vidinfer-parts")
    for start, length in sorted(set(spans)):
        hashed.update(start.to_bytes(8) + length.to_bytes(8))
        file.seek(start)
        hashed.update(file.read(length))
        if stopped is not None and stopped():
            raise Interrupted("stopped while reading")
    return hashed.hexdigest()


def _edges_and_pieces(size: int, pieces: int = _PIECES) -> list[tuple[int, int]]:
    """``(start, length)`` of both ends and of pieces in the midst; all of a file that is no longer than these."""
    if size <= 2 * _EDGE + pieces * _PIECE:
        return [(0, size)]
    step = (size - 2 * _EDGE - _PIECE) / max(1, pieces - 1)
    return [(0, _EDGE), *((_EDGE + round(i * step), _PIECE) for i in range(pieces)), (size - _EDGE, _EDGE)]


def _index(path: Path) -> Iterator[tuple[int, int]]:
    """The heads of an MP4's boxes and its whole index, which lists the size and place of every sample."""
    for number, (kind, offset, size) in enumerate(boxes(path)):
        if number == _BOXES or (number == 0 and kind not in _MP4):
            return
        yield offset, min(size, _INDEX) if kind == "moov" and size > 16 else 16
