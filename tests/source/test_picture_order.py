"""Missing frames of HEVC; the streams are x265's, and what is shown is held against the stream that lost nothing."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.media import make_video
from vidinfer.frame import Gap
from vidinfer.source.live_decode import LiveDecoder, Shown
from vidinfer.source.live_read import Arrived
from vidinfer.source.picture_order import PictureOrder

GROUP, FRAMES = 15, 60
_X265 = "log-level=none:pools=1:frame-threads=1:b-adapt=0:scenecut=0"
KINDS: dict[str, dict[str, str]] = {
    "low delay": {"x265-params": f"{_X265}:bframes=0:open-gop=0"},
    "closed": {"preset": "medium", "x265-params": f"{_X265}:bframes=3:b-pyramid=1:open-gop=0"},
    "open": {"preset": "medium", "x265-params": f"{_X265}:bframes=3:b-pyramid=1:open-gop=1"},
    "layers": {"preset": "slow", "x265-params": f"{_X265}:bframes=2:ref=4:open-gop=0:temporal-layers=1"},
}


@dataclass(frozen=True)
class Outcome:
    """What became of a stream."""

    pictures: dict[int, NDArray[np.uint8]]
    """Those that would be labelled, by their times."""
    gaps: list[Gap]
    decoder: LiveDecoder


class Stream:
    """Packets in the order of decoding."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with av.open(str(path)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
        self.keys = [i for i, packet in enumerate(packets) if packet.is_keyframe]
        self.whole = self.without(set())
        shown = sorted(self.whole.pictures)
        ranks = sorted(range(FRAMES), key=lambda i: packets[i].pts or 0)
        self.times = {i: shown[rank] for rank, i in enumerate(ranks)}
        """Of each packet, as it is shown."""

    def without(self, lost: Collection[int]) -> Outcome:
        """As received, when these packets are lost, but the first."""
        file = io.BytesIO()
        with av.open(str(self.path)) as source, av.open(file, "w", format="mpegts") as out:
            stream = out.add_stream_from_template(source.streams.video[0])
            packets = [packet for packet in source.demux(video=0) if packet.size]
            for i, packet in enumerate(packets):
                if i not in lost:
                    packet.stream = stream
                    out.mux(packet)
        file.seek(0)
        pictures, gaps = {}, []
        with av.open(file) as container:
            video = container.streams.video[0]
            assert isinstance(video, VideoStream)
            decoder = LiveDecoder(video, 1)
            received = [Arrived(packet, 0.0) for packet in container.demux(video) if packet.size]
            for item in (item for one in [*received, Arrived(None, 0.0)] for item in decoder.frames(one)):
                if isinstance(item, Shown):
                    assert item.frame.pts is not None
                    if not item.frame.is_corrupt:
                        pictures[item.frame.pts] = item.frame.to_ndarray()
                else:
                    gaps.append(item)
        return Outcome(pictures, gaps, decoder)

    def made_up(self, outcome: Outcome) -> list[int]:
        """Times of pictures that differ from the true ones in any pixel."""
        true = self.whole.pictures
        return [
            time
            for time, picture in outcome.pictures.items()
            if time not in true or not np.array_equal(picture, true[time])
        ]


@pytest.fixture(scope="module")
def stream_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Stream]:
    folder = tmp_path_factory.mktemp("hevc")

    @cache
    def made(kind: str) -> Stream:
        path = folder / f"{kind}.mp4"
        make_video(path, frames=FRAMES, gop=GROUP, codec="libx265", codec_options=KINDS[kind])
        return Stream(path)

    return made


@pytest.fixture(params=list(KINDS))
def stream(request: pytest.FixtureRequest, stream_of: Callable[[str], Stream]) -> Stream:
    return stream_of(request.param)


def test_nothing_is_missing(stream: Stream) -> None:
    assert len(stream.whole.pictures) == FRAMES
    assert stream.whole.gaps == []


def test_one_lost_packet_costs_no_more_than_its_group(stream: Stream) -> None:
    for lost in range(1, FRAMES):
        outcome = stream.without({lost})
        assert stream.made_up(outcome) == [], lost
        following = next((key for key in stream.keys if key > lost), FRAMES)
        end = stream.times.get(following, max(stream.times.values()) + 1)
        must = {time for i, time in stream.times.items() if i < lost or (i >= following and time >= end)}
        assert must <= set(outcome.pictures), lost
        told = sum(gap.packets for gap in outcome.gaps)
        assert len(outcome.pictures) + told == FRAMES - 1, (lost, outcome.gaps)
        assert outcome.decoder.refused == 0, "it is told before the decoder sees it"


def test_frames_that_nothing_refers_to_cost_nothing_else(stream_of: Callable[[str], Stream]) -> None:
    costs = [FRAMES - len(stream_of("closed").without({i}).pictures) for i in range(1, FRAMES)]
    assert costs.count(1) >= FRAMES // 3


def test_losses_at_random_and_in_bursts_show_nothing_made_up(stream: Stream) -> None:
    """Short of a group: what a whole group's loss leaves fits together, and only RTP's own numbers tell it."""
    random_ = random.Random(7)
    shown = 0
    for trial in range(24):
        if trial % 2:
            lost = {i for i in range(1, FRAMES) if random_.random() < 0.08}
        else:
            first, length = random_.randrange(1, FRAMES), random_.randrange(2, GROUP)
            lost = set(range(first, first + length))
        outcome = stream.without(lost)
        assert stream.made_up(outcome) == [], lost
        shown += len(outcome.pictures)
    assert shown > 24 * FRAMES / 3


def test_leading_frames_of_a_stream_that_begins_with_an_open_group_are_left_out(
    stream_of: Callable[[str], Stream],
) -> None:
    stream = stream_of("open")
    outcome = stream.without(set(range(stream.keys[1])))
    assert stream.keys[1] < FRAMES
    assert outcome.decoder.before_key > 0
    assert outcome.gaps == []
    assert len(outcome.pictures) == FRAMES - stream.keys[1] - outcome.decoder.before_key


@given(st.binary(max_size=200))
def test_whatever_comes_is_no_error(data: bytes) -> None:
    order = PictureOrder(b"\0\0\1\x42\1" + data + b"\0\0\1\x44\1" + data)
    order.next(b"\0\0\1\x26\1" + data, 0, key=True)
    order.next(b"\0\0\1\2\1" + data, 1, key=False)
    order.next(data, None, key=False)
