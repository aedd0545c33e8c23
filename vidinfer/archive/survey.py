"""Looking an archive over: every file's headers, and which files are the same. Nothing is decoded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

from vidinfer.archive.duplicates import find_duplicates
from vidinfer.archive.fingerprint import Fingerprint
from vidinfer.archive.header_reader import HeaderReader
from vidinfer.errors import Interrupted
from vidinfer.plan import thread_plan
from vidinfer.source import Header, SourceFile, read_header
from vidinfer.storage import Location, RemoteFile
from vidinfer.workers import Workers

__all__ = ["Kind", "Surveyed", "survey"]

Kind: TypeAlias = Literal["video", "image", "foreign", "broken", "duplicate"]

_EACH = 200
"""Files that make another process worth its start."""
_PROCESSES = 8
"""Even where there are fewer cores, up to two for each: while one process waits for its disk, another can compute."""
_AT_ONCE = 16
"""Objects asked for at the same time: stores are slow to answer, not busy."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One file as its headers describe it: claims, not findings."""

    path: Location
    name: PurePosixPath
    """As its outputs are named."""
    kind: Kind
    """``foreign``: no media by its content, or media without pictures. ``broken``: begins like media, but cannot be
    opened or has nothing that can be decoded. ``duplicate``: byte for byte the content of a file before it."""
    fingerprint: Fingerprint | None = None
    """Where it was needed to tell duplicates apart, or asked for."""
    size: int = 0
    """Bytes."""
    duration: float | None = None
    """Seconds."""
    frames: int | None = None
    codec: str | None = None
    width: int | None = None
    """Pixels as stored, so before a rotation."""
    height: int | None = None
    rate: Fraction | None = None
    """Frames a second."""
    error: str | None = None
    """One line: why it is foreign or broken, what it is a duplicate of; of a video, what is missing from it."""

    @property
    def frames_expected(self) -> int | None:
        """As claimed, else by duration and rate; ``None`` where the headers tell neither."""
        if self.frames is not None:
            return self.frames
        if self.duration is None or self.rate is None:
            return None
        return round(self.duration * float(self.rate))

    @property
    def usable(self) -> bool:
        """There is something to label in it, and no file before it has the same."""
        return self.kind in ("video", "image")


def survey(
    files: Sequence[SourceFile],
    *,
    fingerprints: Literal["needed", "all", "none"] = "needed",
    stopped: Callable[[], bool] = lambda: False,
    advanced: Callable[[int], None] | None = None,
) -> list[Surveyed]:
    """Read the headers of all files, in the order given.

    Local files are read by processes: one that crashes or hangs FFmpeg is ``broken``, and the rest goes on. Objects in
    a store are read by threads.

    Args:
        files: what to look at.
        fingerprints: ``needed``: of files that may be duplicates; ``all``: of every usable file; ``none``: duplicates
            are not looked for.
        stopped: looked at now and then; true ends it.
        advanced: told how many more headers were read, from any thread.

    Raises:
        Interrupted: ``stopped()`` became true.
    """
    found: list[Surveyed | None] = [None] * len(files)
    work = _Work(files, found, stopped, advanced)
    local = sum(isinstance(file.path, Path) for file in files)
    remote = len(files) - local
    with Workers(on_failure=work.give_up) as workers:
        for number in range(min(_most_processes(), -(-local // _EACH))):
            workers.start(f"headers-{number}", work.read_local)
        for number in range(min(_AT_ONCE, remote)):
            workers.start(f"objects-{number}", work.read_remote)
    if stopped():
        raise Interrupted("stopped while reading headers")
    whole = [one for one in found if one is not None]
    return whole if fingerprints == "none" else _told_apart(whole, fingerprints == "all", stopped)


class _Work:
    """What is still to be read. Thread rule: share freely."""

    def __init__(
        self,
        files: Sequence[SourceFile],
        found: list[Surveyed | None],
        stopped: Callable[[], bool],
        advanced: Callable[[int], None] | None,
    ) -> None:
        self._files, self._found, self._advanced = files, found, advanced
        self._asked_to_stop = stopped
        self._failed = False
        self._lock = threading.Lock()
        self._local = iter([i for i, file in enumerate(files) if isinstance(file.path, Path)])
        self._remote = iter([i for i, file in enumerate(files) if isinstance(file.path, RemoteFile)])

    def give_up(self) -> None:
        self._failed = True

    def stopped(self) -> bool:
        return self._failed or self._asked_to_stop()

    def read_local(self) -> None:
        with ExitStack() as stack:
            reader = stack.enter_context(HeaderReader(self.stopped))
            for index in self._next(self._local):
                path = self._files[index].path
                assert isinstance(path, Path)
                try:
                    self._done(index, reader.read(path))
                except Interrupted:
                    return

    def read_remote(self) -> None:
        for index in self._next(self._remote):
            try:
                self._done(index, read_header(self._files[index].path, self.stopped))
            except Interrupted:
                return

    def _next(self, indices: Iterator[int]) -> Iterable[int]:
        while not self.stopped():
            with self._lock:
                index = next(indices, None)
            if index is None:
                return
            yield index

    def _done(self, index: int, header: Header) -> None:
        file = self._files[index]
        self._found[index] = Surveyed(
            file.path,
            file.name,
            header.kind,
            None,
            header.size,
            header.duration,
            header.frames,
            _shared(header.codec),
            header.width,
            header.height,
            _rate(header.rate),
            header.error,
        )
        if self._advanced is not None:
            self._advanced(1)


def _most_processes() -> int:
    cores = thread_plan().cores
    return max(cores, min(2 * cores, _PROCESSES))


@lru_cache(maxsize=1024)
def _rate(text: str | None) -> Fraction | None:
    return None if text is None else Fraction(text)


@lru_cache(maxsize=1024)
def _shared(text: str | None) -> str | None:
    return text  # one string for all files, not one each


def _told_apart(found: list[Surveyed], every: bool, stopped: Callable[[], bool]) -> list[Surveyed]:
    """With fingerprints, and what is a duplicate marked so."""
    usable = {i: one for i, one in enumerate(found) if one.usable}
    same = find_duplicates(
        {i: (one.path, one.size) for i, one in usable.items()}, every=every, stopped=stopped
    )
    for i, print_ in same.fingerprints.items():
        found[i] = replace(found[i], fingerprint=print_)
    for i, error in same.errors.items():
        found[i] = replace(found[i], kind="broken", error=error)
    for i, first in same.duplicates.items():
        words = f"{found[i].path}: the same content as {found[first].name}"
        found[i] = replace(found[i], kind="duplicate", error=words)
    return found
