"""When to connect again: a pure state machine, and the gate that keeps a crowd from rushing at one host."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vidinfer.interrupt import Interrupt
from vidinfer.status import StreamState

__all__ = ["Connection", "HostGate"]

FIRST, MOST = 0.5, 30.0
"""Seconds: the longest wait after the first failure, and after any."""
SLOW = 60.0
"""Seconds, a fifth more or less, where only a person can help (401, 403, 404)."""
HEALTHY = 10.0
"""Seconds of connection after which an earlier failure is forgotten."""
SOON = 0.5
"""Seconds, at most, until the next attempt once somebody answers again."""


class Connection:
    """Where the connection to one stream stands.

    ``CONNECTING`` -> ``LIVE`` <-> ``STALLED`` -> ``WAITING`` -> ``CONNECTING`` …; ``ENDED`` from any, for good.

    The wait before an attempt is random between 0 and a bound that doubles with each failure ("full jitter", Brooker,
    "Exponential Backoff and Jitter", AWS Architecture Blog 2015): cameras that rebooted together come back apart.

    Thread rule: one caller at a time. ``now`` is in monotonic seconds.
    """

    def __init__(self, now: float, random: Callable[[], float]) -> None:
        """``random()`` gives numbers in [0, 1)."""
        self._random = random
        self.state = StreamState.CONNECTING
        self.since = now
        """When ``state`` began."""
        self.epoch = 0
        """Connections so far."""
        self.failures = 0
        """In a row, without ``HEALTHY`` seconds of connection in between."""
        self.error = ""
        """The last one."""
        self.retry_at: float | None = None
        """While waiting: when to try again."""
        self._connected_at: float | None = None

    @property
    def reconnects(self) -> int:
        """Connections after the first."""
        return max(0, self.epoch - 1)

    def retry_in(self, now: float) -> float | None:
        """Seconds until the next attempt, 0 if it is due; ``None`` unless waiting."""
        return None if self.retry_at is None else max(0.0, self.retry_at - now)

    def connecting(self, now: float) -> None:
        """An attempt begins."""
        self._require(StreamState.CONNECTING, StreamState.WAITING)
        if self.state is StreamState.WAITING:
            self._enter(StreamState.CONNECTING, now)
        self.retry_at = None

    def connected(self, now: float) -> int:
        """It worked, a first picture is there; the number of the new epoch, from 1."""
        self._require(StreamState.CONNECTING)
        self.epoch += 1
        self._connected_at = now
        self._enter(StreamState.LIVE, now)
        return self.epoch

    def stalled(self, now: float) -> None:
        """Nothing came for too long."""
        self._require(StreamState.LIVE, StreamState.STALLED)
        if self.state is StreamState.LIVE:
            self._enter(StreamState.STALLED, now)

    def frame(self, now: float) -> None:
        """A picture came."""
        self._require(StreamState.LIVE, StreamState.STALLED)
        if self.state is StreamState.STALLED:
            self._enter(StreamState.LIVE, now)

    def lost(self, now: float, error: str, *, slow: bool = False) -> float:
        """The attempt failed, or the connection is gone.

        Args:
            slow: asking again soon is no use.

        Returns:
            When to try again.
        """
        self._require(StreamState.CONNECTING, StreamState.LIVE, StreamState.STALLED)
        if self._connected_at is not None and now - self._connected_at >= HEALTHY:
            self.failures = 0
        self._connected_at = None
        self.failures += 1
        self.error = error
        bound = min(MOST, FIRST * 2.0 ** min(self.failures - 1, 16))
        wait = SLOW * (0.8 + 0.4 * self._random()) if slow else bound * self._random()
        self._enter(StreamState.WAITING, now)
        self.retry_at = now + wait
        return self.retry_at

    def answers(self, now: float) -> float:
        """While waiting: somebody answers where nobody did. When to try again: soon.

        Returns:
            When to try again.
        """
        self._require(StreamState.WAITING)
        soon = now + SOON * self._random()
        self.retry_at = soon if self.retry_at is None else min(self.retry_at, soon)
        return self.retry_at

    def end(self, now: float) -> None:
        """Over: a file was played to its end, or a stop was asked for. Idempotent."""
        if self.state is not StreamState.ENDED:
            self._enter(StreamState.ENDED, now)
        self.retry_at = None

    def _enter(self, state: StreamState, now: float) -> None:
        self.state, self.since = state, now

    def _require(self, *states: StreamState) -> None:
        if self.state not in states:
            raise ValueError(f"not while {self.state}")


class HostGate:
    """At most so many connection attempts to one host at a time: recorders with many cameras allow few.

    Thread rule: share freely.
    """

    def __init__(self, limit: int = 4) -> None:
        if limit < 1:
            raise ValueError(f"at least one attempt at a time, got {limit = }")
        self._limit = limit
        self._changed = threading.Condition()
        self._inside: Counter[str] = Counter()

    @contextmanager
    def attempt(self, host: str, interrupt: Interrupt) -> Iterator[bool]:
        """Wait for a turn; false: interrupted before it came. A turn lasts until the end of the block."""
        with interrupt.ended_by(self._wake), self._changed:
            self._changed.wait_for(lambda: interrupt.is_set or self._inside[host] < self._limit)
            admitted = not interrupt.is_set
            if admitted:
                self._inside[host] += 1
        try:
            yield admitted
        finally:
            if admitted:
                with self._changed:
                    self._inside[host] -= 1
                    if not self._inside[host]:
                        del self._inside[host]
                    self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
