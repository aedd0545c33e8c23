"""Processes that read headers and packets, so many and no more, lent to threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from vidinfer.archive.header_reader import HeaderReader
from vidinfer.errors import Interrupted, SourceError

__all__ = ["HeaderPool"]

_SLICE = 0.2
"""Seconds between looks at whether a wait was called off."""


class HeaderPool:
    """Thread rule: share freely; leave it when nothing is lent."""

    def __init__(self, most: int) -> None:
        """Nothing is started before it is needed; ``most`` at a time."""
        self._returned = threading.Condition()
        self._free = [HeaderReader(_never) for _ in range(most)]

    @contextmanager
    def lent(self, stopped: Callable[[], bool]) -> Iterator[HeaderReader]:
        """A reader, as soon as one is free; ``stopped`` ends this wait and those of the reader.

        Raises:
            Interrupted: ``stopped()`` became true.
        """
        reader = self._take(stopped)
        reader.stopped = stopped
        try:
            yield reader
        except SourceError:
            raise
        except BaseException:
            reader.close()  # it may owe an answer that the next one would take for its own
            raise
        finally:
            with self._returned:
                self._free.append(reader)
                self._returned.notify()

    def _take(self, stopped: Callable[[], bool]) -> HeaderReader:
        """The one that was used last: its process is there already."""
        while not stopped():
            with self._returned:
                if self._free:
                    return self._free.pop()
                self._returned.wait(_SLICE)
        raise Interrupted("stopped while waiting for a process that reads headers")

    def __enter__(self) -> HeaderPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in self._free:
            reader.close()


def _never() -> bool:
    return False
