"""A bounded hand-over between two threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from vidinfer.errors import RingAborted

__all__ = ["Channel"]

T = TypeVar("T")


class Channel(Generic[T]):
    """First in, first out, at most ``capacity`` items.

    ``close()``: the writer is done, the reader drains what is left. ``abort()``: either end gives up, both wake
    at once with :class:`RingAborted`. Both idempotent.

    Thread rule: any number of writers and readers.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a channel holds at least one item, got {capacity = }")
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._aborted = False

    def put(self, item: T) -> None:
        """Hand ``item`` over; blocks while the channel is full.

        Raises:
            RingAborted: the other end gave up.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._aborted or len(self._items) < self._capacity)
            if self._aborted:
                raise RingAborted
            if self._closed:
                raise ValueError("put after close")
            self._items.append(item)
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Items in order until the channel is closed and drained; blocks while it is empty.

        Raises:
            RingAborted: the other end gave up.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._aborted or self._items or self._closed)
                if self._aborted:
                    raise RingAborted
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
            del item  # or a batch of pictures would live on while the next one is awaited

    def close(self) -> None:
        """No more items will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Give up: what is inside is dropped, every waiting end wakes."""
        with self._changed:
            self._aborted = True
            self._items.clear()
            self._changed.notify_all()
