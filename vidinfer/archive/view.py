"""What is told of a run while it goes on: to whoever watches, and to ``vidinfer status`` in another shell."""

from __future__ import annotations

from collections.abc import Mapping

from vidinfer.archive.agenda import Agenda, work_of
from vidinfer.archive.engine import Heard
from vidinfer.archive.planning import PlannedSource
from vidinfer.archive.state import StateFolder
from vidinfer.archive.tally import Tally
from vidinfer.archive.unit import Unit
from vidinfer.clock import Clock
from vidinfer.progress import ArchiveObserver
from vidinfer.report import SourceReport
from vidinfer.status import ArchiveStatus, WorkerStatus

__all__ = ["View"]

EVERY = 0.5
"""Seconds from one telling to the next."""


class View:
    """Thread rule: one thread."""

    def __init__(self, observer: ArchiveObserver, clock: Clock, state: StateFolder) -> None:
        self._observer = observer
        self._clock = clock
        self._state = state
        self._agenda: Agenda | None = None
        self._workers: dict[str, Heard] = {}
        self._sources = self._sources_done = self._sources_failed = self._kept_units = 0
        self._told = clock.now()
        self.tally = Tally(0.0, self._told)

    def planned(self, sources: int, agenda: Agenda) -> None:
        """The run begins to label."""
        self._sources, self._agenda = sources, agenda
        self.tally.total += agenda.work
        self.tally.began = self._clock.now()
        self._observer.planned(sources, agenda.units + self._kept_units, agenda.waiting)

    def kept(self, planned: PlannedSource) -> None:
        """A source was complete before."""
        self._kept_units += len(planned.units)
        work = sum(map(work_of, planned.units))
        self.tally.total += work
        self.tally.kept(work)

    def heard(self, event: Heard) -> None:
        """A unit gets on."""
        self._workers[event.unit.id] = event
        self.tally.heard(event.unit.id, event.decoded)

    def ended(self, unit: Unit, decoded: int) -> None:
        """A unit is settled."""
        self._workers.pop(unit.id, None)
        self.tally.ended(unit.id, work_of(unit), decoded)

    def source_settled(self, report: SourceReport) -> None:
        """Its outputs are there, or never will be."""
        self._sources_done += 1
        self._sources_failed += report.status == "failed"

    def tick(self, flying: Mapping[str, Unit]) -> None:
        """Tell how things stand, if it is time to."""
        now = self._clock.now()
        if now - self._told < EVERY or self._agenda is None:
            return
        self._told = now
        status = self._status(now, flying, self._agenda)
        self._observer.archive(status)
        self._state.tell(status.as_dict())

    def _status(self, now: float, flying: Mapping[str, Unit], agenda: Agenda) -> ArchiveStatus:
        works = {id_: (work_of(unit), unit.frames) for id_, unit in flying.items()}
        rate, share, left = self.tally.tick(now, works)
        workers = sorted(
            WorkerStatus(heard.worker, heard.unit.path.name, heard.decoded)
            for id_, heard in self._workers.items()
            if id_ in flying
        )
        return ArchiveStatus(
            sources=self._sources,
            sources_done=self._sources_done,
            units=agenda.units + self._kept_units,
            units_done=agenda.settled + self._kept_units,
            frames=self.tally.decoded(),
            seconds=now - self.tally.began,
            frames_per_second=rate,
            share_done=share,
            seconds_left=left,
            failed=self._sources_failed,
            workers=tuple(workers),
        )
