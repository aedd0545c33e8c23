"""Large areas a few rows at a time: what is worked on stays in the cache, and temporary pictures stay small."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["bands"]

_PIXELS = 1 << 16


def bands(height: int, width: int) -> Iterator[slice]:
    """Split the rows of a picture into bands of about 65,000 pixels each."""
    rows = max(1, _PIXELS // max(width, 1))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
