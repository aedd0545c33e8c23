"""``run.json``: what a run did with one source, written last, so that it can vouch for the rest."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidinfer.sink.atomic import PartialFile, output_error
from vidinfer.sink.text import utf8

__all__ = ["as_read_back", "is_finished", "withdraw_report", "write_report"]


def write_report(path: Path, document: Mapping[str, object], *, overwrite: bool = False) -> None:
    """Write ``document`` as indented JSON. Paths, fractions and the like become text; NaN and infinity ``null``.

    Raises:
        SinkError: not writable, or there already and ``overwrite`` is false.
    """
    file = PartialFile(path, overwrite=overwrite)
    try:
        file.write(_text(document).encode())
        file.commit()
    finally:
        file.abort()  # changes nothing after a commit


def as_read_back(document: Mapping[str, object]) -> dict[str, Any]:
    """What whoever reads it finds after :func:`write_report`."""
    found = json.loads(_text(document))
    assert isinstance(found, dict)
    return found


def withdraw_report(path: Path) -> None:
    """Remove the report of an earlier run, which must not vouch for outputs that are about to be replaced.

    Raises:
        SinkError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(path, error, "replace") from error


def _text(document: Mapping[str, object]) -> str:
    return utf8(json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    """``value`` in JSON's own types."""
    match value:
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case float():
            return value if math.isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case _:
            return str(value)


def is_finished(path: Path) -> bool:
    """The report at ``path`` says that its source was worked through to the end.

    False for one that was interrupted (its outputs are valid, but stop early), and where there is no readable report.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("status") in ("complete", "damaged")
