"""Missing frames of H.264, told from the numbers in the stream; the streams are x264's."""

from __future__ import annotations

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.live.servers import packets_of
from tests.media import make_video
from vidinfer.source.frame_numbers import FrameNumbers

KINDS: dict[str, dict[str, str]] = {
    "baseline": {},
    "main": {"profile": "main", "preset": "fast", "refs": "2"},
    "high": {"profile": "high", "preset": "medium", "refs": "4", "bf": "3"},
    "pyramid": {"profile": "high", "preset": "medium", "bf": "3", "b-pyramid": "normal"},
    "matrices": {"profile": "high", "preset": "fast", "x264-params": "cqm=jvt"},
    "444": {"preset": "fast"},
}


@pytest.fixture(scope="module", params=list(KINDS))
def packets(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[bytes, bool, bool]]:
    """Access units in the order of decoding: the bytes, whether a keyframe, whether others may refer to it."""
    path = tmp_path_factory.mktemp("h264") / "x.mp4"
    make_video(
        path,
        frames=60,
        gop=25,
        codec_options=KINDS[request.param],
        pix_fmt="yuv444p" if request.param == "444" else "yuv420p",
    )
    with av.open(str(path)) as container:
        keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
    return [(unit, key, _is_reference(unit)) for unit, key in zip(packets_of(path), keys, strict=True)]


def _is_reference(unit: bytes) -> bool:
    heads = [part[0] for part in unit.split(b"\0\0\1")[1:]]
    return any(head & 0x60 for head in heads if head & 31 in (1, 5))


def missing(packets: list[tuple[bytes, bool, bool]], lost: set[int]) -> list[int]:
    numbers = FrameNumbers()
    found = []
    for i, (unit, key, _) in enumerate(packets):
        if i in lost:
            continue
        if key:
            numbers.key(unit)
        elif numbers.missing_before(unit):
            found.append(i)
    return found


def test_nothing_is_missing(packets: list[tuple[bytes, bool, bool]]) -> None:
    assert missing(packets, set()) == []


def test_a_frame_that_others_refer_to_is_missed_at_once(packets: list[tuple[bytes, bool, bool]]) -> None:
    for i, (_, key, reference) in enumerate(packets[:-1]):
        found = missing(packets, {i})
        if i == 0 or not reference or packets[i + 1][1]:
            assert found == [], i
        elif key:
            assert found[0] == i + 1
        else:
            # A frame that nothing refers to, and that comes next, has the number of the lost one.
            assert found
            assert all(not packets[j][2] for j in range(i + 1, found[0]))


@given(st.binary(max_size=200))
def test_whatever_comes_is_no_error(data: bytes) -> None:
    numbers = FrameNumbers(b"\0\0\1\x67" + data)
    numbers.key(b"\0\0\1\x65" + data)
    numbers.missing_before(b"\0\0\1\x41" + data)
    numbers.key(data)
