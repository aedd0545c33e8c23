"""One switch that ends whatever is being waited for, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Interrupt"]


class Interrupt:
    """Set once, for good. Whoever waits for something that only he can end says how.

    Thread rule: share freely.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._ways: list[Callable[[], None]] = []

    @property
    def is_set(self) -> bool:
        """Somebody wants an end."""
        return self._event.is_set()

    def set(self) -> None:
        """End the waits under way and all that begin later. Idempotent."""
        with self._lock:
            self._event.set()
            ways = list(self._ways)
        for way in ways:
            way()

    def wait(self, seconds: float) -> bool:
        """Sleep for ``seconds`` or until set, and say which: true if set."""
        return self._event.wait(max(0.0, seconds))

    @contextmanager
    def ended_by(self, way: Callable[[], None]) -> Iterator[None]:
        """``way()`` ends what happens in the block; called at once if set already. Any thread, so it must be quick."""
        with self._lock:
            self._ways.append(way)
        try:
            if self.is_set:
                way()
            yield
        finally:
            with self._lock:
                self._ways.remove(way)
