"""What a user gave as live sources, looked at before anything is begun."""

from __future__ import annotations

from collections.abc import Sequence

from vidinfer.address import is_live, is_many, named
from vidinfer.errors import UsageError
from vidinfer.source import expand_sources, parse_live

__all__ = ["check_sources"]


def check_sources(sources: Sequence[str]) -> None:
    """Nobody waits for a model only to hear of a mistyped name, nor for ever for a file that nobody will bring.

    Raises:
        UsageError: an address that is none, or what stands for any number of files.
        SourceError: a file that is not there.
    """
    for source in sources:
        parse_live(named(source).address)
        if is_live(source):
            continue
        if is_many(source):
            raise UsageError(
                f"{source}: a folder, a list or a pattern; name each file that is to be played live"
            )
        if errors := expand_sources((source,)).errors:
            raise errors[0][1]
