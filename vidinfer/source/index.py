"""Where a file can be cut so that its parts, decoded each by itself, are together what decoding all of it gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import av

from vidinfer.errors import SourceError
from vidinfer.frame import Gap
from vidinfer.sampling import Sampling
from vidinfer.source.container import choose_video, open_container
from vidinfer.source.decode import Decoded, PassedOver
from vidinfer.source.part import Part
from vidinfer.source.selective import SelectiveDecoder, why_everything
from vidinfer.storage import Location

__all__ = ["Split", "split"]

WHOLE = Part(None, None)
_FRONT = Sampling(every=1 << 30)
"""Asks for so little that nothing but the codec can be a reason to decode everything."""


@dataclass(frozen=True, slots=True)
class Split:
    """How a file is split."""

    parts: tuple[Part, ...]
    """Tile the file, in order; a single one where it is not to be cut."""
    why: str = ""
    """Why it is not cut."""


class _Whole(Exception):
    """The file has to be decoded as a whole; never leaves this module."""


def split(path: Location, frames: int) -> Split:
    """Cut a file into parts of at least ``frames`` frames, but for a rest. Reads all packets and decodes none.

    A file is cut only where all that its packets tell makes sense: timestamps that rise, groups of pictures that
    begin where decoding can begin, no damage that the container shows.

    Raises:
        SourceError: it cannot be read, or holds no video.
    """
    container = open_container(path)
    try:
        stream = choose_video(container, path)
        why = why_everything(container, stream, _FRONT)
        if why:
            return Split((WHOLE,), why)
        indexer = _Indexer(path, container, stream, 1, _never, sampling=_FRONT)
        try:
            for item in indexer:
                raise _Whole(item.reason if isinstance(item, Gap) else "a frame that nobody asked for")
        except _Whole as whole:
            return Split((WHOLE,), str(whole))
        finally:
            indexer.close()
        parts = _joined(indexer.groups, frames)
        return Split(parts, "" if len(parts) > 1 else f"{len(indexer.groups)} groups of pictures are too few")
    except av.FFmpegError as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error
    finally:
        container.close()


class _Indexer(SelectiveDecoder):
    """Goes through the packets and remembers where groups of pictures begin."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.groups: list[Part] = []

    def _decode_wanted(
        self,
        group: Any,
        following: Any,
        order: Any,
        wanted: set[int],  # noqa: ARG002
    ) -> Iterator[Decoded | PassedOver]:
        start, end = group[0], following[0].pts if following else None
        self.groups.append(Part(start.pts, end, self._index, len(order), start.pts, start.packet.dts))
        return
        yield

    def _give_up(self, why: str, *more: Any) -> Iterator[Decoded | Gap]:  # noqa: ARG002
        raise _Whole(why)


def _joined(groups: list[Part], frames: int) -> tuple[Part, ...]:
    parts: list[Part] = []
    for group in groups:
        # A group that is hidden altogether begins nothing: its times need not be in order.
        if parts and (parts[-1].frames < frames or not group.frames):
            parts[-1] = replace(parts[-1], end=group.end, frames=parts[-1].frames + group.frames)
        else:
            parts.append(group)
    if len(parts) > 1 and parts[-1].frames < frames // 2:
        last = parts.pop()
        parts[-1] = replace(parts[-1], end=last.end, frames=parts[-1].frames + last.frames)
    if not parts:
        return (WHOLE,)
    parts[0] = replace(parts[0], start=None)
    parts[-1] = replace(parts[-1], end=None)
    return tuple(parts) if len(parts) > 1 else (WHOLE,)


def _never() -> bool:
    return False
