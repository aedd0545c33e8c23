"""Which images of a folder are one sequence, and in what order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

__all__ = ["IMAGES", "is_image", "numbered"]

IMAGES = frozenset([".avif", ".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"])
_NUMBERED = re.compile(r"(.*?)(\d+)(\.[^.]+)", re.DOTALL)


def is_image(name: str) -> bool:
    """By its suffix."""
    return not name.startswith(".") and PurePosixPath(name).suffix.lower() in IMAGES


def numbered(names: Iterable[str]) -> list[tuple[int, str]] | None:
    """``(number, name)`` by number, where all names are images that differ in one number only; else ``None``.

    The number is the last one before the suffix (``cam2-0001.png`` is 1); at least two images, each with a number of
    its own.
    """
    found: dict[int, str] = {}
    kinds = set()
    for name in names:
        match = _NUMBERED.fullmatch(name)
        if match is None or not is_image(name) or int(match[2]) in found:
            return None
        kinds.add((match[1], match[3]))
        found[int(match[2])] = name
    return sorted(found.items()) if len(kinds) == 1 and len(found) >= 2 else None
