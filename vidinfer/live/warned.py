"""What a person should know of a live run, with when it was first seen: kept while the run goes on, within bounds."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from vidinfer.status import StreamStatus, Warned

__all__ = ["KEPT", "Warnings", "found_in"]

KEPT = 50
"""Newest ones."""
_DIGITS = re.compile(r"\d+")


class Warnings:
    """Notes what began since it looked last. What ends and begins again is told again.

    Thread rule: share freely.
    """

    def __init__(self, unix_now: Callable[[], float]) -> None:
        self._now = unix_now
        self._lock = threading.Lock()
        self._going_on: set[str] = set()
        self._kept: list[Warned] = []
        self._total = 0

    def look(self, texts: Iterable[str]) -> tuple[tuple[Warned, ...], int]:
        """``texts`` hold now: the kept ones, newest first, and how many there ever were.

        Texts that differ in numbers alone are one: a figure that counts up is no news.
        """
        with self._lock:
            kinds = {_DIGITS.sub("#", text): text for text in texts}
            for kind, text in kinds.items():
                if kind not in self._going_on:
                    self._kept.insert(0, Warned(self._now(), text))
                    self._total += 1
            del self._kept[KEPT:]
            self._going_on = set(kinds)
            return tuple(self._kept), self._total


def found_in(streams: Sequence[StreamStatus]) -> Iterator[str]:
    """What is wrong with the outputs of ``streams``, and where the model failed; a line each, without passwords."""
    for stream in streams:
        if stream.ledger.failed:
            yield f"{stream.name}: the model failed on frames, which have no labels"
        for outlet in stream.outlets:
            if outlet.error:
                yield f"{stream.name}, {outlet.name}: {outlet.error}"
            if outlet.failed:
                yield f"{stream.name}, {outlet.name}: records are lost, as it failed"
            if outlet.dropped > outlet.failed:
                yield f"{stream.name}, {outlet.name}: records are left out, it cannot keep up"
