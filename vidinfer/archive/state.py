"""What an archive run keeps beside its outputs: units, tries, choices; and the lock that makes it the only one.

::

    OUT/.vidinfer/
      format            version of this folder
      lock              held by the run that works here; says which
      choice.json       backend and precision, chosen once, so that a run that goes on labels as it began
      whole.json        contents whose parts could not be had by themselves
      journal.jsonl     one line before each try of a unit, one after it
      quarantine.jsonl  units that were given up, with the reason
      status.json       how the run stands, for ``vidinfer status``
      units/ab/…        committed units
      logs/             what worker processes said
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from vidinfer.archive.document import read_document
from vidinfer.clock import utc_now
from vidinfer.errors import SinkError, UsageError
from vidinfer.sink import write_report
from vidinfer.sink.atomic import output_error, sync_folder

__all__ = ["FOLDER", "FORMAT", "StateFolder", "read_format"]

FOLDER = ".vidinfer"
FORMAT = 1
"""Another version's folder is refused."""
LOOKS = 5
"""At a lock that somebody holds, with"""
PAUSE = 0.02
"""seconds between them."""


class StateFolder:
    """The folder, locked from ``__enter__`` to ``__exit__``. Thread rule: one thread."""

    def __init__(self, out: Path) -> None:
        """``out``: the folder of the outputs; it need not be there yet."""
        self.out = out
        self.path = out / FOLDER
        self._lock: int | None = None
        self._whole: dict[str, Any] | None = None
        self.fresh = False
        """No run has begun here: the outputs beside it are somebody else's."""

    @property
    def units(self) -> Path:
        """Folder of committed units."""
        return self.path / "units"

    @property
    def logs(self) -> Path:
        """Folder of what workers say."""
        return self.path / "logs"

    def unit(self, id_: str) -> Path:
        """Where a unit is committed; 256 folders, as some file systems are slow with many files in one."""
        return self.units / id_[:2] / f"{id_}.parquet"

    def __enter__(self) -> StateFolder:
        """Make the folder and take it.

        Raises:
            UsageError: another run holds it, or another version made it.
            SinkError: it cannot be written.
        """
        try:
            self.units.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise output_error(self.path, error, "create") from error
        try:
            self._take(self._lock)
            self._read_format()
        except BaseException:
            self._let_go()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()

    def choice(self, key: str) -> dict[str, Any] | None:
        """What was chosen under this key, which tells machine and model apart."""
        found = read_document(self.path / "choice.json")
        return found.get(key) if isinstance(found.get(key), dict) else None

    def keep_choice(self, key: str, choice: Mapping[str, object]) -> None:
        """Durable before it returns.

        Raises:
            SinkError: it cannot be written.
        """
        known = read_document(self.path / "choice.json")
        write_report(self.path / "choice.json", {**known, key: dict(choice)}, overwrite=True)

    def is_whole(self, fingerprint: str) -> bool:
        """``keep_whole`` was called."""
        if self._whole is None:  # nobody else writes here
            self._whole = dict(read_document(self.path / "whole.json"))
        return bool(self._whole.get(fingerprint))

    def keep_whole(self, fingerprint: str) -> None:
        """Content that has to be labelled in one go. Durable before it returns.

        Raises:
            SinkError: it cannot be written.
        """
        self._whole = {**read_document(self.path / "whole.json"), fingerprint: True}
        write_report(self.path / "whole.json", self._whole, overwrite=True)

    def tell(self, status: Mapping[str, object]) -> None:
        """Replace ``status.json``; a disk that is full is found out elsewhere."""
        partial = self.path / "status.json.partial"
        with suppress(OSError):
            partial.write_text(json.dumps(status))
            partial.replace(self.path / "status.json")

    def _take(self, lock: int) -> None:
        try:
            _lock(lock)
        except BlockingIOError:
            holder = os.pread(lock, 200, 0).decode(errors="replace").strip() or "another run"
            raise UsageError(
                f"--out {self.out}: {holder} works on this folder; wait for it (`vidinfer status {self.out}`), "
                f"or give another --out"
            ) from None
        except OSError as error:  # a network file system without locks
            raise SinkError(
                f"--out {self.out}: this file system has no locks ({error.strerror}), so two runs could not be told "
                f"apart; give an --out on another one"
            ) from error
        text = f"process {os.getpid()} on {platform.node()} (since {utc_now()})\n"
        os.ftruncate(lock, 0)
        os.pwrite(lock, text.encode(), 0)

    def begin(self) -> None:
        """From now on the outputs beside this folder are its own.

        Raises:
            SinkError: not writable.
        """
        path = self.path / "format"
        try:
            partial = path.with_name("format.partial")
            partial.write_text(f"{FORMAT}\n")
            partial.replace(path)  # whole or not at all, whenever the run is killed
            sync_folder(self.path)
        except OSError as error:
            raise output_error(path, error, "create") from error

    def _read_format(self) -> None:
        try:
            found = read_format(self.path)
        except OSError as error:
            raise output_error(self.path / "format", error, "read") from error
        if not found:  # also of a run that was killed while it wrote it
            self.fresh = True
        elif found != str(FORMAT):
            raise UsageError(
                f"--out {self.out}: made by another version of vidinfer (format {found[:20]!r}, this version has "
                f"{FORMAT}); finish it with that version, or remove {self.path} to label everything anew"
            )

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)  # with its last descriptor the lock goes
            self._lock = None


def read_format(folder: Path) -> str:
    """The version of the state folder ``folder`` as it stands there; empty: no run has got so far as to write it.

    Raises:
        OSError: it is there, and cannot be read.
    """
    try:
        return (folder / "format").read_text(errors="replace").strip()
    except FileNotFoundError:
        return ""


def _lock(file: int) -> None:
    """Take it, at once or hardly later: ``vidinfer status`` has it for a moment.

    Raises:
        BlockingIOError: another run has it.
    """
    for look in range(LOOKS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if look == LOOKS - 1:
                raise
        threading.Event().wait(PAUSE)
