"""The last values of something, for its quantiles."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque

__all__ = ["Recent"]


class Recent:
    """At most ``size`` values; adding one costs O(size) moves of memory and O(log size) comparisons."""

    __slots__ = ("_order", "_sorted")

    def __init__(self, size: int) -> None:
        self._order: deque[float] = deque(maxlen=size)
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._sorted)

    def add(self, value: float) -> None:
        """The oldest makes room."""
        if len(self._order) == self._order.maxlen:
            del self._sorted[bisect_left(self._sorted, self._order[0])]
        self._order.append(value)
        insort(self._sorted, value)

    def clear(self) -> None:
        """Forget all."""
        self._order.clear()
        self._sorted.clear()

    def quantile(self, share: float) -> float:
        """The smallest value that ``share`` (0 to 1] of them do not exceed.

        Raises:
            IndexError: there are none.
        """
        return self._sorted[max(0, math.ceil(share * len(self._sorted)) - 1)]

    def share_up_to(self, value: float) -> float:
        """The share, 0 to 1, of those that are not larger.

        Raises:
            ZeroDivisionError: there are none.
        """
        return bisect_right(self._sorted, value) / len(self._sorted)

    def mean_above(self, value: float) -> float | None:
        """Mean of those that are larger; ``None`` if none is."""
        tail = self._sorted[bisect_right(self._sorted, value) :]
        return sum(tail) / len(tail) if tail else None
