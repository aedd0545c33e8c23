"""A simulated cluster behind the seam of an archive run: workers on machines that crash, hang, go away and come back.

The run that drives it is the real one. Simulated are the workers and what they would take; what they commit is written
by the real writer (``benchmarks.cluster_archive``) when its time has come.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.cluster_archive import MODEL, commit
from benchmarks.cluster_clock import DriverClock
from benchmarks.cluster_faults import Fate, Troubles, fate_of
from vidinfer.archive.engine import Done, Event, Failed, Heard, Lost
from vidinfer.archive.facts import model_facts
from vidinfer.archive.unit import Unit
from vidinfer.archive.worker import BEAT
from vidinfer.storage import Location


@dataclass(slots=True, eq=False)
class _Try:
    unit: Unit
    target: Path
    began: float
    fate: Fate


@dataclass(slots=True, eq=False)
class _Worker:
    name: str
    machine: int
    slowness: float
    free_since: float = 0.0
    """When it last had nothing to do any more, or was there again."""
    unneeded_since: float | None = None
    """When the driver last saw that it is free and had nothing for it."""
    trial: _Try | None = None
    away_since: float | None = None
    starting_since: float | None = None


@dataclass(slots=True)
class Spent:
    """Worker-seconds, by what for."""

    useful: float = 0.0
    """On tries whose unit was committed."""
    waiting: float = 0.0
    """Free, while there was something to do: the driver had not come to it."""
    unneeded: float = 0.0
    """Free, while nothing waited to be done: the end of the run."""
    thrown: float = 0.0
    """On tries that came to nothing, by whatever cause."""
    restarting: float = 0.0
    """Until a process was there again."""
    away: float = 0.0
    """With its machine."""
    ends: Counter[str] = field(default_factory=Counter)
    """Tries, by how they ended."""


class SimulatedCluster:
    """An :class:`~vidinfer.archive.engine.Engine`; its thread rule holds."""

    def __init__(
        self,
        clock: DriverClock,
        workers: int,
        *,
        troubles: Troubles,
        seed: int = 0,
        on_each: int = 8,
        rows: int = 8,
    ) -> None:
        """Workers are there at once, with their model.

        Args:
            clock: stands while this works.
            workers: how many.
            troubles: what goes wrong.
            seed: of all that happens.
            on_each: workers of a machine.
            rows: frames in what is committed, in place of all that a unit has.
        """
        self.spent = Spent()
        self.began = self.last = clock.now()
        """When the workers were there, and when the last unit was committed or given up."""
        self.committed: Counter[str] = Counter()
        """Times that each unit was."""
        self._clock, self._troubles, self._seed, self._rows = clock, troubles, seed, rows
        self._random = random.Random(seed)
        machines = -(-workers // on_each)
        slow = [self._random.random() < troubles.slow_machines for _ in range(machines)]
        self._workers = [
            _Worker(
                f"machine-{i // on_each}/worker-{i}",
                i // on_each,
                troubles.slowness if slow[i // on_each] else 1.0,
            )
            for i in range(workers)
        ]
        self._of_machine = [[w for w in self._workers if w.machine == m] for m in range(machines)]
        self._free = deque(self._workers)
        self._seen_free = deque(self._workers)
        """Those of which nobody has noticed yet that nothing is to be done."""
        self._tries: Counter[str] = Counter()
        self._heap: list[tuple[float, int, Any, Any]] = []
        self._number = count()
        self._beats = 0.0
        self._round: deque[_Worker] = deque(self._workers)
        for machine in range(machines):
            self._leave_some_day(machine)

    def __enter__(self) -> SimulatedCluster:
        self.began = self.last = self._clock.now()
        for worker in self._workers:
            worker.free_since = self.began
        return self

    def __exit__(self, *_: object) -> None:
        """Workers that are free now were so until the last unit was done."""
        for worker in self._workers:
            if worker.away_since is not None:
                self.spent.away += max(0.0, self.last - worker.away_since)
            elif worker.trial is None and worker in self._free:
                self._count_idle(worker, self.last)
            self._count_start(worker, self.last)

    def model_facts(self, stopped: Callable[[], bool]) -> dict[str, Any]:
        """Of no model."""
        del stopped
        return model_facts(MODEL)

    def choose(self, paths: Iterable[Location], stopped: Callable[[], bool]) -> tuple[str, str] | None:
        """Nothing to choose from."""
        del paths, stopped
        return None

    @property
    def places(self) -> int:
        """Workers that have nothing to do, as far as the driver was told."""
        return len(self._free)

    def submit(self, unit: Unit, target: Path) -> None:
        """To the worker that has been free for the longest time."""
        with self._clock.standing():
            worker = self._free.popleft()
            now = self._clock.now()
            self._count_idle(worker, now)
            tries = self._tries[unit.id]
            self._tries[unit.id] += 1
            fate = fate_of(unit, tries, worker.slowness, self._seed, self._troubles)
            trial = worker.trial = _Try(unit, target, now, fate)
            self._at(now + 2 * self._troubles.dispatch + fate.seconds, self._end, (worker, trial))

    def wait(self, seconds: float) -> list[Event]:
        """Whatever comes next, at most ``seconds`` of virtual time later; and all else that is over by now."""
        with self._clock.standing():
            now = self._clock.now()
            self._notice_unneeded(now)
            due = self._heap[0][0] if self._heap else now + seconds
            self._clock.jump(min(due, now + seconds))
            events: list[Event] = []
            while self._heap and self._heap[0][0] <= self._clock.now():
                at, _, what, of = heapq.heappop(self._heap)
                events += what(at, of)
            return self._signs_of_life(self._clock.now() - now) + events

    def _at(self, time: float, what: Any, of: Any) -> None:
        heapq.heappush(self._heap, (time, next(self._number), what, of))

    def _notice_unneeded(self, now: float) -> None:
        """The driver goes to sleep though these are free: nothing waits to be done."""
        while self._seen_free:
            worker = self._seen_free.popleft()
            if worker.trial is None and worker.away_since is None:
                worker.unneeded_since = now

    def _count_idle(self, worker: _Worker, until: float) -> None:
        since = until if worker.unneeded_since is None else min(until, worker.unneeded_since)
        self.spent.waiting += max(0.0, since - worker.free_since)
        self.spent.unneeded += max(0.0, until - max(since, worker.free_since))
        worker.unneeded_since = None

    def _let_free(self, at: float, worker: _Worker) -> list[Event]:
        worker.free_since, worker.unneeded_since, worker.away_since = at, None, None
        self._free.append(worker)
        self._seen_free.append(worker)
        return []

    def _end(self, at: float, of: tuple[_Worker, _Try]) -> list[Event]:
        """A try comes to its end, unless its machine went away before."""
        worker, trial = of
        if worker.trial is not trial:
            return []
        unit, fate = trial.unit, trial.fate
        worker.trial = None
        self.spent.ends[fate.end] += 1
        self.spent.waiting += 2 * self._troubles.dispatch
        self.last = max(self.last, at)
        if fate.end == "done":
            self.spent.useful += fate.seconds
            self._let_free(at, worker)
            receipt = commit(unit, trial.target, self._rows, fate.seconds)
            self.committed[unit.id] += 1
            return [Done(unit, receipt, worker.name)]
        self.spent.thrown += fate.seconds
        if fate.end == "refused":
            self._let_free(at, worker)
            return [Failed(unit, "source", f"{unit.path}: made up to be refused", worker.name)]
        worker.starting_since = at
        self._at(at + self._troubles.restart, self._restarted, worker)
        reason = f"no frame for {self._troubles.stall:g} s" if fate.end == "hang" else "crashed: SIGSEGV"
        return [Lost(unit, reason, worker=worker.name)]

    def _restarted(self, at: float, worker: _Worker) -> list[Event]:
        if worker.starting_since is None:
            return []  # its machine went away meanwhile
        self._count_start(worker, at)
        return self._let_free(at, worker)

    def _count_start(self, worker: _Worker, until: float) -> None:
        if worker.starting_since is not None:
            self.spent.restarting += max(0.0, until - worker.starting_since)
            worker.starting_since = None

    def _leave_some_day(self, machine: int) -> None:
        again = self._random.expovariate(1 / self._troubles.machine_every)
        self._at(self._clock.now() + again, self._leave, machine)

    def _leave(self, at: float, machine: int) -> list[Event]:
        """A machine goes away with all that is done on it, which is noticed a little later."""
        absence = self._random.uniform(*self._troubles.absence)
        self._at(at + absence, self._come_back, machine)
        for worker in self._of_machine[machine]:
            if worker in self._free:
                self._free.remove(worker)
                self._count_idle(worker, at)
            self._count_start(worker, at)
            worker.away_since = at
            if worker.trial is None:
                continue
            trial, worker.trial = worker.trial, None
            self.spent.thrown += max(0.0, at - trial.began)
            self.spent.ends["machine"] += 1
            self._at(
                at + self._troubles.unseen, self._missed, Lost(trial.unit, "its machine went away", "", False)
            )
        return []

    def _missed(self, at: float, lost: Lost) -> list[Event]:
        self.last = max(self.last, at)
        return [lost]

    def _come_back(self, at: float, machine: int) -> list[Event]:
        for worker in self._of_machine[machine]:
            self.spent.away += at - (worker.away_since or at)
            self._let_free(at, worker)
        self._leave_some_day(machine)
        return []

    def _signs_of_life(self, seconds: float) -> list[Event]:
        """As many as would have come meanwhile, from one worker after the other."""
        self._beats += seconds * len(self._workers) / BEAT
        beats = min(
            int(self._beats), len(self._workers)
        )  # of several by one worker only the last would count
        self._beats -= beats
        if self._beats > len(self._workers):
            self._beats = 0.0
        now = self._clock.now()
        events: list[Event] = []
        for _ in range(beats):
            worker = self._round[0]
            self._round.rotate(-1)
            trial = worker.trial
            if trial is not None:
                share = min(1.0, (now - trial.began) / max(trial.fate.seconds, 1e-9))
                events.append(Heard(trial.unit, int(trial.unit.frames * share), worker.name))
        return events
