"""A function over many items, several at a time: threads take them in their order, results come in that order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from vidinfer.errors import Interrupted, RingAborted
from vidinfer.workers import Workers

__all__ = ["ordered_map"]

_SLICE = 0.2
"""Seconds between looks at whether a wait was called off."""

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def ordered_map(
    name: str,
    work: Callable[[T, Callable[[], bool]], R],
    items: Sequence[T],
    *,
    threads: int,
    stopped: Callable[[], bool],
) -> Iterator[Iterator[R]]:
    """Begin with ``work(item, off)`` for all items. Leaving the block, early or not, joins every thread.

    Iterating raises ``Interrupted`` within a fraction of a second after ``stopped()`` became true. What ``work`` raises
    (``Interrupted`` excepted) ends everything and is raised by the block.

    Args:
        name: threads are called ``vidinfer-name-0`` and so on.
        work: is given ``off``, to be looked at in waits: true once nobody wants its result any more.
        items: what to work on.
        threads: most at a time.
        stopped: true ends it.
    """
    shared = _Shared(work, items, stopped)
    with Workers(on_failure=shared.give_up) as workers:
        for number in range(min(threads, len(items))):
            workers.start(f"{name}-{number}", shared.take_turns)
        try:
            yield shared.results()
        finally:
            shared.give_up()


class _Shared(Generic[T, R]):
    """Items that nobody has begun with, and results that nobody has fetched. Thread rule: share freely."""

    def __init__(
        self, work: Callable[[T, Callable[[], bool]], R], items: Sequence[T], stopped: Callable[[], bool]
    ) -> None:
        self._work, self._items, self._stopped = work, items, stopped
        self._changed = threading.Condition()
        self._left = iter(range(len(items)))
        self._done: dict[int, R] = {}
        self._end: Exception | None = None

    def give_up(self) -> None:
        """Nobody wants what is not done yet. Idempotent."""
        self._give_up(RingAborted("given up"))

    def _give_up(self, why: Exception) -> None:
        with self._changed:
            self._end = self._end or why
            self._changed.notify_all()

    def off(self) -> bool:
        return self._end is not None or self._stopped()

    def take_turns(self) -> None:
        """Until nothing is left."""
        while not self.off():
            with self._changed:
                index = next(self._left, None)
            if index is None:
                return
            try:
                result = self._work(self._items[index], self.off)
            except Interrupted as error:
                self._give_up(error)
                return
            with self._changed:
                self._done[index] = result
                self._changed.notify_all()

    def results(self) -> Iterator[R]:
        for index in range(len(self._items)):
            yield self._result(index)

    def _result(self, index: int) -> R:
        while not self._stopped():
            with self._changed:
                if index in self._done:
                    return self._done.pop(index)
                if self._end is not None:
                    raise self._end
                self._changed.wait(_SLICE)
        raise Interrupted("stopped")
