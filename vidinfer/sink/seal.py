"""A digest of a whole Parquet file inside of it: any bit that changes later is noticed.

Checksums of pages leave out what tells where those lie and what they hold, and the footer with the receipt has none: a
digit of it that flips on a disk is a wrong count that nobody would notice. So the footer holds two digests, of all that
stands before it and of itself with their place left blank, which is filled in when the rest is written.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, BinaryIO

from vidinfer.errors import SinkError

__all__ = ["BLANK", "SEAL", "DamagedUnit", "SealedFile", "check_seal"]

SEAL = "vidinfer.seal"
"""The footer's key; its value is"""
BLANK = "0" * 64
"""while the file is written, and then the digests of the rows and of the footer, BLAKE2b-128 in hex."""
_MAGIC = b"PAR1"
_HEAD = len(SEAL) + 2
"""Bytes from the key to its value: Thrift's word for a string, and its length."""
_CHUNK = 1 << 20


class DamagedUnit(SinkError):
    """A unit's file is not whole: cut off, or changed after it was made. It has to be made anew."""


class SealedFile:
    """Passes writes on, one after the other, and then fills in the seal. The file stays its owner's."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._rows = hashlib.blake2b(digest_size=16)
        self._length = 0
        self._footer: tuple[int, bytes, str] | None = None
        """Where it begins, its bytes, and the digest of all before it."""

    def write(self, data: Any) -> int:
        """Bytes taken: all of them."""
        data = bytes(data)
        if BLANK.encode() in data:  # the footer, if nothing that looks like it follows
            self._footer = self._length, data, self._rows.hexdigest()
        self._rows.update(data)
        self._length += len(data)
        return self._file.write(data)

    def seal(self) -> None:
        """After the last write.

        Raises:
            OSError: not writable.
        """
        assert self._footer is not None, "the footer has no place for a seal"
        start, footer, rows = self._footer
        self._file.seek(start + footer.rindex(BLANK.encode()))
        self._file.write(f"{rows}{_digest(footer)}".encode())
        self._file.seek(0, 2)


def check_seal(path: Path, *, rows: bool) -> None:
    """The footer is as it was written, and with ``rows`` everything before it.

    Raises:
        DamagedUnit: it is not, or there is no seal.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        end = file.read(8)
        start = size - 8 - int.from_bytes(end[:4], "little")
        if end[4:] != _MAGIC or start < len(_MAGIC):
            raise DamagedUnit(f"{path}: not a whole unit (it ends in the midst)")
        file.seek(start)
        footer = file.read(size - 8 - start)
        at = footer.rfind(SEAL.encode()) + _HEAD
        if at < _HEAD:
            raise DamagedUnit(f"{path}: a Parquet file without a receipt and its seal")
        told = footer[at : at + len(BLANK)].decode("ascii", "replace")
        half = len(BLANK) // 2
        footer = footer[:at] + BLANK.encode() + footer[at + len(BLANK) :]
        if told[half:] != _digest(footer) or (rows and told[:half] != _digest_until(file, start)):
            raise DamagedUnit(f"{path}: not a whole unit (it was changed after it was made)")


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _digest_until(file: BinaryIO, end: int) -> str:
    hashed = hashlib.blake2b(digest_size=16)
    file.seek(0)
    while end > 0 and (chunk := file.read(min(_CHUNK, end))):
        hashed.update(chunk)
        end -= len(chunk)
    return hashed.hexdigest()
