"""The encoder in a thread of its own: the next picture is drawn while this one is encoded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Generic, TypeVar

from vidinfer.channel import Channel
from vidinfer.errors import RingAborted
from vidinfer.workers import Workers

__all__ = ["Encoding"]

T = TypeVar("T")

AHEAD = 2
"""Drawn pictures that may wait for the encoder."""


class Encoding(Generic[T]):
    """Hands items, in order, to ``encode`` in another thread. Made, it runs; it ends with ``finish`` or ``abort``.

    Thread rule: one thread, which is not that of ``encode``.
    """

    def __init__(self, encode: Callable[[T], None]) -> None:
        """``encode`` may raise whatever it likes: that comes back from the next ``put``, or from ``finish``."""
        self._waiting: Channel[T] = Channel(AHEAD)
        self._block = ExitStack()
        workers = self._block.enter_context(Workers(on_failure=self._waiting.abort))
        workers.start("encode", lambda: self._encode(encode))

    def put(self, item: T) -> None:
        """Wait for room and hand ``item`` over."""
        try:
            self._waiting.put(item)
        except RingAborted:
            self._block.close()  # raises what the encoder raised
            raise

    def finish(self) -> None:
        """Wait until everything is encoded. Idempotent."""
        self._waiting.close()
        self._block.close()

    def abort(self) -> None:
        """Give up what waits, and wait for the picture that is being encoded; raises nothing. Idempotent."""
        self._waiting.abort()
        try:
            self._block.close()
        except Exception:
            return  # who aborts knows already

    def _encode(self, encode: Callable[[T], None]) -> None:
        for item in self._waiting:
            encode(item)
