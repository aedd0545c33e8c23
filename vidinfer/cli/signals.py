"""Ctrl-C and SIGTERM: the first ends the run properly, the second gives up, the third is left to the system."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from vidinfer.cli.reporter import Reporter
from vidinfer.progress import StopSignal

__all__ = ["stop_on_signals"]


class _Handler:
    """Counts the signals that come while a run is watched."""

    def __init__(self, stop: StopSignal, reporter: Reporter) -> None:
        self._stop = stop
        self._reporter = reporter
        self._count = 0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self._count += 1
        self._reporter.signalled = True
        if not self._reporter.started:
            raise KeyboardInterrupt  # nothing is being written yet, and loading a model listens to nobody
        if self._count == 1:
            self._reporter.stopping(
                "stopping: finishing what is decoded and closing the outputs; once more to give up"
            )
            self._stop.request()
        else:
            self._reporter.stopping("giving up: unfinished outputs are removed")
            self._stop.abort()
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def stop_on_signals(stop: StopSignal, reporter: Reporter) -> Iterator[None]:
    """Handle SIGINT and SIGTERM inside the block; afterwards they are as before.

    Raises:
        KeyboardInterrupt: a signal came before the first source was begun.
    """
    handler = _Handler(stop, reporter)
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
