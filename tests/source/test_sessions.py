"""Several decoders side by side give what one gives: the same frames, gaps, facts and pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.container import InputContainer
from av.video.stream import VideoStream

from tests.media import draw_colours, flip_bytes, make_video, truncate
from tests.source.reading import Reading, read
from vidinfer.frame import Frame, Gap
from vidinfer.source.container import choose_video, open_container
from vidinfer.source.decode import Decoder
from vidinfer.source.file import FileSource
from vidinfer.source.sessions import ParallelDecoder, begins_anew


class SideBySide(FileSource):
    """As on a GPU, but in software."""

    def __init__(self, path: Path, *, sessions: int, waiting: int = 8) -> None:
        self._others: list[InputContainer] = [open_container(path) for _ in range(sessions - 1)]
        self._room = waiting
        super().__init__(path, name=path.name, threads=1)

    def _make_decoder(self, path: Path, stream: VideoStream, threads: int) -> Decoder:
        codecs = [stream.codec_context, *(choose_video(one, path).codec_context for one in self._others)]
        for one in codecs[1:]:
            one.thread_count = 1
        return ParallelDecoder(
            path, self._container, stream, threads, self._stop.is_set, codecs=codecs, waiting=self._room
        )

    def close(self) -> None:
        super().close()
        for other in self._others:
            other.close()


def read_side_by_side(path: Path, **settings: Any) -> Reading:
    source = SideBySide(path, **settings)
    try:
        return Reading(source.info, list(source), source.facts())
    finally:
        source.close()


def told(reading: Reading) -> list[object]:
    """Everything but the pixels."""
    return [item if isinstance(item, Gap) else (item.stamp, item.corrupt) for item in reading.items]


def same(one: Reading, other: Reading) -> None:
    assert told(one) == told(other)
    assert one.facts == other.facts
    for a, b in zip(one.items, other.items, strict=True):
        if isinstance(a, Frame) and isinstance(b, Frame):
            np.testing.assert_array_equal(a.picture.rgb(), b.picture.rgb())


FILES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "mp4": ("clip.mp4", {"b_frames": 2}),
    "one picture each": ("clip.mp4", {"gop": 1}),
    "a single stretch": ("clip.mp4", {"gop": 1000}),
    "open groups": (
        "clip.mkv",
        {
            "b_frames": 3,
            "codec_options": {"preset": "medium", "x264-params": "open-gop=1:keyint=10:min-keyint=5"},
        },
    ),
    "intra refresh": ("clip.mkv", {"codec_options": {"x264-params": "intra-refresh=1:keyint=10"}}),
    "start codes": ("clip.ts", {"b_frames": 2}),
    "no times": ("clip.h264", {"format": "h264"}),
    "avi": ("clip.avi", {"b_frames": 2}),
    "hevc": ("clip.mp4", {"codec": "libx265"}),
    "turned": ("clip.mp4", {"rotation": 90}),
    "times of its own": ("clip.mkv", {"pts": [7 * i * i for i in range(50)], "time_base": Fraction(1, 1000)}),
}


@pytest.mark.parametrize("sessions", [1, 3])
@pytest.mark.parametrize("case", FILES, ids=lambda name: name.replace(" ", "-"))
def test_as_one_after_the_other(tmp_path: Path, case: str, sessions: int) -> None:
    name, settings = FILES[case]
    path = make_video(tmp_path / name, frames=50, draw=draw_colours, **{"gop": 10, **settings})
    expected = read(path, threads=1)
    assert len(expected.frames) == 50
    same(read_side_by_side(path, sessions=sessions), expected)


@pytest.mark.parametrize(
    "damage", [lambda p: truncate(p, keep=0.7), lambda p: flip_bytes(p, start=0.4, end=0.6)]
)
@pytest.mark.parametrize("name", ["clip.ts", "clip.mkv"])
def test_damage_is_told_all_the_same(tmp_path: Path, name: str, damage: Callable[[Path], Path]) -> None:
    path = make_video(tmp_path / name, frames=60, gop=10, b_frames=2, draw=draw_colours)
    intact = {frame.stamp.pts: frame.picture.rgb() for frame in read(path, threads=1).frames}
    damage(path)
    expected, found = read(path, threads=1), read_side_by_side(path, sessions=3)
    assert expected.gaps
    assert found.gaps
    assert expected.facts["packets"] == found.facts["packets"]

    def right(reading: Reading) -> set[int | None]:
        frames = [frame for frame in reading.frames if not frame.corrupt]
        return {f.stamp.pts for f in frames if np.array_equal(f.picture.rgb(), intact[f.stamp.pts])}

    # What is guessed for a damaged picture depends on what was decoded before it; what is right does not.
    assert right(found) == right(expected)
    assert len(right(expected)) >= 20


def test_giving_up_in_the_midst_leaves_nothing_running(tmp_path: Path) -> None:
    """The fixture that looks for threads decides."""
    path = make_video(tmp_path / "clip.mp4", frames=60, gop=5)
    source = SideBySide(path, sessions=3, waiting=1)
    frames = iter(source)
    next(frames)
    next(frames)
    source.close()
    source = SideBySide(path, sessions=3, waiting=1)
    source.interrupt()
    assert len(list(source)) <= 1
    source.close()


def test_where_a_stretch_begins(tmp_path: Path) -> None:
    options = {"preset": "medium", "x264-params": "open-gop=1:keyint=10:min-keyint=5"}
    for name, b_frames, only_first in (("closed.mp4", 0, False), ("open.mp4", 3, True)):
        path = make_video(
            tmp_path / name, frames=40, gop=10, b_frames=b_frames, codec_options=options if b_frames else None
        )
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            extradata = stream.codec_context.extradata
            anew = [
                begins_anew(packet, "h264", extradata) for packet in container.demux(stream) if packet.size
            ]
        assert anew[0]
        assert (sum(anew) == 1) == only_first
    assert not begins_anew(av.Packet(b"\0\0\0\1\x65"), "h264", None)  # no keyframe, says the container
