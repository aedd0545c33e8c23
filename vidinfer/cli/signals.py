"""Ctrl-C, SIGTERM and a terminal that is closed. While the program is loaded, they end it at once; of a run, the first
ends it properly, the second gives up, the third is left to the system.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from vidinfer.cli.say import last_words, say_at_once

if TYPE_CHECKING:
    from vidinfer.cli.reporter import Reporter
    from vidinfer.progress import StopSignal

__all__ = ["INTERRUPTED", "NOTHING_YET", "SignalHandler", "handled_signals", "ignore_signals_at_exit"]

NOTHING_YET = "interrupted before anything was labelled"
INTERRUPTED = 130
"""Exit status."""
_SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


class _BeforeTheFirstSource(KeyboardInterrupt):
    """A class of its own: after a plain ``KeyboardInterrupt`` that passed through code made of text (as torch makes
    it), Python ends by SIGINT whatever the exit status, though it was caught.
    """


class SignalHandler:
    """What a signal does: it ends the process at once, until there is a run to watch."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """``arguments`` of the program say how it talks."""
        self._arguments = arguments
        self._watched: tuple[StopSignal, Reporter] | None = None
        self._count = 0

    def watch(self, stop: StopSignal, reporter: Reporter) -> None:
        """From now on a signal is for this run. Before its first source is begun, it raises ``KeyboardInterrupt``."""
        self._watched = stop, reporter

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Called by the interpreter, on the main thread, between any two of its steps."""
        if self._watched is None:
            # Nothing has been begun that wants an end. No exception comes through what is being imported: some of it
            # swallows any, so that the program would run on, and where C++ calls Python it ends in abort().
            clear = "\r\x1b[K" if sys.stderr.isatty() else ""  # of what is told to be loading
            say_at_once(clear + last_words(NOTHING_YET, INTERRUPTED, self._arguments))
            os._exit(INTERRUPTED)
        stop, reporter = self._watched
        self._count += 1
        reporter.signalled = True
        if not reporter.started:
            stop.request()  # for here, too, what is raised may be swallowed, by a destructor for one
            raise _BeforeTheFirstSource  # nothing is being written yet, and loading a model listens to nobody
        if self._count == 1:
            reporter.stopping(
                "stopping: finishing what is decoded and closing the outputs; once more to give up"
            )
            stop.request()
        else:
            reporter.stopping("giving up: unfinished outputs are removed")
            stop.abort()
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def handled_signals(arguments: Sequence[str]) -> Iterator[SignalHandler]:
    """Handle SIGINT, SIGTERM and SIGHUP inside the block; afterwards they are as before."""
    handler = SignalHandler(arguments)
    # ``nohup`` ignores SIGHUP, and means it.
    wanted = [n for n in _SIGNALS if n is signal.SIGINT or signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in wanted}
    try:
        yield handler
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def ignore_signals_at_exit() -> None:
    """Let the interpreter end in peace: all is said, and a signal would only change the exit status. Idempotent."""
    atexit.unregister(_ignore)
    atexit.register(_ignore)


def _ignore() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
