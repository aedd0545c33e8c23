"""Where a file can be cut so that its parts, decoded each by itself, are together what decoding all of it gives."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

from vidinfer.errors import SourceError
from vidinfer.frame import Gap
from vidinfer.sampling import Sampling
from vidinfer.source.container import choose_video, open_container
from vidinfer.source.decode import Decoded, PassedOver
from vidinfer.source.groups import FRONT, Groups, Shown, Split, Whole, split_of
from vidinfer.source.outline import split_by_index
from vidinfer.source.part import WHOLE
from vidinfer.source.selective import SelectiveDecoder, packets_needed, why_everything
from vidinfer.storage import Location, RemoteFile

__all__ = ["Split", "split"]


def split(path: Location, frames: int, sampling: Sampling | None = None) -> Split:
    """Cut a file into parts of which at least ``frames`` frames are decoded, but for a rest. Decodes none.

    A file is cut only where all that its packets tell makes sense: timestamps that rise, groups of pictures that
    begin where decoding can begin, no damage that the container shows.

    Args:
        path: the file; all its packets are read. Of an object in a store only the index is, and it is not cut where
            that does not tell of all packets.
        frames: at least 1.
        sampling: what it leaves out is not decoded, where that can be, and what is behind its end is not looked at.

    Raises:
        SourceError: it cannot be read, or holds no video.
    """
    if isinstance(path, RemoteFile):
        return split_by_index(path, frames, sampling)
    container = open_container(path)
    try:
        stream = choose_video(container, path)
        why = why_everything(container, stream, FRONT)
        if why:
            return Split((WHOLE,), why)
        selective = sampling is not None and not why_everything(container, stream, sampling)
        groups = Groups(
            sampling, Fraction(stream.time_base or Fraction(1, av.time_base)), selective=selective
        )
        indexer = _Indexer(path, container, stream, 1, _never, sampling=FRONT, groups=groups)
        try:
            for item in indexer:
                raise Whole(item.reason if isinstance(item, Gap) else "a frame that nobody asked for")
        except Whole as whole:
            return Split((WHOLE,), str(whole))
        finally:
            indexer.close()
        return split_of(groups, frames)
    except av.FFmpegError as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error
    finally:
        container.close()


class _Indexer(SelectiveDecoder):
    """Goes through the packets and remembers where groups of pictures begin."""

    def __init__(self, *args: Any, groups: Groups, **options: Any) -> None:
        super().__init__(*args, **options)
        self._found = groups

    def _decode_wanted(
        self,
        group: Any,
        following: Any,
        order: Any,
        wanted: set[int],  # noqa: ARG002
    ) -> Iterator[Decoded | PassedOver]:
        start, end = group[0], following[0].pts if following else None
        self._found.add(
            _shown(start),
            start.packet.dts,
            start.packet.pos,
            end,
            [_shown(one) for one in order],
            lambda wanted: len(packets_needed(group, following, wanted)),
        )
        return
        yield

    def _is_over(self) -> bool:
        return self._found.over

    def _give_up(self, why: str, *more: Any) -> Iterator[Decoded | Gap]:  # noqa: ARG002
        raise Whole(why)


def _shown(one: Any) -> Shown:
    return Shown(one.pts, bool(one.coded.key))


def _never() -> bool:
    return False
