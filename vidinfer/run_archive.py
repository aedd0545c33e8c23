"""A run over an archive: planned, labelled by an engine, unit by unit, and finished source by source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import partial
from typing import Any

from vidinfer.archive.account import Account
from vidinfer.archive.agenda import Agenda
from vidinfer.archive.allowed import TimeAllowed
from vidinfer.archive.choice import as_chosen, check_same_model, keep_model, known_model
from vidinfer.archive.engine import Done, Engine, EngineFactory, Event, Failed, Heard
from vidinfer.archive.engines import engine_factory
from vidinfer.archive.finish import finished_before
from vidinfer.archive.finishing import GO_ON, Finishing
from vidinfer.archive.journal import Journal, Quarantine, Quarantined
from vidinfer.archive.look import Look, look_over
from vidinfer.archive.planning import KnownFile, PlannedSource, plan_source
from vidinfer.archive.recipe import digest, recipe_of
from vidinfer.archive.report import REPORT, Stills, take_stills
from vidinfer.archive.state import StateFolder
from vidinfer.archive.stores import Stores
from vidinfer.archive.unit import WHOLE, Unit
from vidinfer.archive.view import View
from vidinfer.clock import Clock, MonotonicClock
from vidinfer.config import RunConfig
from vidinfer.errors import Interrupted, SinkError, SourceError
from vidinfer.outputs import OutputNames, check_free, check_writable, name_outputs
from vidinfer.progress import ArchiveObserver, StopSignal
from vidinfer.report import RunReport, SourceReport
from vidinfer.sink.manifest import MANIFEST
from vidinfer.sink.unit_read import DamagedUnit, read_receipt
from vidinfer.source import SourceFile, expand_sources
from vidinfer.storage import RemoteFile

__all__ = ["run_archive"]

TRIES = 3
"""Tries of a unit that ends badly."""
SUSPECT = 3
"""Tries that nobody saw the end of, from which on a unit is tried last: perhaps it takes the whole run with it."""
TICK = 0.5
"""Seconds from one look at everything to the next."""


def run_archive(
    config: RunConfig,
    *,
    observer: ArchiveObserver,
    stop: StopSignal,
    engine: EngineFactory | None = None,
    stills: Stills = take_stills,
    look: Look = look_over,
    clock: Clock | None = None,
) -> RunReport:
    """Label every source of the configuration, as far as it was not done before.

    Args:
        config: what to do.
        observer: is told how it gets on.
        stop: a request ends it once the units under way are done, an abort at once.
        engine: who labels; ``None``: as configured.
        stills: who takes the pictures of the report.
        look: who finds out what the sources are.
        clock: of limits, rates and forecasts; ``None``: the machine's.

    Raises:
        UsageError: options that make no sense, outputs of something else, another run in the same folder.
        ModelUnavailable: no model, or no weights.
        SinkError: the output folder cannot be written, or the disk is full; what is done stays, run again to go on.
    """
    config.require_offline()
    check_writable(config.out)
    clock = clock or MonotonicClock()
    with StateFolder(config.out) as state, ExitStack() as stack:
        journal = Journal(state.path / "journal.jsonl")
        quarantine = Quarantine(state.path / "quarantine.jsonl")
        stack.callback(journal.close)
        stack.callback(quarantine.close)
        factory = engine or stack.enter_context(engine_factory(config, state.logs))
        make = partial(factory, logs=state.logs, clock=clock)
        return _Archive(config, observer, stop, clock, state, journal, quarantine, make, stills, look).run()


class _Archive:
    """All that one run shares. Thread rule: one thread."""

    def __init__(
        self,
        config: RunConfig,
        observer: ArchiveObserver,
        stop: StopSignal,
        clock: Clock,
        state: StateFolder,
        journal: Journal,
        quarantine: Quarantine,
        engine: Callable[[RunConfig, RunConfig | None], Engine],
        stills: Stills,
        look: Look,
    ) -> None:
        self._engine = engine
        self._stills = stills
        self._look = look
        self._config = config
        self._observer = observer
        self._stop = stop
        self._clock = clock
        self._state = state
        self._journal = journal
        self._quarantine = quarantine
        self._began = clock.now()
        self._allowed = TimeAllowed(config, clock)
        self._agenda = Agenda()
        self._stores = Stores()
        self._flying: dict[str, Unit] = {}
        self._bad: dict[str, Quarantined] = {}
        """Units that are given up, for this run at least."""
        self._recipe = ""
        self._unplanned: dict[str, None] = {}
        """Sources that nothing is known of yet."""
        self._kept: dict[str, Unit] = {}
        """Units that were done before, by name, until that is told."""
        self._view = View(observer, clock, state)
        self._account = Account(config, observer, self._view, state)
        self._finishing = Finishing(
            state, self._agenda, self._account, self._view, observer, quarantine, self._bad
        )

    def run(self) -> RunReport:
        """Plan, label, finish."""
        self._view.begin()
        expanded = expand_sources(self._config.sources)
        if not expanded.files and len(expanded.errors) == 1:
            raise expanded.errors[0][1]
        for spec, error in expanded.errors:
            self._account.settle(SourceReport(spec, "failed", error=str(error)))
        self._view.found(len(expanded.files) + len(expanded.errors))
        self._unplanned = dict.fromkeys(str(file.name) for file in expanded.files)
        surveyed = self._survey(expanded.files)
        with suppress(Interrupted):
            if surveyed:
                self._work(surveyed)
        for name in self._unplanned:
            self._account.settle(SourceReport(name, "interrupted", error="not begun"))
        for one in self._agenda.open_sources():
            self._account.settle(SourceReport(one.file.name, "interrupted", error="not finished"), one)
        return self._told()

    def _told(self) -> RunReport:
        self._account.write_manifest()
        held = [one for one in self._bad.values() if self._quarantine.get(one.unit)]
        took = self._clock.now() - self._began
        page = self._account.write_page(held, took, stills=self._stills, hurry=lambda: self._stop.aborted)
        self._view.end("interrupted" if self._account.interrupted else "complete")
        return RunReport(tuple(self._account.reports), self._clock.now() - self._began, page)

    def _work(self, surveyed: Sequence[tuple[KnownFile, OutputNames]]) -> None:
        """Plan and label. An engine is started only if there is something for it.

        Raises:
            Interrupted: a stop was asked for before the model was there.
        """
        files = [file for file, _ in surveyed]
        config, fallback = as_chosen(self._config, self._state, self._engine, files, self._stopped)
        known = known_model(config, self._state)
        if known is not None:
            self._plan(surveyed, known)
            if not self._agenda.waiting:
                self._finish_complete()
            if not self._agenda.waiting:
                return
        with self._engine(config, fallback) as engine:
            facts = engine.model_facts(self._stopped)
            if known is None:
                keep_model(config, self._state, facts)
                self._plan(surveyed, facts)
            else:
                check_same_model(config, self._state, known, facts)
            self._label(engine)

    def _stopped(self) -> bool:
        return self._stop.requested

    def _survey(self, files: Sequence[SourceFile]) -> list[tuple[KnownFile, OutputNames]]:
        """Every file looked at; those that cannot be read are told."""
        config = self._config
        names = name_outputs([str(file.name) for file in files], config.out, config.label_files, video=False)
        if self._state.fresh and not config.overwrite:
            check_free(names, [config.out / MANIFEST, config.out / REPORT])
        self._state.begin()
        found = []
        with suppress(Interrupted), closing(self._look(files, config, self._stopped)) as seen:
            for file, known, one in zip(files, seen, names, strict=True):
                if isinstance(known, SourceError):
                    self._unplanned.pop(str(file.name), None)
                    self._account.settle(SourceReport(str(file.name), "failed", error=str(known)))
                else:
                    found.append((self._whole_if_known(known), one))
        return found

    def _whole_if_known(self, file: KnownFile) -> KnownFile:
        """An earlier run found that its parts cannot be had by themselves."""
        whole = len(file.parts) > 1 and self._state.is_whole(file.fingerprint)
        return replace(file, parts=(WHOLE,)) if whole else file

    def _plan(self, surveyed: Sequence[tuple[KnownFile, OutputNames]], facts: dict[str, Any]) -> None:
        """Name all units, and find out which are still to do."""
        self._recipe = digest(recipe_of(self._config, facts["sha256"]))
        windows = facts["task"] in ("video", "optical_flow")  # looks at several frames at once
        for found, names in surveyed:
            self._unplanned.pop(found.name, None)
            file = replace(found, parts=(WHOLE,)) if windows else found
            planned = plan_source(file, names, self._recipe, self._config.label_files)
            before = finished_before(planned)
            if before is not None:
                self._kept |= {unit.id: unit for unit in self._agenda.add_finished(planned)}
                self._account.settle(before, planned)
                continue
            self._add(planned)
        self._agenda.order()
        self._view.planned(self._agenda)
        self._settle_kept()

    def _settle_kept(self) -> None:
        self._view.kept(self._kept.values())
        self._finishing.add(planned for unit in self._kept for planned in self._agenda.settle(unit))
        self._kept.clear()

    def _add(self, planned: PlannedSource) -> list[Unit]:
        """Put its units on the agenda, but for those that are done, and return them."""
        todo: list[Unit] = []
        for unit in self._agenda.add(planned):
            if self._is_to_do(unit):
                todo.append(unit)
                self._agenda.put(unit, last=self._is_suspect(unit))
            else:
                self._kept[unit.id] = unit
        return todo

    def _is_to_do(self, unit: Unit) -> bool:
        """It is neither committed nor given up."""
        held = self._quarantine.get(unit.id)
        if held is not None and self._config.retry_quarantined:
            self._quarantine.release(unit.id)
            self._journal.forgive(unit.id)
        elif held is not None:
            self._bad[unit.id] = held
            return False
        try:
            return read_receipt(self._state.unit(unit.id)) is None
        except DamagedUnit as error:
            self._observer.warning(f"{error}; it is made anew")
            return True

    def _is_suspect(self, unit: Unit) -> bool:
        """It was begun before and did not end well: others should not suffer for it."""
        return self._journal.open_tries(unit.id) >= SUSPECT or self._journal.failures(unit.id) > 0

    def _label(self, engine: Engine) -> None:
        """Until nothing is left, or a stop is asked for: then what is under way is finished, unless it is urgent."""
        while not self._stop.aborted:
            stopping = self._stop.requested or self._over()
            if not stopping:
                self._submit(engine)
            if not self._flying and not self._finishing.pending and (stopping or not self._agenda.waiting):
                return
            for event in engine.wait(0.0 if self._finishing.pending else TICK):
                self._handle(event)
            self._finishing.go_on()  # one at a time: making outputs takes long, in which workers become free
            self._view.tick(self._flying)

    def _finish_complete(self) -> None:
        """Make all outputs that can be made."""
        while self._finishing.pending and not self._stop.aborted:
            self._finishing.go_on()

    def _over(self) -> bool:
        """The time that was allowed is used up; told once, if there is anything left to begin."""
        over = self._allowed.over
        if over and self._agenda.waiting and (news := self._allowed.news()):
            self._observer.warning(news)
        return over

    def _submit(self, engine: Engine) -> None:
        places, units = engine.places, list[Unit]()
        while len(units) < places and (unit := self._agenda.take()) is not None:
            self._view.begun(unit)
            if (why := self._stores.given_up(unit)) is None:
                units.append(unit)
            else:
                self._fails(Quarantined(unit.id, str(unit.path), why, 1, passing=True), unit)
        self._journal.begin(*(unit.id for unit in units))
        for unit in units:
            engine.submit(unit, self._state.unit(unit.id))
            self._flying[unit.id] = unit

    def _handle(self, event: Event) -> None:
        if isinstance(event, Heard):
            self._view.heard(event)
            return
        unit = event.unit
        del self._flying[unit.id]
        if isinstance(event, Done):
            self._journal.done(unit.id)
            self._stores.heard(unit, unreachable=False)
            self._view.done(event)
            self._finishing.add(self._agenda.settle(unit.id))
            return
        self._view.ended_badly(event)
        if isinstance(event, Failed):
            self._failed(event)
        elif event.blame:
            self._tried_in_vain(unit, event.reason, event.log)
        else:
            self._journal.done(unit.id)
            self._view.back(unit)
            self._agenda.put_back(unit)

    def _failed(self, event: Failed) -> None:
        """A unit raised."""
        unit = event.unit
        if event.kind in ("model", "bug"):
            self._tried_in_vain(unit, event.text, "")
            return
        self._journal.done(unit.id)  # it would be the same again, but for a person who mends it
        if event.kind == "sink":
            raise SinkError(f"{event.text}; {GO_ON}")
        if event.kind == "unlike":
            self._plan_whole(unit)
            return
        if self._stores.heard(unit, unreachable=event.kind == "unreachable"):
            self._observer.warning(self._stores.given_up(unit) or "")
        passing = event.kind in ("changed", "unreachable") or isinstance(unit.path, RemoteFile)
        self._fails(Quarantined(unit.id, str(unit.path), event.text, 1, passing=passing), unit)

    def _plan_whole(self, unit: Unit) -> None:
        """A part cannot be had by itself: its file is labelled in one go."""
        self._view.dropped(unit)
        for planned in self._agenda.needing(unit.id):
            self._state.keep_whole(planned.file.fingerprint)
            self._view.withdrawn(self._agenda.withdraw(planned))
            file = replace(planned.file, parts=(WHOLE,))
            whole = plan_source(file, planned.names, self._recipe, self._config.label_files)
            self._view.added(self._add(whole))
        self._settle_kept()

    def _tried_in_vain(self, unit: Unit, reason: str, log: str) -> None:
        """Once more, a little later, or never again."""
        tries = self._journal.failed(unit.id, reason)
        if tries < TRIES:
            self._observer.warning(f"{unit.path}: {reason}; it is tried again ({tries} of {TRIES})")
            self._view.back(unit)
            self._agenda.put_back(unit, after=len(self._flying))  # what was wrong may have passed by then
            return
        held = Quarantined(unit.id, str(unit.path), reason, tries, log)
        self._quarantine.hold(held)
        self._observer.warning(f"{unit.path}: {reason}; put in quarantine after {tries} tries")
        self._fails(held, unit, given_up=True)

    def _fails(self, held: Quarantined, unit: Unit, *, given_up: bool = False) -> None:
        """In this run; the next one tries it again, unless it is ``given_up``."""
        self._bad[unit.id] = held
        self._view.dropped(unit, given_up=given_up)
        self._finishing.add(self._agenda.settle(unit.id))
