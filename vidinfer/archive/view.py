"""What is told of a run while it goes on: to whoever watches, and to ``vidinfer status`` in another shell."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, Literal

from vidinfer.archive.agenda import Agenda
from vidinfer.archive.engine import Done, Failed, Heard, Lost
from vidinfer.archive.forecast import Forecast
from vidinfer.archive.pace import Pace
from vidinfer.archive.state import StateFolder
from vidinfer.archive.tally import Tally
from vidinfer.archive.unit import Unit
from vidinfer.clock import Clock
from vidinfer.progress import ArchiveObserver
from vidinfer.report import SourceReport
from vidinfer.status import ArchiveStatus, WorkerStatus

__all__ = ["View"]

EVERY = 0.5
"""Seconds from one telling to the next, at least;"""
SHARE = 0.02
"""and more where it takes more than this share of the time, as with a thousand workers,"""
LONGEST = 3.0
"""but never more than this: on a busy machine one telling may take long by chance."""
ENDING, ENDING_A_UNIT = 1.0, 0.003
"""Seconds that manifest and report take behind the last unit, about."""
FAILURES = 20
"""Sources that failed, of which the last are told."""


class View:
    """Thread rule: one thread."""

    def __init__(self, observer: ArchiveObserver, clock: Clock, state: StateFolder) -> None:
        self._observer = observer
        self._clock = clock
        self._state = state
        self._agenda: Agenda | None = None
        self._workers: dict[str, Heard] = {}
        self._sources = self._sources_done = self._sources_failed = self._given_up = 0
        self._failures: deque[tuple[str, str]] = deque(maxlen=FAILURES)
        self._told = clock.now()
        self._every = EVERY
        self._forecast = Forecast()
        self._tally = Tally(self._told)
        self.pace = Pace()

    def begin(self) -> None:
        """The run looks at its sources."""
        self._state.tell({"state": "running", "phase": "looking at the sources and loading the model"})

    def found(self, sources: int) -> None:
        """So many there are, those that cannot be read, too."""
        self._sources = sources

    def planned(self, agenda: Agenda) -> None:
        """The run begins to label."""
        self._agenda = agenda
        for unit in agenda.queue():
            self._forecast.add(unit)
        self._tally.began = self._clock.now()
        self._observer.planned(self._sources, agenda.units, agenda.waiting)

    def kept(self, units: Iterable[Unit]) -> None:
        """Units that need no work any more."""
        for unit in units:
            self._forecast.add(unit, done=True)

    def withdrawn(self, units: Iterable[Unit]) -> None:
        """Units that waited are not to be done after all."""
        for unit in units:
            self._forecast.withdrawn(unit)

    def added(self, units: Iterable[Unit]) -> None:
        """There are more units to do than were planned."""
        for unit in units:
            self._forecast.add(unit)

    def begun(self, unit: Unit) -> None:
        """Somebody has it."""
        self._forecast.begun(unit, self._clock.now())

    def heard(self, event: Heard) -> None:
        """A unit gets on."""
        self._workers[event.unit.id] = event
        now = self._clock.now()
        self._tally.heard(event.unit.id, event.decoded, now)
        self._forecast.heard(event.unit, event.decoded, now)

    def done(self, event: Done) -> None:
        """A unit is committed."""
        decoded = int(event.receipt["frames"]["decoded"])
        self.pace.done(event.worker, event.receipt)
        self._forecast.ended(event.unit, event.worker, decoded, self._clock.now())
        self._gone(event.unit, decoded)

    def ended_badly(self, event: Failed | Lost) -> None:
        """What becomes of its unit is told by one of those below."""
        self._forecast.freed(event.worker, self._clock.now() if isinstance(event, Failed) else None)

    def dropped(self, unit: Unit, *, given_up: bool = False) -> None:
        """A unit failed, or is given up."""
        self._given_up += given_up
        self._forecast.dropped(unit)
        self._gone(unit, 0)

    def back(self, unit: Unit) -> None:
        """A unit is to be done again."""
        self._forecast.back(unit)
        self._gone(unit, 0)

    def source_settled(self, report: SourceReport) -> None:
        """Its outputs are there, or will not be in this run."""
        self._sources_done += report.status != "interrupted"
        self._sources_failed += report.status == "failed"
        if report.status == "failed":
            self._failures.append((report.source, report.error or ""))

    def tick(self, flying: Mapping[str, Unit]) -> None:
        """Tell how things stand, if it is time to."""
        now = self._clock.now()
        if now - self._told < self._every or self._agenda is None:
            return
        self._told = now
        ending = ENDING + ENDING_A_UNIT * self._agenda.units
        status = self._status(now, flying, self._agenda, ending)
        self._observer.archive(status)
        self._tell(status, "running")
        self._every = min(max(EVERY, (self._clock.now() - now) / SHARE), LONGEST)

    def end(self, state: Literal["complete", "interrupted"]) -> None:
        """The run is over."""
        self._tell(self._status(self._clock.now(), {}, self._agenda or Agenda(), 0.0), state)

    def _tell(self, status: ArchiveStatus, state: str) -> None:
        told: dict[str, Any] = {"state": state, **status.as_dict(), "failures": list(self._failures)}
        self._state.tell(told)

    def _gone(self, unit: Unit, decoded: int) -> None:
        self._workers.pop(unit.id, None)
        self._tally.ended(unit.id, decoded)

    def _status(self, now: float, flying: Mapping[str, Unit], agenda: Agenda, ending: float) -> ArchiveStatus:
        told = (
            WorkerStatus(
                heard.worker,
                heard.unit.path.name,
                heard.decoded,
                heard.unit.frames,
                self._tally.rate_of(id_, now),
            )
            for id_, heard in self._workers.items()
            if id_ in flying
        )
        workers = sorted(told, key=attrgetter("name"))
        light = self.pace.light()
        left = self._forecast.left(now, agenda.queue())
        return ArchiveStatus(
            sources=self._sources,
            sources_done=self._sources_done,
            units=agenda.units,
            units_done=agenda.settled,
            frames=self._tally.decoded(),
            seconds=now - self._tally.began,
            frames_per_second=self._tally.rate(now),
            share_done=self._forecast.share(),
            seconds_left=None if left is None else left + ending,
            share_of_bound=None if light is None else light[0],
            quarantined=self._given_up,
            failed=self._sources_failed,
            workers=tuple(workers),
        )
