"""The files of a live stream, one after the other, each named by the moment of its first record.

``cam.20261125T101500Z.labels.jsonl``: UTC, whole seconds, rounded down. Where that name is taken (the wall clock was
set back, or two files begin within a second) it is ``cam.20261125T101500Z_2.labels.jsonl`` and so on. A file has its
final name once it is complete. What a killed run left behind is mended and gets its final name when the next run of the
same stream opens its outputs, or begins its next file: no complete record is lost and no file replaced.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from vidinfer.clock import utc_compact
from vidinfer.errors import SinkError
from vidinfer.sink.atomic import output_error, partial_name, try_lock
from vidinfer.sink.piece import Piece

__all__ = ["Keep", "Series"]

_STAMP = r"(\d{8}T\d{6}Z)(?:_(\d+))?"
_LONGEST = 255 - len(".20261125T101500Z_999") - len("..01234567.partial")
"""Bytes of the stream's name and the ending: the temporary name must hold them all."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of a series stays, open file and leftovers aside. The oldest files go; the one just completed stays."""

    files: int | None = None
    """At most so many; ``None``: all."""
    nbytes: int | None = None
    """As many as fit into it together; ``None``: all."""


class Series:
    """Names, leftovers and the oldest files of one series.

    Thread rule: one thread at a time. Other processes may have series of other names in the same folder.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        ending: str,
        *,
        mend: Callable[[Path], bool],
        growing: str | None = None,
        keep: Keep | None = None,
    ) -> None:
        """Nothing is done yet.

        Args:
            folder: is made where missing.
            name: of the stream, without a slash.
            ending: of complete files, such as ``.labels.jsonl``.
            mend: makes a leftover whole, in place, and says whether there is anything in it.
            growing: the ending of the file that is being written; ``None``: the temporary name of
                :mod:`vidinfer.sink.atomic`.
            keep: when files are removed; ``None``: never.

        Raises:
            SinkError: a name that no file can have.
        """
        if not name or "/" in name or "\0" in name or len(os.fsencode(name + ending)) > _LONGEST:
            raise SinkError(
                f"no file can be named {name!r}; expected 1 to {_LONGEST - len(ending)} bytes without /"
            )
        self._folder, self._name, self._ending, self._growing = folder, name, ending, growing
        self._mend = mend
        self._keep = keep or Keep()
        mine = rf"{re.escape(name)}\.{_STAMP}"
        self._complete = re.compile(rf"{mine}{re.escape(ending)}")
        hidden = rf"\.{mine}{re.escape(ending)}\.[0-9a-f]{{8}}\.partial"
        self._partial = re.compile(hidden if growing is None else f"{mine}{re.escape(growing)}")
        self.completed = self.recovered = self.removed = 0
        """Files so far."""
        self._left = True
        """There may be leftovers. Not looked for at each file: in months, folders become large."""

    def open(self) -> None:
        """Make the folder, give leftovers their final names, and remove what is more than is kept.

        Raises:
            SinkError: not writable.
        """
        self._left = True
        self._prepare()
        try:
            self._prune(None)
        except OSError as error:
            raise output_error(self._folder, error, "use") from error

    def begin(self, wall: float) -> Piece:
        """Create the file whose first record is of ``wall`` (Unix seconds).

        Raises:
            SinkError: not writable.
        """
        self._prepare()
        for final in self._names(utc_compact(wall)):
            path = self._growing_name(final)
            try:
                return Piece(path, final)
            except FileExistsError:
                continue
            except OSError as error:
                raise output_error(final, error, "create") from error
        raise AssertionError("there are names without end")

    def complete(self, piece: Piece, *, durable: bool) -> None:
        """Give ``piece`` its final name, and remove the oldest files.

        Raises:
            SinkError: the disk fails, …: the file is left as by ``leave``.
        """
        try:
            piece.finish(self._free(piece.final), durable=durable)
            self.completed += 1
            self._prune(piece.final)
        except OSError as error:
            raise (
                error if isinstance(error, SinkError) else output_error(piece.final, error, "finish")
            ) from error
        finally:
            self.leave(piece)

    def leave(self, piece: Piece) -> None:
        """Let go of ``piece`` as it is; where it is not complete, the next ``begin`` or ``open`` rescues it."""
        piece.release()
        self._left |= piece.path.exists()

    def _prepare(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._left:
                self._recover()
                self._left = False
        except OSError as error:
            raise output_error(self._folder, error, "use") from error

    def _names(self, stamp: str) -> Iterator[Path]:
        """Names for a file of this moment that no complete file has."""
        for number in count(1):
            path = self._folder / f"{self._name}.{stamp}{'' if number == 1 else f'_{number}'}{self._ending}"
            if not os.path.lexists(path):
                yield path

    def _free(self, final: Path) -> Path:
        """``final``, or the next name of its moment if somebody took it meanwhile."""
        if not os.path.lexists(final):
            return final
        found = self._complete.fullmatch(final.name)
        assert found is not None
        return next(self._names(found[1]))

    def _growing_name(self, final: Path) -> Path:
        if self._growing is None:
            return partial_name(final)
        return final.with_name(final.name.removesuffix(self._ending) + self._growing)

    def _matching(self, pattern: re.Pattern[str]) -> list[tuple[tuple[str, int], Path]]:
        """Files whose names match, with when they began, the oldest first."""
        with os.scandir(self._folder) as entries:
            found = [(pattern.fullmatch(e.name), Path(e.path)) for e in entries]
        return sorted(((m[1], int(m[2] or 1)), path) for m, path in found if m is not None)

    def _recover(self) -> None:
        for (stamp, number), path in self._matching(self._partial):
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:
                continue  # gone already, or somebody else's: no reason to fail
            try:
                if try_lock(descriptor):
                    with suppress(OSError):  # it stays for a later run: no reason to write nothing now
                        self._rescue(path, stamp, number)
            finally:
                os.close(descriptor)

    def _rescue(self, path: Path, stamp: str, number: int) -> None:
        suffix = "" if number == 1 else f"_{number}"
        final = self._folder / f"{self._name}.{stamp}{suffix}{self._ending}"
        if self._mend(path):
            path.rename(self._free(final))
            self.recovered += 1
        else:
            path.unlink(missing_ok=True)

    def _prune(self, newest: Path | None) -> None:
        if self._keep.files is None and self._keep.nbytes is None:
            return
        files = [(path, path.stat().st_size) for _, path in self._matching(self._complete)]
        total = sum(size for _, size in files)
        left = len(files)
        for path, size in files:
            fits = self._keep.nbytes is None or total <= self._keep.nbytes
            if fits and (self._keep.files is None or left <= self._keep.files):
                return
            if path != newest:
                path.unlink(missing_ok=True)
                self.removed += 1
                total, left = total - size, left - 1
