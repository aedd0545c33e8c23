"""What a file holds, whatever it is called and wherever it lies."""

from __future__ import annotations

import hashlib
from pathlib import Path

from vidinfer.errors import SourceError

__all__ = ["fingerprint"]

BLOCK = 1 << 20


def fingerprint(path: Path) -> str:
    """Of all bytes (BLAKE2b).

    Raises:
        SourceError: it cannot be read.
    """
    found = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; check the file and its permissions") from error
    return f"b2-full:{found.hexdigest()}"
