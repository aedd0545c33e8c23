"""MPEG-TS over UDP, RTMP, files at their own pace, cameras of this machine."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from tests.live.conftest import numbers, opened, rest
from tests.live.servers import LONG, LossyRelay, sending
from tests.media import read_number
from vidinfer.arrival import Received, Shed
from vidinfer.clock import MonotonicClock
from vidinfer.errors import SourceError, SourceUnreachable
from vidinfer.frame import Gap
from vidinfer.interrupt import Interrupt
from vidinfer.source.live import open_live
from vidinfer.source.live_address import parse_live
from vidinfer.source.wire import answers
from vidinfer.stages import LiveSource


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def patiently(address: str, **options: object) -> LiveSource:
    """Open what may not be there yet."""
    clock = MonotonicClock()
    deadline = clock.now() + LONG
    while True:
        try:
            return open_live(address, name="camera", clock=clock, **options)  # type: ignore[arg-type]
        except SourceError:
            if clock.now() > deadline:
                raise


def test_a_transport_stream_over_udp(clip: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    address = f"udp://127.0.0.1:{port}"
    clock = MonotonicClock()
    with (
        sending(clip, f"udp://127.0.0.1:{port}?pkt_size=1316", "mpegts", "-pat_period", "0.2") as sender,
        closing(patiently(address)) as source,
    ):
        found = numbers(source, 20)
        assert found == list(range(found[0], found[0] + 20))
        assert found[0] % 10 == 0, "it begins with a keyframe"
        sender.kill()
        begun = clock.now()
        rest(source)
        assert clock.now() - begun < 5
        assert str(source.facts()["ended"]).startswith("stalled")


def test_losses_on_the_way_are_marked_or_left_out_and_nothing_else_ends(clip: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with (
        LossyRelay(port, each=20) as relay,
        sending(clip, f"udp://127.0.0.1:{relay.port}?pkt_size=1316", "mpegts", "-pat_period", "0.2"),
        closing(patiently(f"udp://127.0.0.1:{port}")) as source,
    ):
        good = bad = 0
        for item in source:
            if isinstance(item, Gap) or item.frame.corrupt:
                bad += 1
            else:
                good += 1
            if good + bad == 60:
                break
        facts = source.facts()
    assert good > 10
    assert facts["ended"] == ""


def test_nobody_sends() -> None:
    clock = MonotonicClock()
    begun = clock.now()
    with pytest.raises(SourceError), opened(f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}", stall=0.5):
        pass
    assert clock.now() - begun < 8


def test_rtmp(clip: Path) -> None:
    address = f"rtmp://127.0.0.1:{free_port(socket.SOCK_STREAM)}/live/camera"
    clock = MonotonicClock()
    with sending(clip, address, "flv", "-listen", "1") as sender, closing(patiently(address)) as source:
        assert numbers(source, 20) == list(range(20))
        sender.kill()
        begun = clock.now()
        rest(source)
        assert clock.now() - begun < 5
        assert source.facts()["ended"] != ""


def test_a_file_is_played_at_its_own_pace_to_its_end(short_clip: Path) -> None:
    clock = MonotonicClock()
    with opened(str(short_clip)) as source:
        begun = clock.now()
        assert numbers(source, 100) == list(range(25))
        assert clock.now() - begun > 0.8
        assert source.facts()["ended"] == "played to its end"


def test_or_in_a_loop_its_times_running_on(short_clip: Path) -> None:
    stamps = []
    with opened(str(short_clip), loop=True) as source:
        found = numbers(source, 60, seen=lambda item: stamps.append(item.frame.stamp))
        source.interrupt()
        assert len(rest(source)) <= 2
        assert source.facts()["ended"] == "interrupted"
    assert found == [*range(25), *range(25), *range(10)]
    steps = {b.pts - a.pts for a, b in pairwise(stamps)}
    assert len(steps) == 1, "no step at the seams"
    assert [stamp.index for stamp in stamps] == list(range(60))


def test_frames_that_no_other_needs_are_left_out(short_clip: Path) -> None:
    with opened(str(short_clip), loop=True) as source:
        numbers(source, 2)
        source.shed(Shed.NON_REFERENCE)
        found = [
            read_number(item.frame.picture.rgb())
            for item, _ in zip(source, range(30), strict=False)
            if isinstance(item, Received)
        ]
        shed = source.facts()["packets_shed"]
    assert isinstance(shed, dict)
    assert shed["non_reference"] > 5
    assert shed["non_key"] == 0
    assert len(set(found)) < 25, "the same pictures are missing in every round"


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(SourceError, match="no such file"), opened("nothing.mp4"):
        pass


def test_a_camera_that_is_not_there() -> None:
    with (
        pytest.raises(SourceUnreachable, match=r"^camera:97: no camera at /dev/video97"),
        opened("camera:97"),
    ):
        pass
    assert not answers(parse_live("camera:97"), Interrupt(), 1.0)


def test_whether_somebody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = parse_live(f"rtsps://127.0.0.1:{listener.getsockname()[1]}/x")
        assert answers(address, Interrupt(), 1.0)
    assert not answers(address, Interrupt(), 1.0)


def test_waiting_for_a_file_to_be_due_can_be_interrupted(short_clip: Path) -> None:
    with opened(str(short_clip), loop=True) as source:
        numbers(source, 2)
        threading.Timer(0.2, source.interrupt).start()
        rest(source)
        assert source.facts()["ended"] == "interrupted"
