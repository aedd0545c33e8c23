"""Class names from a file: one per line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidinfer.detections import BACKGROUND
from vidinfer.errors import UsageError

__all__ = ["nameless", "read_names", "with_background"]


def read_names(path: Path) -> tuple[str, ...]:
    """The names in ``path``, UTF-8, one per line in the order of the labels; empty lines at the end are no names.

    Raises:
        UsageError: unreadable, empty, or a line without a name.
    """
    try:
        lines = [line.strip() for line in path.expanduser().read_text("utf-8-sig").splitlines()]
    except OSError as error:
        raise UsageError(f"--labels-file {path}: {error.strerror or error}; give a text file") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"--labels-file {path}: not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from error
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise UsageError(f"--labels-file {path}: no names in it; expected one class name per line")
    if "" in lines:
        raise UsageError(
            f"--labels-file {path} line {lines.index('') + 1}: no name; expected one per line, none left out"
        )
    return tuple(lines)


HOLE = "N/A"
"""Labels that COCO once had: they keep the numbering and name nothing."""


def nameless(task: str, categories: Sequence[str]) -> frozenset[str]:
    """Names that stand for no finding of a model of ``task``."""
    return frozenset((HOLE, *categories[:1]) if task == "detection" else (BACKGROUND,))


def with_background(names: Sequence[str]) -> tuple[str, ...]:
    """``names`` with the background in front, which detectors count as label 0, unless it is there."""
    first = names[0].strip("_").lower() if names else ""
    return tuple(names) if first == "background" else (BACKGROUND, *names)
