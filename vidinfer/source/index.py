"""Where a file can be cut so that its parts, decoded each by itself, are together what decoding all of it gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import av

from vidinfer.errors import SourceError
from vidinfer.frame import FrameStamp, Gap
from vidinfer.sampling import Sampler, Sampling
from vidinfer.source.container import choose_video, open_container
from vidinfer.source.decode import Decoded, PassedOver
from vidinfer.source.part import WHOLE, Part
from vidinfer.source.selective import SelectiveDecoder, packets_needed, why_everything
from vidinfer.storage import Location

__all__ = ["Split", "split"]

_FRONT = Sampling(every=1 << 30)
"""Asks for so little that nothing but the codec can be a reason to decode everything."""
_READING = 0.01
"""What reading a frame's packet costs, as a share of decoding it."""


@dataclass(frozen=True, slots=True)
class Split:
    """How a file is split."""

    parts: tuple[Part, ...]
    """Tile the file, in order; a single one where it is not to be cut."""
    why: str = ""
    """Why it is not cut."""


class _Whole(Exception):
    """The file has to be decoded as a whole; never leaves this module."""


class _Group(NamedTuple):
    part: Part
    cost: float
    """In frames decoded."""


def split(path: Location, frames: int, sampling: Sampling | None = None) -> Split:
    """Cut a file into parts of which at least ``frames`` frames are decoded, but for a rest. Decodes none.

    A file is cut only where all that its packets tell makes sense: timestamps that rise, groups of pictures that
    begin where decoding can begin, no damage that the container shows.

    Args:
        path: the file; all its packets are read.
        frames: at least 1.
        sampling: what it leaves out is not decoded, where that can be; it has to be local.

    Raises:
        SourceError: it cannot be read, or holds no video.
    """
    container = open_container(path)
    try:
        stream = choose_video(container, path)
        why = why_everything(container, stream, _FRONT)
        if why:
            return Split((WHOLE,), why)
        selective = sampling is not None and not why_everything(container, stream, sampling)
        indexer = _Indexer(
            path, container, stream, 1, _never, sampling=_FRONT, decoded=sampling if selective else None
        )
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

    def __init__(self, *args: Any, decoded: Sampling | None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.groups: list[_Group] = []
        self._chooser = None if decoded is None else Sampler(decoded)
        self._origin = 0

    def _decode_wanted(
        self,
        group: Any,
        following: Any,
        order: Any,
        wanted: set[int],  # noqa: ARG002
    ) -> Iterator[Decoded | PassedOver]:
        start, end = group[0], following[0].pts if following else None
        if self._last is None and order:
            self._origin = order[0].pts
        part = Part(
            start.pts, end, self._index, len(order), start.pts, start.packet.dts, self._origin, self._last
        )
        self.groups.append(_Group(part, self._cost(group, following, order)))
        return
        yield

    def _cost(self, group: Any, following: Any, order: Any) -> float:
        if self._chooser is None:
            return len(order)
        wanted = set[int]()
        for index, one in enumerate(order, self._index):
            stamp = FrameStamp(index, one.pts, self._time_base, keyframe=bool(one.coded.key))
            if self._chooser.skip_reason(stamp) is None:
                wanted.add(one.pts)
        return len(packets_needed(group, following, wanted)) + _READING * len(order)

    def _give_up(self, why: str, *more: Any) -> Iterator[Decoded | Gap]:  # noqa: ARG002
        raise _Whole(why)


def _joined(groups: list[_Group], frames: int) -> tuple[Part, ...]:
    parts: list[_Group] = []
    for group in groups:
        # A group that is hidden altogether begins nothing: its times need not be in order.
        if parts and (parts[-1].cost < frames or not group.part.frames):
            parts[-1] = _both(parts[-1], group)
        else:
            parts.append(group)
    if len(parts) > 1 and parts[-1].cost < frames / 2:
        last = parts.pop()
        parts[-1] = _both(parts[-1], last)
    if len(parts) < 2:
        return (WHOLE,)
    found = [group.part for group in parts]
    return (replace(found[0], start=None), *found[1:-1], replace(found[-1], end=None))


def _both(one: _Group, other: _Group) -> _Group:
    part = replace(one.part, end=other.part.end, frames=one.part.frames + other.part.frames)
    return _Group(part, one.cost + other.cost)


def _never() -> bool:
    return False
