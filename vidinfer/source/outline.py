"""Where an object in a store can be cut, told by its index alone: none of its payload but a few packets is fetched.

The index of an MP4 or MOV file lists time, place and size of every packet, and which are sync samples. FFmpeg reads the
file with zeros in the place of its payload, and gives the very packets that it gives of the file but for their content.
What that would tell (whether decoding can begin with a sync sample) is asked of a few of them here, and of each part's
first packet when the part is decoded; what a part holds is counted then. So an index that lies costs time, not frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from fractions import Fraction
from functools import partial
from itertools import chain, islice, pairwise
from typing import NamedTuple, cast

import av
from av.container import Flags, InputContainer
from av.video.stream import VideoStream

from vidinfer.errors import SourceError
from vidinfer.sampling import Sampling
from vidinfer.source.coded import reader_for
from vidinfer.source.container import choose_video, open_container
from vidinfer.source.groups import FRONT, Groups, Shown, Split, Whole, split_of
from vidinfer.source.part import WHOLE
from vidinfer.source.selective import why_everything
from vidinfer.source.truncation import boxes, bytes_missing
from vidinfer.storage import OutlineReader, RemoteFile

__all__ = ["split_by_index"]

_BOXES = 64
"""Most boxes at the top of a file that is not in fragments."""
_ASKED = 4
"""Sync samples that are looked at here."""
_LARGEST = 4 << 20
"""Bytes of a packet that is looked at."""


class _Packet(NamedTuple):
    pts: int
    dts: int
    key: bool
    shown: bool
    position: int
    size: int


def split_by_index(path: RemoteFile, frames: int, sampling: Sampling | None = None) -> Split:
    """As :func:`vidinfer.source.split`, from the index of an object.

    Raises:
        SourceError: it cannot be read, or holds no video.
    """
    path = RemoteFile(path.url, path.stat())
    try:
        payload = _payload(path)
        with (
            closing(OutlineReader(path.open())) as file,
            closing(open_container(path, media=file)) as container,
        ):
            stream = choose_video(container, path)
            selective = _check(container, stream, sampling)
            groups = Groups(
                sampling, Fraction(stream.time_base or Fraction(1, av.time_base)), selective=selective
            )
            file.veil(payload)
            keys = _take(_packets(container, stream, file.size), groups)
            made = split_of(groups, frames)
            if len(made.parts) > 1:
                _ask(stream, file, keys)
            return made
    except Whole as whole:
        return Split((WHOLE,), str(whole))
    except av.FFmpegError as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error


def _payload(path: RemoteFile) -> list[tuple[int, int]]:
    """The spans of the file that hold packets.

    Raises:
        Whole: it has no index, or none that is whole.
    """
    if bytes_missing(path):
        raise Whole("its end is missing")
    found = list(islice(boxes(path), _BOXES))
    kinds = [kind for kind, _, _ in found]
    if "moov" not in kinds or "moof" in kinds or len(found) == _BOXES:
        raise Whole("it has no index of all its packets: all of it would have to be fetched first")
    end = path.stat().st_size
    return [(at + 16, at + size if size else end) for kind, at, size in found if kind == "mdat"]


def _check(container: InputContainer, stream: VideoStream, sampling: Sampling | None) -> bool:
    """Whether what ``sampling`` leaves out is not decoded.

    Raises:
        Whole: it is no file to be cut.
    """
    why = why_everything(container, stream, FRONT)
    if why:
        raise Whole(why)
    if sampling is None:
        return False
    if sampling.keyframes and (sampling.fps is not None or sampling.max_frames is not None):
        raise Whole("how many keyframes come before a place is not told without reading them")
    return not why_everything(container, stream, sampling)


def _packets(container: InputContainer, stream: VideoStream, size: int) -> Iterator[_Packet]:
    """All of the index.

    Raises:
        Whole: it makes no sense.
    """
    entries = stream.index_entries
    listed = len(entries)
    if not listed:
        raise Whole("it has no index of all its packets: all of it would have to be fetched first")
    # Parsers would look for keyframes among the zeros; a seek lets go of those that opening has made.
    container.flags |= cast(int, Flags.no_parse.value)
    container.seek(entries[0].timestamp, stream=stream)
    count = 0
    for packet in container.demux(stream):
        if packet.size == 0 and packet.dts is None:
            break
        if packet.is_corrupt or packet.pts is None or packet.dts is None or packet.pos is None:
            raise Whole("packets without a timestamp, or marked as damaged")
        if not packet.size or packet.pos + packet.size > size:
            raise Whole("packets that are not in the file")
        count += 1
        shown = not packet.is_discard
        yield _Packet(packet.pts, packet.dts, packet.is_keyframe, shown, packet.pos, packet.size)
    if count != listed:
        raise Whole(f"{count} packets where its index lists {listed}")


def _take(packets: Iterator[_Packet], groups: Groups) -> list[_Packet]:
    """Hand over all groups of pictures. Returns their first packets.

    Raises:
        Whole: times that repeat or run backwards, or frames before the first keyframe.
    """
    keys: list[_Packet] = []
    last: int | None = None
    for group, following in pairwise(chain(_groups(packets), [[]])):
        if not keys and (not group[0].key or any(one.shown and one.pts < group[0].pts for one in group)):
            raise Whole("frames before the first keyframe")
        keys.append(group[0])
        begin, end = group[0].pts, following[0].pts if following else None
        unit = [one for one in group if one.shown and one.pts >= begin]
        unit += [one for one in following if one.shown and one.pts < following[0].pts]
        unit.sort(key=lambda one: one.pts)
        times = ([] if last is None else [last]) + [one.pts for one in unit]
        if not all(a < b for a, b in pairwise(times)):
            raise Whole("times that repeat or run backwards")
        last = times[-1] if times else last
        own = {one.pts: number for number, one in enumerate(group, 1)}
        if not groups.over:
            groups.add(
                _shown(group[0]),
                group[0].dts,
                group[0].position,
                end,
                [_shown(one) for one in unit],
                partial(_reach, own),
            )
    return keys


def _groups(packets: Iterator[_Packet]) -> Iterator[list[_Packet]]:
    group: list[_Packet] = []
    for packet in packets:
        if packet.key and group:
            yield group
            group = []
        group.append(packet)
    if group:
        yield group


def _reach(places: Mapping[int, int], wanted: set[int]) -> int:
    """How many packets of a group are decoded up to the last that is wanted."""
    return max((places.get(pts, len(places)) for pts in wanted), default=0)


def _shown(packet: _Packet) -> Shown:
    return Shown(packet.pts, packet.key)


def _ask(stream: VideoStream, file: OutlineReader, keys: list[_Packet]) -> None:
    """Look at some of the packets that decoding may begin with.

    Raises:
        Whole: it cannot.
    """
    codec = stream.codec_context
    read = reader_for(codec.codec.canonical_name, codec.extradata)
    assert read is not None
    asked = keys[:: max(1, len(keys) // _ASKED)]
    for key in asked:
        coded = read(memoryview(file.unveiled(key.position, min(key.size, _LARGEST))))
        if coded.odd or not coded.start:
            raise Whole(coded.odd or "sync samples that decoding cannot begin with")
