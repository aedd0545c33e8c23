"""The first look at the files of a run: those that can be labelled are known by content and parts, the others told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TypeAlias

from vidinfer.archive.header_reader import HeaderReader
from vidinfer.archive.planning import KnownFile, identify
from vidinfer.archive.recipe import can_be_split
from vidinfer.archive.survey import Surveyed, survey
from vidinfer.build import sampling_of
from vidinfer.config import RunConfig
from vidinfer.errors import SourceError
from vidinfer.sampling import Sampling
from vidinfer.source import SourceFile
from vidinfer.storage import RemoteFile

__all__ = ["Look", "look_over"]

Look: TypeAlias = Callable[
    [Sequence[SourceFile], RunConfig, Callable[[], bool]], Generator[KnownFile | SourceError]
]
"""As :func:`look_over`."""


def look_over(
    files: Sequence[SourceFile], config: RunConfig, stopped: Callable[[], bool]
) -> Generator[KnownFile | SourceError]:
    """Each file in turn, or why it cannot be labelled.

    Args:
        files: what to look at.
        config: says whether and how files are split.
        stopped: looked at now and then; true ends it.

    Raises:
        Interrupted: ``stopped()`` became true.
    """
    with HeaderReader(stopped) as reader:
        splitter = None
        if can_be_split(config):
            sampling = sampling_of(config)
            asked = None if sampling == Sampling() else sampling
            splitter = partial(reader.split, frames=config.unit_frames, sampling=asked)
        for file in survey(files, fingerprints="none", stopped=stopped):
            try:
                if not file.usable:
                    raise SourceError(file.error or f"{file.path}: {file.kind}")
                wanted = splitter if _may_be_long(file, config.unit_frames) else None
                yield identify(file, wanted, stopped, config.fingerprint)
            except SourceError as error:
                yield error


def _may_be_long(file: Surveyed, frames: int) -> bool:
    """Asking a store for the index of an object takes longer than reading its headers did; those of short ones tell."""
    claimed = file.frames_expected
    return not isinstance(file.path, RemoteFile) or claimed is None or claimed >= 1.5 * frames
