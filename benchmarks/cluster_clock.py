"""Virtual time in which a driver's own work passes as fast as it really does, and waiting takes none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class DriverClock:
    """Seconds since the start: those that were jumped over and, if they count, those that the driver really took.

    While the simulation itself works, the clock stands still. Thread rule: one thread.
    """

    def __init__(self, *, charged: bool) -> None:
        """``charged``: the driver's own time counts; without it, the same seed gives the same times on any machine."""
        self._charged = charged
        self._past = 0.0
        self._running_since: float | None = time.perf_counter()
        self.driver = 0.0
        """Real seconds of the driver, up to the last time the clock stood still."""

    def now(self) -> float:
        """Virtual seconds."""
        if self._running_since is None or not self._charged:
            return self._past
        return self._past + time.perf_counter() - self._running_since

    @contextmanager
    def standing(self) -> Iterator[None]:
        """The block is not the driver's work."""
        assert self._running_since is not None, "it stands already"
        took = time.perf_counter() - self._running_since
        self._past += took if self._charged else 0.0
        self.driver += took
        self._running_since = None
        try:
            yield
        finally:
            self._running_since = time.perf_counter()

    def jump(self, to: float) -> None:
        """Let time pass until ``to``, while the clock stands; nothing if that is over."""
        assert self._running_since is None, "only the simulation lets time pass"
        self._past = max(self._past, to)
