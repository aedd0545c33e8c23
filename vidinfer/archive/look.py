"""The first look at the files of a run: those that can be labelled are known by content and parts, the others told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeAlias

from vidinfer.archive.header_pool import HeaderPool
from vidinfer.archive.planning import KnownFile, identify
from vidinfer.archive.recipe import can_be_split
from vidinfer.archive.survey import Surveyed, survey
from vidinfer.build import sampling_of
from vidinfer.config import RunConfig
from vidinfer.errors import SourceError
from vidinfer.ordered_map import ordered_map
from vidinfer.plan import thread_plan
from vidinfer.sampling import Sampling
from vidinfer.source import Part, SourceFile
from vidinfer.storage import Location, RemoteFile

__all__ = ["Look", "look_over"]

Look: TypeAlias = Callable[
    [Sequence[SourceFile], RunConfig, Callable[[], bool]], Generator[KnownFile | SourceError]
]
"""As :func:`look_over`."""

AT_ONCE = 16
"""Files that are identified at a time: network file systems and stores are slow to answer, not busy."""
WHOLE_AT_ONCE = 4
"""The same where every byte is read: a disk that turns should not have to jump among many files, and a reader of an
object holds up to 16 MiB of it."""


def look_over(
    files: Sequence[SourceFile],
    config: RunConfig,
    stopped: Callable[[], bool],
    *,
    at_once: int | None = None,
) -> Generator[KnownFile | SourceError]:
    """Each file in turn, or why it cannot be labelled. To be closed if it is left early.

    Headers are read first, then files are identified several at a time. Going through all packets of a file to split it
    takes a core, so that no more processes do it than there are cores.

    Args:
        files: what to look at.
        config: says whether and how files are split.
        stopped: looked at now and then; true ends it.
        at_once: files identified at a time; ``None``: as many as pays.

    Raises:
        Interrupted: ``stopped()`` became true.
    """
    surveyed = survey(files, fingerprints="none", stopped=stopped)
    threads = at_once or (WHOLE_AT_ONCE if config.fingerprint == "full" else AT_ONCE)
    with HeaderPool(min(threads, thread_plan().cores)) as pool:
        identifier = _Identifier(config, pool)
        with ordered_map("identify", identifier, surveyed, threads=threads, stopped=stopped) as found:
            yield from found


class _Identifier:
    """Thread rule: share freely."""

    def __init__(self, config: RunConfig, pool: HeaderPool) -> None:
        self._pool, self._mode = pool, config.fingerprint
        self._splits = can_be_split(config)
        sampling = sampling_of(config)
        self._frames, self._sampling = config.unit_frames, None if sampling == Sampling() else sampling

    def __call__(self, file: Surveyed, off: Callable[[], bool]) -> KnownFile | SourceError:
        def split(path: Location) -> tuple[Part, ...]:
            with self._pool.lent(off) as reader:
                return reader.split(path, self._frames, self._sampling)

        try:
            if not file.usable:
                raise SourceError(file.error or f"{file.path}: {file.kind}")
            wanted = split if self._splits and _may_be_long(file, self._frames) else None
            return identify(file, wanted, off, self._mode)
        except SourceError as error:
            return error


def _may_be_long(file: Surveyed, frames: int) -> bool:
    """Asking a store for the index of an object takes longer than reading its headers did; those of short ones tell."""
    claimed = file.frames_expected
    return not isinstance(file.path, RemoteFile) or claimed is None or claimed >= 1.5 * frames
