"""Files that appear under their final name only when complete; :mod:`vidinfer.sink.folder` has folders.

While it is written, ``clip.labels.jsonl`` is called ``.clip.labels.jsonl.1a2b3c4d.partial``, in the same folder, and
its writer holds a lock on it. A killed run leaves such a file behind; the next run that makes the same output removes
it, because nobody holds its lock any more (the kernel lets go of locks when a process dies, whatever killed it).
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from pathlib import Path
from typing import BinaryIO

from vidinfer.errors import SinkError

__all__ = ["PartialFile", "output_error", "partial_name", "remove_leftovers", "sync_folder", "try_lock"]

_SUFFIX = ".partial"
_NAME_LIMIT = 255
"""Bytes in a file name, on every file system we know."""
_BUFFER = 1 << 20

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space or choose another --out",
    errno.EDQUOT: "your disk quota is used up; free some space or choose another --out",
    errno.EFBIG: "the file is larger than this system allows (ulimit -f); choose another --out",
    errno.EACCES: "no permission; choose another --out or change the rights of its folder",
    errno.EPERM: "not permitted; choose another --out or change the rights of its folder",
    errno.EROFS: "the file system is read-only; choose another --out",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another --out",
    errno.EEXIST: "a part of the path is a file, not a folder; choose another --out",
    errno.ENOENT: "its folder is not there and cannot be made; choose another --out",
    errno.ENAMETOOLONG: "the name is too long; shorten the source's name or choose another --out",
    errno.EISDIR: "a folder has that name; remove it or choose another --out",
    errno.EIO: "the device reports an error; check the disk",
    errno.EMFILE: "too many files are open (ulimit -n)",
}


def output_error(path: Path, error: Exception, doing: str = "write") -> SinkError:
    """A :class:`SinkError` in one line: which output, what happened, what to do.

    Args:
        error: as raised by the system or a library; its ``errno`` decides on the advice.
        doing: a verb that goes with "cannot … PATH".
    """
    number = getattr(error, "errno", None)
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    return SinkError(f"cannot {doing} {path}: {_ADVICE.get(number or 0, first_line)}")


class PartialFile:
    """A file being made. ``commit`` gives it its final name, ``abort`` removes it.

    Write to ``file``, or have a library write to ``path`` (it may truncate it, but must not replace it).

    Thread rule: one thread at a time.
    """

    def __init__(self, final: Path, *, overwrite: bool = False) -> None:
        """Create the file, and its folder where missing; remove what killed runs left of the same output.

        Raises:
            SinkError: not writable, or ``final`` exists and ``overwrite`` is false.
        """
        self.final = final
        self._overwrite = overwrite
        self._done = False
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            self._check_free()
            remove_leftovers(final)
            self.path = partial_name(final)
            self.file: BinaryIO = self.path.open("xb", buffering=_BUFFER)
        except SinkError:
            raise
        except OSError as error:
            raise output_error(final, error, "create") from error
        try_lock(self.file.fileno())

    def write(self, data: bytes) -> None:
        """Append ``data``.

        Raises:
            SinkError: disk full, …
        """
        try:
            self.file.write(data)
        except OSError as error:
            raise output_error(self.final, error) from error

    def flush(self) -> None:
        """Hand what is buffered to the system, so that a full disk shows now.

        Raises:
            SinkError: disk full, …
        """
        try:
            self.file.flush()
        except OSError as error:
            raise output_error(self.final, error) from error

    def commit(self) -> None:
        """Make the content durable and give it the final name, in this order. Idempotent; nothing after ``abort``.

        Raises:
            SinkError: disk full, or somebody made the final file meanwhile; ``abort`` must follow.
        """
        if self._done:
            return
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self._check_free()
            self.path.replace(
                self.final
            )  # still locked: nobody may take it for a leftover until it is renamed
            self._done = True
            self.file.close()
            sync_folder(self.final.parent)
        except SinkError:
            raise
        except OSError as error:
            raise output_error(self.final, error, "finish") from error

    def abort(self) -> None:
        """Remove the partial file. Idempotent; nothing after ``commit``; never raises."""
        if self._done:
            return
        self._done = True
        _close_quietly(self.file)
        _remove(self.path)

    def _check_free(self) -> None:
        if self.final.is_dir():
            raise output_error(self.final, IsADirectoryError(errno.EISDIR, "is a folder"), "create")
        if not self._overwrite and self.final.exists():
            raise SinkError(f"{self.final} exists; give --overwrite to replace it, or choose another --out")


def partial_name(final: Path) -> Path:
    """A new temporary name beside ``final``, by which :func:`remove_leftovers` knows whose it was."""
    return final.with_name(_prefix(final) + secrets.token_hex(4) + _SUFFIX)


def remove_leftovers(final: Path) -> None:
    """Remove partial files and folders of the output ``final`` that no living process is writing.

    Raises:
        OSError: the folder of ``final`` cannot be read.
    """
    prefix = _prefix(final)
    length = len(prefix) + 8 + len(_SUFFIX)  # others are of outputs whose names begin alike
    with os.scandir(final.parent) as entries:
        found = [
            Path(e.path)
            for e in entries
            if e.name.startswith(prefix) and e.name.endswith(_SUFFIX) and len(e.name) == length
        ]
    for path in found:
        _remove_unlocked(path)


def _remove_unlocked(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return  # somebody else's, or gone already: it is only litter, and no reason to fail
    try:
        if not try_lock(descriptor):
            return
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            _remove(path)
    finally:
        os.close(descriptor)


def _prefix(final: Path) -> str:
    """``.NAME.``, shortened where NAME leaves no room for what is added to it."""
    room = _NAME_LIMIT - len("..") - 8 - len(_SUFFIX)
    name = os.fsencode(final.name)
    return f".{final.name if len(name) <= room else os.fsdecode(name[:room])}."


def try_lock(descriptor: int) -> bool:
    """Whether this process now holds the lock of a file or folder. File systems without locks count as not held."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(descriptor)


def _close_quietly(file: BinaryIO) -> None:
    try:
        file.close()
    except OSError:
        # A full disk refuses the last buffer; the file is about to be removed. Closing again frees the descriptor.
        file.close()


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # the folder vanished or became read-only: the next run with this output tries again
