"""When one file of a live stream ends and the next one begins: at round times of the wall clock."""

from __future__ import annotations

import math

__all__ = ["Periods"]


class Periods:
    """Periods of ``seconds`` that begin at its multiples in Unix time: each hour, each minute.

    A file is over with the first record of a later period, whenever that comes: a stream that is silent makes no files.
    A wall clock that is set back by less than a period changes nothing, the file then lasts until the end it had; set
    back by more, the file is over. So no file spans much more than two periods, whatever the clock does.

    Thread rule: one thread.
    """

    def __init__(self, seconds: float | None) -> None:
        """``None``: a period never ends.

        Raises:
            ValueError: not above 0.
        """
        if seconds is not None and not 0 < seconds < math.inf:
            raise ValueError(f"a file of a live stream lasts some seconds, got {seconds}")
        self._seconds = seconds
        self._begin = -math.inf
        self._end = math.inf

    def begin(self, wall: float) -> None:
        """A file begins, with a record of ``wall`` (Unix seconds)."""
        if self._seconds is not None:
            self._begin = math.floor(wall / self._seconds) * self._seconds
            self._end = self._begin + self._seconds

    def over(self, wall: float) -> bool:
        """Whether a record of ``wall`` (Unix seconds) belongs into another file than the one that was begun."""
        return self._seconds is not None and not self._begin - self._seconds <= wall < self._end
