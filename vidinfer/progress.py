"""Who watches a run, and who may stop it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from vidinfer.clock import Clock
from vidinfer.errors import Interrupted
from vidinfer.frame import SourceInfo
from vidinfer.report import SourceReport
from vidinfer.status import ArchiveStatus, LiveStatus

__all__ = [
    "ArchiveObserver",
    "InterruptibleClock",
    "LiveObserver",
    "Observer",
    "SilentObserver",
    "StopSignal",
]


class Observer(Protocol):
    """Told how a run gets on. ``advanced`` comes from the writing thread, the rest from the caller's."""

    def source_started(self, info: SourceInfo, index: int, total: int) -> None:
        """Source ``index`` (from 0) of ``total`` begins."""
        ...

    def advanced(self, frames: int) -> None:
        """``frames`` more frames of the current source have been written."""
        ...

    def source_finished(self, report: SourceReport) -> None:
        """The current source ended, one way or another; also for one that could not be opened."""
        ...

    def warning(self, text: str) -> None:
        """Something a person should know, in one line."""
        ...


class LiveObserver(Protocol):
    """Told how a live run gets on, on one thread at a time."""

    def live_started(self, streams: Sequence[str], url: str | None) -> None:
        """The streams by name, and the address of the preview page if there is one."""
        ...

    def status(self, status: LiveStatus) -> None:
        """How things stand, about twice a second."""
        ...

    def source_finished(self, report: SourceReport) -> None:
        """One stream, at the end."""
        ...


class ArchiveObserver(Protocol):
    """Told how an archive run gets on, on one thread."""

    def planned(self, sources: int, units: int, todo: int) -> None:
        """What there is, and how many units are still to do."""
        ...

    def archive(self, status: ArchiveStatus) -> None:
        """How things stand, about twice a second."""
        ...

    def source_finished(self, report: SourceReport) -> None:
        """A source is settled, one way or another."""
        ...

    def warning(self, text: str) -> None:
        """Something a person should know, in one line."""
        ...


class SilentObserver:
    """Watches and says nothing."""

    def source_started(self, info: SourceInfo, index: int, total: int) -> None:
        """Nothing."""

    def advanced(self, frames: int) -> None:
        """Nothing."""

    def source_finished(self, report: SourceReport) -> None:
        """Nothing."""

    def live_started(self, streams: Sequence[str], url: str | None) -> None:
        """Nothing."""

    def status(self, status: LiveStatus) -> None:
        """Nothing."""

    def planned(self, sources: int, units: int, todo: int) -> None:
        """Nothing."""

    def archive(self, status: ArchiveStatus) -> None:
        """Nothing."""

    def warning(self, text: str) -> None:
        """Nothing."""


class StopSignal:
    """Asks a run to end: ``request`` keeps what is done, ``abort`` gives up the current source.

    Thread rule: any thread, also a signal handler; both idempotent.
    """

    def __init__(self) -> None:
        # Re-entrant, because a signal handler may interrupt the thread that holds it.
        self._lock = threading.RLock()
        self._requested = False
        self._aborted = False
        self._listener: tuple[Callable[[], None], Callable[[], None]] | None = None

    @property
    def requested(self) -> bool:
        """A stop of either kind was asked for."""
        return self._requested or self._aborted

    @property
    def aborted(self) -> bool:
        """``abort`` was called."""
        return self._aborted

    def request(self) -> None:
        """End soon: no more decoding, what is decoded is labelled and written, outputs are closed."""
        with self._lock:
            self._requested = True
            if self._listener is not None:
                self._listener[0]()

    def abort(self) -> None:
        """End now: what is in flight is given up."""
        with self._lock:
            self._aborted = True
            if self._listener is not None:
                self._listener[1]()

    @contextmanager
    def watched(self, on_request: Callable[[], None], on_abort: Callable[[], None]) -> Iterator[None]:
        """Call these while the block runs; at once for a stop that was asked for before."""
        with self._lock:
            self._listener = (on_request, on_abort)
            if self._aborted:
                on_abort()
            elif self._requested:
                on_request()
        try:
            yield
        finally:
            with self._lock:
                self._listener = None


class InterruptibleClock:
    """A clock for work that looks at the time often and can be given up: it raises once a stop is asked for.

    Thread rule: share freely.
    """

    def __init__(self, clock: Clock, stop: StopSignal) -> None:
        self._clock, self._stop = clock, stop

    def now(self) -> float:
        """The clock's.

        Raises:
            Interrupted: a stop was asked for.
        """
        if self._stop.requested:
            raise Interrupted("stopped while measuring")
        return self._clock.now()
