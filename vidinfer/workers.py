"""The only place that starts threads: they begin and end inside one ``with`` block, all but ``end_behind``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from vidinfer.errors import RingAborted

__all__ = ["Workers", "end_behind", "on_a_worker"]


def on_a_worker(owner: int) -> bool:
    """Whether this is a thread of ours other than ``owner`` (its ident): then what is being closed was part of a cycle
    that the collector happened to find here. This thread may hold a lock that others need to end, so it must wait for
    none of them, least of all for itself.
    """
    return threading.get_ident() != owner and threading.current_thread().name.startswith("vidinfer-")


def end_behind(name: str, work: Callable[[], None]) -> None:
    """Run ``work``, which ends what the collector found (see ``on_a_worker``), in a thread called ``vidinfer-name``.

    Nobody holds on to what is being ended, so nobody waits for it but the interpreter, before it exits; and what
    ``work`` raises, there is nobody to raise to: it goes to ``threading.excepthook``, which prints it.
    """
    threading.Thread(target=work, name=f"vidinfer-{name}").start()


class Workers:
    """Threads that live no longer than the block, and fail together.

    The first failure (of a worker, or of the block itself) calls ``on_failure``, which must make every other
    worker's wait end. Leaving the block joins all of them and raises what they raised, each with a note that
    names its stage; several failures come as one ``ExceptionGroup``.

    Thread rule: use from the thread that made it.
    """

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._failures: list[Exception] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Workers:
        return self

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run ``work`` in a thread called ``vidinfer-name``."""
        thread = threading.Thread(target=self._guard, args=(name, work), name=f"vidinfer-{name}")
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait for every thread to end; not on one of them. Raises nothing of theirs."""
        for thread in self._threads:
            thread.join()

    def _guard(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except RingAborted:
            return  # another stage gave up first and holds the reason
        except BaseException as error:
            failure = (
                error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
            )
            failure.add_note(f"in stage: {name}")
            with self._lock:
                self._failures.append(failure)
            self._on_failure()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._on_failure()
        if threading.current_thread() in self._threads:
            return  # left by the collector, see on_a_worker; who started that waits with join
        self.join()
        failures = list(self._failures)
        if error is not None and not isinstance(error, RingAborted | GeneratorExit):
            for failure in failures:
                error.add_note(f"meanwhile: {failure!r}")
            return
        if len(failures) == 1:
            raise failures[0]
        if failures:
            raise ExceptionGroup("several stages failed", failures)
