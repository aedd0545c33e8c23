"""What is in a file: what its container claims, and what is found by reading it."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition, Stream

from vidinfer.frame import Gap
from vidinfer.source.container import choose_video, open_container
from vidinfer.source.file import FileSource
from vidinfer.storage import Location

__all__ = ["probe"]

_GAPS_LISTED = 20


def probe(path: Location, *, quick: bool = False, threads: int = 1) -> dict[str, object]:
    """Describe ``path``, ready for JSON: ``container``, ``streams`` and, of the video to be labelled, ``video``.

    ``video`` holds what was stored (codec, sizes, colour, …), what is ``claimed`` and what was ``found``. All packets
    are read; ``quick`` leaves out decoding them, and with it the found frames, B-frames and damage.

    Raises:
        SourceError: it cannot be read, or holds no video that can be decoded.
    """
    with open_container(path) as container:
        report: dict[str, object] = {
            "path": str(path),
            "bytes": path.stat().st_size,
            "container": {
                "format": container.format.name,
                "name": container.format.long_name,
                "duration": None if container.duration is None else container.duration / av.time_base,
                "start": None if container.start_time is None else container.start_time / av.time_base,
                "bit_rate": container.bit_rate or None,
                "metadata": dict(container.metadata),
            },
            "streams": [_stream(stream) for stream in container.streams],
        }
        packets = _read_packets(container, path)
    source = FileSource(path, name=path.name, threads=threads)
    try:
        info = source.info
        video: dict[str, object] = dict(info.details) | {
            "time_base": f"{info.time_base.numerator}/{info.time_base.denominator}",
            "claimed": {
                "rate": str(info.rate) if info.rate else None,
                "frames": info.frames_claimed,
                "duration": info.duration,
            },
            "packets": packets.as_dict(),
        }
        if not quick:
            video["found"] = _decode(source)
    finally:
        source.close()
    return report | {"video": video}


@dataclass(slots=True)
class _Packets:
    """The packets of the video stream."""

    count: int = 0
    hidden: int = 0
    without_pts: int = 0
    keyframes: int = 0
    gops: Counter[int] = field(default_factory=Counter)
    times: array[int] = field(default_factory=lambda: array("q"))
    error: str | None = None
    _gop: int = 0

    def add(self, time: int | None, keyframe: bool, hidden: bool) -> None:
        self.count += 1
        self.hidden += hidden
        if keyframe:
            self.end_gop()
            self.keyframes += 1
        self._gop += 1
        if time is None:
            self.without_pts += 1
        elif not hidden:
            self.times.append(time)

    def end_gop(self) -> None:
        if self._gop:
            self.gops[self._gop] += 1
        self._gop = 0

    def as_dict(self) -> dict[str, object]:
        lengths = sorted(self.gops.elements())
        return {
            "packets": self.count,
            "hidden_by_edit_list": self.hidden,
            "without_pts": self.without_pts,
            "keyframes": self.keyframes,
            "gop_lengths": {"min": lengths[0], "median": lengths[len(lengths) // 2], "max": lengths[-1]}
            if lengths
            else None,
            "error": self.error,
        } | _spacing(np.sort(np.asarray(self.times)))


def _read_packets(container: InputContainer, path: Location) -> _Packets:
    stream = choose_video(container, path)
    packets = _Packets()
    # AVI stores no pts, and those that FFmpeg makes up are wrong with B-frames; its dts are the chunks' own times.
    stored_pts = container.format.name != "avi"
    try:
        for packet in container.demux(stream):
            if packet.size:
                time = packet.pts if stored_pts else packet.dts
                packets.add(time, packet.is_keyframe, packet.is_discard)
    except av.FFmpegError as error:
        packets.error = error.strerror or type(error).__name__
    packets.end_gop()
    return packets


def _decode(source: FileSource) -> dict[str, object]:
    times: array[int] = array("q")
    gaps: list[dict[str, object]] = []
    for item in source:
        if isinstance(item, Gap):
            if len(gaps) < _GAPS_LISTED:
                gaps.append({"first_pts": item.first_pts, "last_pts": item.last_pts, "packets": item.packets})
                gaps[-1]["reason"] = item.reason
            continue
        if item.stamp.pts is not None:
            times.append(item.stamp.pts)
    return source.facts() | {"gap_list": gaps} | _spacing(np.asarray(times))


def _spacing(times: np.ndarray[tuple[int], np.dtype[np.int64]]) -> dict[str, object]:
    """First and last time, and the steps in between, in the time base."""
    steps = np.diff(times)
    spread = (
        {"min": int(steps.min()), "median": int(np.median(steps)), "max": int(steps.max())}
        if len(steps)
        else None
    )
    return {
        "first_pts": int(times[0]) if len(times) else None,
        "last_pts": int(times[-1]) if len(times) else None,
        "steps": spread,
        "distinct_steps": len(np.unique(steps)),
        "variable_rate": bool(len(steps)) and int(steps.max() - steps.min()) > 1,
    }


def _stream(stream: Stream) -> dict[str, object]:
    facts: dict[str, object] = {
        "index": stream.index,
        "type": stream.type,
        "time_base": str(stream.time_base),
        "start_pts": stream.start_time,
        "language": stream.language,
        "attached_picture": bool(stream.disposition & Disposition.attached_pic),
    }
    context = stream.codec_context
    if context is None:
        return facts | {"codec": None}
    facts |= {"codec": context.codec.canonical_name, "profile": stream.profile}
    if isinstance(stream, av.AudioStream):
        facts |= {
            "sample_rate": stream.sample_rate,
            "layout": stream.layout.name,
            "channels": stream.channels,
        }
    if isinstance(stream, av.VideoStream):
        facts |= {"size": [stream.width, stream.height], "pix_fmt": stream.pix_fmt}
    return facts
