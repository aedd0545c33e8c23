"""How the run in a folder stands, seen from outside: reads only, also while a run goes on, also on read-only disks."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidinfer.archive.document import read_line
from vidinfer.archive.journal import Quarantined, read_quarantine
from vidinfer.archive.state import FOLDER, FORMAT, read_format
from vidinfer.errors import SinkError, UsageError
from vidinfer.sink.manifest import MANIFEST, read_manifest

__all__ = ["Standing", "inspect"]

BAD = ("failed", "damaged", "quarantined", "interrupted")


@dataclass(frozen=True, slots=True)
class Standing:
    """What can be known of a run."""

    out: Path
    running: bool
    holder: str
    """Who works on it, or did last: process, machine, since when."""
    status: Mapping[str, Any]
    """The last that the run told of itself (``status.json``); empty: nothing."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Sources by status, from the manifest: of the last run that came to its end."""
    problems: tuple[tuple[str, str, str], ...] = ()
    """Source, status and reason of those that are not complete."""
    quarantine: tuple[Quarantined, ...] = ()
    format: str = ""
    """Of the folder; empty: not written yet."""

    @property
    def of_another_version(self) -> bool:
        """This version cannot go on with it."""
        return self.format not in ("", str(FORMAT))

    @property
    def state(self) -> str:
        """``running``, ``complete``, ``interrupted``, or ``killed``: it ended without saying so."""
        if self.running:
            return "running"
        told = self.status.get("state")
        return str(told) if told in ("complete", "interrupted") else "killed"

    @property
    def exit_status(self) -> int:
        """0: running or complete, and nothing is wrong; 1: something is damaged, failed, given up or unfinished."""
        failed = bool(self.problems or self.quarantine)
        return 1 if failed or self.state not in ("running", "complete") else 0

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "out": str(self.out),
            "state": self.state,
            "holder": self.holder,
            "format": self.format,
            "of_another_version": self.of_another_version,
            **{key: value for key, value in self.status.items() if key != "state"},
            "manifest": dict(self.counts),
            "problems": [
                dict(zip(("source", "status", "reason"), one, strict=True)) for one in self.problems
            ],
            "quarantine": [
                {"source": one.source, "reason": one.reason, "tries": one.tries, "log": one.log}
                for one in self.quarantine
            ],
        }


def inspect(out: Path) -> Standing:
    """Look at the folder of a run.

    Raises:
        UsageError: there is no such folder, or no run was ever begun in it.
        SinkError: something else has the name of a file that a run writes.
    """
    folder = out / FOLDER
    if not folder.is_dir():
        what = "is not there" if not out.exists() else "holds no archive run"
        raise UsageError(
            f"{out}: {what}; expected the --out of a run with --engine, as in `vidinfer status labels/`"
        )
    try:
        running, holder = _lock(folder / "lock")
        form = read_format(folder)
        status = _status(folder / "status.json")
        rows = [] if running else read_manifest(out / MANIFEST)
        quarantine = tuple(read_quarantine(folder / "quarantine.jsonl").values())
    except SinkError:
        raise
    except OSError as error:
        raise UsageError(f"{out}: cannot be read ({error.strerror}); check its permissions") from error
    counts = Counter(status_ for _, status_, _ in rows)
    problems = [(source, status_, error or "") for source, status_, error in rows if status_ in BAD]
    if running:
        problems = [(str(s), "failed", str(why)) for s, why in status.get("failures", ())]
    return Standing(out, running, holder, status, counts, tuple(problems), quarantine, form)


def _lock(path: Path) -> tuple[bool, str]:
    """Whether somebody holds it, and who does or did. It is ours for a moment, which a run that starts waits for."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False, ""
    try:
        holder = os.pread(file, 200, 0).decode(errors="replace").strip()
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True, holder
        return False, holder
    finally:
        os.close(file)


def _status(path: Path) -> dict[str, Any]:
    try:
        return read_line(path.read_bytes())
    except FileNotFoundError:
        return {}
