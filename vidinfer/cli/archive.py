"""How an archive run gets on, on standard error: a line that is rewritten on a terminal, plain lines in a log."""

from __future__ import annotations

from collections.abc import Callable

from vidinfer.cli.reporter import LineReporter
from vidinfer.cli.say import say_raw
from vidinfer.cli.summary import run_line
from vidinfer.cli.text import count, printable
from vidinfer.config import RunConfig
from vidinfer.report import RunReport, SourceReport
from vidinfer.status import ArchiveStatus, WorkerStatus

__all__ = ["ArchiveLine", "ArchiveLines", "status_line", "time_left"]

EVERY = 30.0
"""Seconds between lines in a log."""


class ArchiveLines(LineReporter):
    """A line now and then: for logs."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._next = 0.0

    def planned(self, sources: int, units: int, todo: int) -> None:
        """What there is to do."""
        self.started = True
        if not self._quiet:
            kept = f", {units - todo} of them done before" if todo < units else ""
            self._say(f"{count(sources, 'source')}, {count(units, 'unit')}{kept}")

    def archive(self, status: ArchiveStatus) -> None:
        """How things stand, each half minute."""
        if not self._quiet and status.seconds >= self._next:
            self._next = status.seconds + EVERY
            self._say(status_line(status))

    def source_finished(self, report: SourceReport) -> None:
        """With ``-v`` every source; else those that something is wrong with."""
        if self._verbose or report.status in ("failed", "damaged"):
            super().source_finished(report)

    def finished(self, report: RunReport) -> None:
        """The sum, of one source, too: nothing else tells that it is there."""
        if not self._quiet:
            self._say(run_line(report))


class ArchiveLine(ArchiveLines):
    """A line that is rewritten: for terminals."""

    def __init__(self, config: RunConfig, width: Callable[[], int]) -> None:
        super().__init__(config)
        self._width = width
        self._shown = False

    def loading(self, model: str) -> None:
        """A line that the next one replaces."""
        self._show(f"vidinfer: looking at the sources, loading {printable(model)} …")

    def archive(self, status: ArchiveStatus) -> None:
        """How things stand."""
        self._show(f"vidinfer: {status_line(status, max(20, self._width() - 1) - len('vidinfer: '))}")

    def close(self) -> None:
        """Take the line away."""
        self._clear()

    def _show(self, text: str) -> None:
        say_raw(f"\r\x1b[K{text[: max(20, self._width() - 1)]}")
        self._shown = True

    def _clear(self) -> None:
        if self._shown:
            say_raw("\r\x1b[K")
            self._shown = False

    def _say(self, text: str) -> None:
        self._clear()
        super()._say(text)


def status_line(status: ArchiveStatus, width: int | None = None) -> str:
    """Everything in one line.

    Args:
        width: characters that there are; what is of least weight goes first.
    """
    parts = [
        f"{100 * status.share_done:.1f} %",
        time_left(status.seconds_left),
        f"{status.sources_done}/{status.sources} sources",
        f"{status.units_done}/{status.units} units",
        f"{status.frames_per_second:.1f} frames/s",
    ]
    if status.failed:
        parts.insert(2, f"{status.failed} failed")
    if status.quarantined:
        parts.insert(2, f"{status.quarantined} in quarantine")
    if status.share_of_bound is not None:
        parts.append(f"{100 * status.share_of_bound:.0f} % of the bound")
    whole = ", ".join(parts)
    working = "".join(f"; {_worker(one)}" for one in status.workers)
    if width is None or len(whole) + len(working) <= width:
        return whole + working
    while len(parts) > 1 and len(", ".join(parts)) > width:
        parts.pop()
    line = ", ".join(parts)
    for one in status.workers:
        line += f"; {_worker(one)}"
    return line if len(line) <= width else f"{line[: max(0, width - 1)]}…"


def _worker(one: WorkerStatus) -> str:
    of = f"/{one.frames}" if one.frames else ""
    return f"{printable(one.source)} {one.decoded}{of}"


def time_left(seconds: float | None) -> str:
    """``2 h 05 min left``."""
    if seconds is None:
        return "time left unknown yet"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min left"
    return f"{minutes} min {rest:02d} s left" if minutes else f"{rest} s left"
