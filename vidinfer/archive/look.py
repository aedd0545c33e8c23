"""The first look at the files of a run: those that can be labelled are known by content and parts, the others told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TypeAlias

from vidinfer.archive.header_reader import HeaderReader
from vidinfer.archive.planning import KnownFile, identify
from vidinfer.archive.recipe import can_be_split
from vidinfer.archive.survey import survey
from vidinfer.build import sampling_of
from vidinfer.config import RunConfig
from vidinfer.errors import SourceError
from vidinfer.sampling import Sampling
from vidinfer.source import SourceFile

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
                yield identify(file, splitter, stopped, config.fingerprint)
            except SourceError as error:
                yield error
