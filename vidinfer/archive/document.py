"""JSON files of our own, read back by runs that may find anything in their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["read_document", "read_line"]


def read_document(path: Path) -> dict[str, Any]:
    """The object in a file; empty where there is none, it cannot be read, or makes no sense."""
    try:
        return read_line(path.read_bytes())
    except OSError:
        return {}


def read_line(data: bytes) -> dict[str, Any]:
    """The object that ``data`` holds; empty where it is torn, or something else."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):  # the latter of brackets upon brackets
        return {}
    return found if isinstance(found, dict) else {}
