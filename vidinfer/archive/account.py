"""What became of every source of a run: told as it is settled, and written down at the end, for programs and people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vidinfer.archive.journal import Quarantined
from vidinfer.archive.planning import PlannedSource
from vidinfer.archive.report import REPORT, Stills, Told, write_html
from vidinfer.archive.state import StateFolder
from vidinfer.archive.summary import row_of
from vidinfer.archive.view import View
from vidinfer.config import RunConfig
from vidinfer.errors import SinkError
from vidinfer.progress import ArchiveObserver
from vidinfer.report import SourceReport
from vidinfer.sink.manifest import MANIFEST, write_manifest

__all__ = ["Account"]


class Account:
    """Thread rule: one thread. Memory: a row for each source."""

    def __init__(self, config: RunConfig, observer: ArchiveObserver, view: View, state: StateFolder) -> None:
        self._config = config
        self._observer = observer
        self._view = view
        self._state = state
        self._told: list[Told] = []
        self.reports: list[SourceReport] = []

    def settle(
        self, report: SourceReport, planned: PlannedSource | None = None, status: str | None = None
    ) -> None:
        """A source is done with."""
        units = () if planned is None else tuple(self._state.unit(unit.id) for unit in planned.units)
        row = row_of(report, planned, self._config.out, status)
        self._told.append(Told(row, report.warnings, units))
        report = replace(report, details=_kept(report.details))
        self.reports.append(report)
        self._view.source_settled(report)
        self._observer.source_finished(report)

    @property
    def interrupted(self) -> bool:
        """A source was not finished."""
        return any(one.row.status == "interrupted" for one in self._told)

    def write_manifest(self) -> None:
        """For programs.

        Raises:
            SinkError: it cannot be written.
        """
        write_manifest(self._config.out / MANIFEST, [told.row for told in self._told])

    def write_page(
        self, quarantine: Sequence[Quarantined], seconds: float, *, stills: Stills, hurry: Callable[[], bool]
    ) -> Path | None:
        """For people; a run does not fail for it.

        Args:
            quarantine: units that are given up.
            seconds: of wall time so far.
            stills: takes pictures.
            hurry: true: what takes long is left out.
        """
        pace = self._view.pace
        try:
            write_html(self._config, self._told, quarantine, pace, seconds, stills=stills, hurry=hurry)
        except SinkError as error:
            self._observer.warning(f"no report: {error}")
            return None
        return self._config.out / REPORT


def _kept(details: Mapping[str, object]) -> Mapping[str, object]:
    """What the closing line needs; thousands of them are held."""
    still = details.get("skip_static")
    return {} if still is None else {"skip_static": still}
