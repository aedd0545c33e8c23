"""Stores that nobody answers in: each object would cost a minute of waiting, and files would wait behind them."""

from __future__ import annotations

from collections import Counter

from vidinfer.archive.unit import Unit
from vidinfer.storage import RemoteFile

__all__ = ["SILENT", "Stores"]

SILENT = 3
"""Units of work in a row without an answer, after which the rest of their bucket is not tried."""


class Stores:
    """Who answers. Thread rule: one thread."""

    def __init__(self) -> None:
        self._unanswered: Counter[str] = Counter()

    def heard(self, unit: Unit, *, unreachable: bool) -> bool:
        """A unit ended. Returns whether its store is given up with this one."""
        store = _store(unit)
        if store is None:
            return False
        if not unreachable:
            del self._unanswered[store]
            return False
        self._unanswered[store] += 1
        return self._unanswered[store] == SILENT

    def given_up(self, unit: Unit) -> str | None:
        """Why a unit need not be tried, for people; ``None``: it is to be."""
        store = _store(unit)
        if store is None or self._unanswered[store] < SILENT:
            return None
        return (
            f"{store}: no answer {SILENT} times in a row, so the rest of it is not tried in this run; "
            f"check the network and the endpoint, and run again to go on"
        )


def _store(unit: Unit) -> str | None:
    """Scheme and bucket; ``None``: a file."""
    if not isinstance(unit.path, RemoteFile):
        return None
    scheme, _, key = unit.path.url.partition("://")
    return f"{scheme}://{key.partition('/')[0]}"
