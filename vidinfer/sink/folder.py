"""Folders that appear under their final name only when complete, as :mod:`vidinfer.sink.atomic` has it for files.

While it is filled, ``clip.flow/`` is called ``.clip.flow.1a2b3c4d.partial/``, and its writer holds a lock on it.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

from vidinfer.errors import SinkError
from vidinfer.sink.atomic import output_error, partial_name, remove_leftovers, sync_folder, try_lock

__all__ = ["PartialFolder"]


class PartialFolder:
    """A folder being filled. ``commit`` gives it its final name, ``abort`` removes it.

    Thread rule: one thread at a time.
    """

    def __init__(self, final: Path, *, overwrite: bool = False) -> None:
        """Create the folder, and those above it where missing; remove what killed runs left of the same output.

        Raises:
            SinkError: not writable, or ``final`` exists and ``overwrite`` is false, or is no folder.
        """
        self.final = final
        self._overwrite = overwrite
        self._done = False
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            self._check_free()
            remove_leftovers(final)
            self.path = partial_name(final)
            self.path.mkdir()
            self._made = {self.path}
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except SinkError:
            raise
        except OSError as error:
            raise output_error(final, error, "create") from error
        try_lock(self._descriptor)

    def write(self, name: str, data: bytes) -> None:
        """Make the file ``name`` in the folder; ``name`` may have folders of its own in front.

        Raises:
            SinkError: disk full, …; ``abort`` must follow.
        """
        self.stream(name, (data,))

    def stream(self, name: str, parts: Iterable[bytes]) -> None:
        """As ``write``, of a file that comes in parts; what making them raises comes through.

        Raises:
            SinkError: disk full, …; ``abort`` must follow.
        """
        with self._create(name) as file:
            for part in parts:
                try:
                    rest = memoryview(part)
                    while rest:
                        rest = rest[file.write(rest) :]
                except OSError as error:
                    raise output_error(self.final / name, error) from error

    def _create(self, name: str) -> FileIO:
        path = self.path / name
        try:
            if path.parent not in self._made:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._made.add(path.parent)
            return path.open("xb", buffering=0)
        except OSError as error:
            raise output_error(self.final / name, error) from error

    def commit(self) -> None:
        """Make the content durable and give it the final name, in this order. Idempotent; nothing after ``abort``.

        A folder that has the name goes once the new one is durable. A crash between the two leaves neither.

        Raises:
            SinkError: disk full, or somebody made the final folder meanwhile; ``abort`` must follow.
        """
        if self._done:
            return
        try:
            self._sync()
            self._check_free()
            old = self._step_aside()
            try:
                self.path.rename(self.final)
            except OSError:
                if old is not None:
                    old.rename(self.final)
                raise
            self._done = True
            os.close(self._descriptor)
            if old is not None:
                shutil.rmtree(old, ignore_errors=True)
            sync_folder(self.final.parent)
        except SinkError:
            raise
        except OSError as error:
            raise output_error(self.final, error, "finish") from error

    def abort(self) -> None:
        """Remove the folder. Idempotent; nothing after ``commit``; never raises."""
        if self._done:
            return
        self._done = True
        os.close(self._descriptor)
        shutil.rmtree(self.path, ignore_errors=True)  # what stays, the next run with this output removes

    def _step_aside(self) -> Path | None:
        """Rename the folder that has the final name, so that the new one can have it; a leftover from here on."""
        if not self.final.exists():
            return None
        old = partial_name(self.final)
        self.final.rename(old)
        return old

    def _sync(self) -> None:
        for root, _, names in os.walk(self.path, topdown=False):
            for name in names:
                descriptor = os.open(Path(root, name), os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            sync_folder(Path(root))

    def _check_free(self) -> None:
        if self.final.exists() and not self.final.is_dir():
            raise output_error(self.final, NotADirectoryError(errno.ENOTDIR, "is a file"), "create")
        if not self._overwrite and self.final.exists():
            raise SinkError(f"{self.final} exists; give --overwrite to replace it, or choose another --out")
