"""Which files hold the same content: for certain, and with as little reading as that takes."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vidinfer.archive.fingerprint import Fingerprint, FingerprintMode, fingerprint
from vidinfer.errors import Interrupted, SourceError
from vidinfer.storage import Location
from vidinfer.workers import Workers

__all__ = ["Duplicates", "find_duplicates"]

_THREADS = 4
"""Hashing and reading let other threads run."""


@dataclass(slots=True)
class Duplicates:
    """By the keys of the files that were given."""

    fingerprints: dict[int, Fingerprint] = field(default_factory=dict)
    duplicates: dict[int, int] = field(default_factory=dict)
    """Of each duplicate, the first file with its content."""
    errors: dict[int, str] = field(default_factory=dict)
    """Files that could not be read, or changed meanwhile."""


def find_duplicates(
    files: Mapping[int, tuple[Location, int]], *, every: bool, stopped: Callable[[], bool]
) -> Duplicates:
    """Compare by size first, then by fingerprint, then, where those are not of every byte, by all bytes.

    So files of different sizes are not read at all, and only those that are the same are read wholly: a fast
    fingerprint alone would take a file that was patched in the midst for its original. Two names of one inode are
    the same.
    Objects whose ETag and samples agree are taken for the same.

    Args:
        files: where each lies, and its size in bytes; earlier keys are the originals of later ones.
        every: fingerprints of all, not only of those that may be duplicates.
        stopped: true ends it.

    Raises:
        Interrupted: ``stopped()`` became true.
    """
    out = Duplicates()
    links = _groups(files, lambda key: _inode(files[key][0]))
    for first, *others in links:
        out.duplicates |= dict.fromkeys(others, first)
    left = [key for key in files if key not in out.duplicates]
    by_size = _groups(left, lambda key: files[key][1])
    wanted = left if every else [key for group in by_size for key in group]
    out.fingerprints = _fingerprints(files, wanted, "auto", out.errors, stopped)
    alike = _groups(out.fingerprints, lambda key: out.fingerprints[key])
    unsure = [key for group in alike for key in group if out.fingerprints[key].mode == "fast"]
    whole = _fingerprints(files, unsure, "full", out.errors, stopped)
    for group in alike:
        for first, *others in _groups(
            [key for key in group if key not in out.errors],
            lambda key: whole.get(key, out.fingerprints[key]),
            least=1,
        ):
            out.duplicates |= dict.fromkeys(others, first)
    return out


def _groups(keys: Iterable[int], of: Callable[[int], Hashable], least: int = 2) -> list[list[int]]:
    """Keys with the same value, in their order, where there are at least ``least`` of them."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for key in keys:
        groups[of(key)].append(key)
    return [group for group in groups.values() if len(group) >= least]


def _inode(path: Location) -> Hashable:
    if not isinstance(path, Path):
        return path.url
    try:
        status = path.stat()
    except OSError:
        return str(path)
    return (status.st_dev, status.st_ino)


def _fingerprints(
    files: Mapping[int, tuple[Location, int]],
    keys: list[int],
    mode: FingerprintMode,
    errors: dict[int, str],
    stopped: Callable[[], bool],
) -> dict[int, Fingerprint]:
    found: dict[int, Fingerprint] = {}
    left, lock, failed = iter(keys), threading.Lock(), threading.Event()

    def off() -> bool:
        return failed.is_set() or stopped()

    def work() -> None:
        while not off():
            with lock:
                key = next(left, None)
            if key is None:
                return
            try:
                found[key] = fingerprint(files[key][0], mode, stopped=off)
            except SourceError as error:
                errors[key] = str(error)
            except Interrupted:
                return

    with Workers(on_failure=failed.set) as workers:
        for number in range(min(_THREADS, len(keys))):
            workers.start(f"fingerprints-{number}", work)
    if stopped():
        raise Interrupted("stopped while comparing files")
    return {key: found[key] for key in keys if key in found}
