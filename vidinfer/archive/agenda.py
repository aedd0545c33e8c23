"""Which units are still to do, and which sources are complete with which unit. Pure bookkeeping."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain

from vidinfer.archive.order import begun_in_order
from vidinfer.archive.planning import PlannedSource
from vidinfer.archive.unit import Unit

__all__ = ["Agenda"]


class Agenda:
    """Thread rule: one thread. Memory: a few words for each unit that is not settled."""

    def __init__(self) -> None:
        self._sources: dict[str, list[PlannedSource]] = {}
        self._left: dict[int, int] = {}
        self._todo: deque[Unit] = deque()
        self._last: deque[Unit] = deque()
        self._finished: set[str] = set()
        """Units of sources that were complete before; until all are planned."""
        self.units = 0
        """All that were added, those of equal content counted once."""
        self.settled = 0

    def add(self, planned: PlannedSource) -> list[Unit]:
        """A source. Returns those of its units that no source before it has: each must be put or settled."""
        new = [unit for unit in dict.fromkeys(planned.units) if unit.id not in self._sources]
        self._left[id(planned)] = len({unit.id for unit in planned.units})
        for unit_id in {unit.id for unit in planned.units}:
            self._sources.setdefault(unit_id, []).append(planned)
        again = {unit.id for unit in new} & self._finished
        self.units += len(new) - len(again)
        self.settled -= len(again)
        return new

    def add_finished(self, planned: PlannedSource) -> list[Unit]:
        """A source whose outputs are there from before. Returns those of its units that no source before it has; they
        count as settled."""
        new = [
            unit
            for unit in dict.fromkeys(planned.units)
            if unit.id not in self._sources and unit.id not in self._finished
        ]
        self._finished.update(unit.id for unit in new)
        self.units += len(new)
        self.settled += len(new)
        return new

    def put(self, unit: Unit, *, last: bool = False) -> None:
        """It is to be done; ``last``: when all others are."""
        (self._last if last else self._todo).append(unit)

    def put_back(self, unit: Unit, after: int = 0) -> None:
        """It was taken and is to be done again, ``after`` so many others: not as the last of all, for the others are
        done by then and everybody would wait for it."""
        self._todo.insert(after, unit)

    def order(self) -> None:
        """All are planned: scouts and those that would be late go first."""
        self._todo = deque(begun_in_order(self._todo))
        self._finished.clear()

    def take(self) -> Unit | None:
        """The next one to do."""
        while queue := self._todo or self._last:
            unit = queue.popleft()
            if unit.id in self._sources:  # else nobody needs it any more
                return unit
        return None

    @property
    def waiting(self) -> int:
        """Units that nobody has taken."""
        return len(self._todo) + len(self._last)

    def queue(self) -> Iterator[Unit]:
        """Those, in the order in which they will be taken."""
        return chain(self._todo, self._last)

    def settle(self, unit_id: str) -> list[PlannedSource]:
        """It is committed or given up. Returns the sources whose last unit it was."""
        complete = []
        self.settled += unit_id in self._sources  # else it was withdrawn while somebody had it
        for planned in self._sources.get(unit_id, ()):
            self._left[id(planned)] -= 1
            if not self._left[id(planned)]:
                complete.append(planned)
        return complete

    def closed(self, planned: PlannedSource) -> None:
        """The outputs of a complete source are there, or never will be."""
        del self._left[id(planned)]
        for unit_id in {unit.id for unit in planned.units}:
            self._sources[unit_id].remove(planned)
            if not self._sources[unit_id]:
                del self._sources[unit_id]

    def withdraw(self, planned: PlannedSource) -> list[Unit]:
        """An open source is not to be done as it was planned. Returns those of its units that waited and that nobody
        else needs; those under way end in vain. Cost: O(units that wait)."""
        mine, left = {unit.id for unit in planned.units}, self._left[id(planned)]
        self.closed(planned)
        if not mine.isdisjoint(self._sources):
            return []  # there is a copy of it
        waiting = [unit for unit in self.queue() if unit.id in mine]
        self._todo = deque(unit for unit in self._todo if unit.id not in mine)
        self._last = deque(unit for unit in self._last if unit.id not in mine)
        self.units -= len(mine)
        self.settled -= len(mine) - left
        return waiting

    def reopen(self, unit: Unit) -> None:
        """A unit that was settled turned out not to be whole: it is done again, last."""
        self.settled -= 1
        for planned in self._sources[unit.id]:
            self._left[id(planned)] += 1
        self.put(unit, last=True)

    def needing(self, unit_id: str) -> list[PlannedSource]:
        """The open sources that a unit belongs to."""
        return list(self._sources.get(unit_id, ()))

    def open_sources(self) -> list[PlannedSource]:
        """Those without outputs so far."""
        found = {id(planned): planned for sources in self._sources.values() for planned in sources}
        return list(found.values())
