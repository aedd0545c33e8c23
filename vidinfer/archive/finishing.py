"""Sources whose units are all settled, until their outputs are made and told."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from vidinfer.archive.account import Account
from vidinfer.archive.agenda import Agenda
from vidinfer.archive.finish import Part, finish_source, why_none
from vidinfer.archive.journal import Quarantine, Quarantined
from vidinfer.archive.planning import PlannedSource
from vidinfer.archive.state import StateFolder
from vidinfer.archive.unit import Unit
from vidinfer.archive.view import View
from vidinfer.errors import SinkError
from vidinfer.progress import ArchiveObserver
from vidinfer.report import SourceReport
from vidinfer.sink.unit_read import DamagedUnit, read_receipt

__all__ = ["GO_ON", "Finishing"]

GO_ON = "what is committed stays, run again to go on"


class Finishing:
    """Thread rule: one thread."""

    def __init__(
        self,
        state: StateFolder,
        agenda: Agenda,
        account: Account,
        view: View,
        observer: ArchiveObserver,
        quarantine: Quarantine,
        bad: Mapping[str, Quarantined],
    ) -> None:
        """``bad``: the units that are given up, as far as the run has come, by name."""
        self._state, self._agenda, self._account, self._view = state, agenda, account, view
        self._observer, self._quarantine, self._bad = observer, quarantine, bad
        self._complete: deque[PlannedSource] = deque()

    def add(self, complete: Iterable[PlannedSource]) -> None:
        """Sources whose last unit is settled."""
        self._complete += complete

    @property
    def pending(self) -> int:
        """Sources whose outputs are still to be made."""
        return len(self._complete)

    def go_on(self) -> None:
        """Make the outputs of one, if there is any.

        Raises:
            SinkError: an output cannot be written.
        """
        if self._complete:
            self._finish(self._complete.popleft())

    def _finish(self, planned: PlannedSource) -> None:
        parts = []
        for unit in planned.units:
            path, bad = self._state.unit(unit.id), self._bad.get(unit.id)
            try:
                parts.append(Part(path, None if bad else read_receipt(path), bad))
            except DamagedUnit as error:
                self._again(unit, error)
                return
        if (why := why_none(parts)) is not None:
            status = "quarantined" if self._quarantine.get(why.unit) else "failed"
            self._agenda.closed(planned)
            self._account.settle(SourceReport(planned.file.name, "failed", error=why.reason), planned, status)
            return
        try:
            report = finish_source(planned, parts)
        except DamagedUnit as error:
            self._again(next(u for u in planned.units if str(self._state.unit(u.id)) in str(error)), error)
            return
        except SinkError as error:
            raise SinkError(f"{error}; {GO_ON}") from error
        self._agenda.closed(planned)
        self._account.settle(report, planned)

    def _again(self, unit: Unit, error: DamagedUnit) -> None:
        self._observer.warning(f"{error}; it is made anew")
        self._state.unit(unit.id).unlink(missing_ok=True)
        self._view.back(unit)
        self._agenda.reopen(unit)
