"""RTSP against GStreamer's own server."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.live.conftest import numbers, opened, rest
from tests.live.gst_words import PASSWORD, USER
from tests.live.servers import FaultyProxy, rtsp_server
from vidinfer.arrival import Received, Shed, TimeSource
from vidinfer.clock import MonotonicClock
from vidinfer.errors import SourceError, SourceRefused, SourceUnreachable
from vidinfer.source.live import open_live

QUOTED = "pa%3Ass%40word"


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_frames_come_from_the_first_keyframe_on_and_in_order(gst: str, transport: str) -> None:
    clock, ages, stamps = MonotonicClock(), [], []

    def seen(item: Received) -> None:
        ages.append(clock.now() - item.received)
        stamps.append(item.frame.stamp)

    with opened(f"rtsp://{gst}/h264", transport=transport, first_index=7) as source:
        assert (source.info.width, source.info.height) == (160, 120)
        assert source.info.details["codec"] == "h264"
        assert numbers(source, 30, seen=seen) == list(range(30))
        assert source.facts()["ended"] == ""
    assert [stamp.index for stamp in stamps] == list(range(7, 37))
    assert stamps[0].keyframe
    assert all(age >= 0 for age in ages)
    assert sorted(ages)[15] < 0.5
    times = [stamp.time for stamp in stamps if stamp.time is not None]
    assert len(times) == 29, "FFmpeg does not know when the first one was"
    assert times == sorted(times)


def test_hevc(gst: str) -> None:
    with opened(f"rtsp://{gst}/h265") as source:
        assert source.info.details["codec"] == "hevc"
        assert numbers(source, 12) == list(range(12))


def test_a_recording_ends_when_its_server_does(gst: str) -> None:
    with opened(f"rtsp://{gst}/h265") as source:
        assert numbers(source, 41) == list(range(40))
        assert source.facts()["ended"] == "closed by the other end"


def test_user_and_password(gst: str, capfd: pytest.CaptureFixture[str]) -> None:
    with opened(f"rtsp://{USER}:{QUOTED}@{gst}/private") as source:
        assert numbers(source, 3) == [0, 1, 2]
        shown = str(source.info) + str(source.facts())
    for wrong in (f"rtsp://{gst}/private", f"rtsp://{USER}:wr0ng@{gst}/private"):
        with pytest.raises(SourceRefused, match="user and password") as error, opened(wrong):
            pass
        shown += str(error.value)
    assert not any(secret in shown for secret in (PASSWORD, QUOTED, "wr0ng"))
    assert capfd.readouterr() == ("", "")


def test_no_such_stream(gst: str) -> None:
    with pytest.raises(SourceRefused, match="check the path"), opened(f"rtsp://{gst}/nothing"):
        pass


def test_tls(gst_tls: str) -> None:
    with opened(f"rtsps://{gst_tls}/h264") as source:
        assert numbers(source, 12) == list(range(12))
    with pytest.raises(SourceError, match="certificate"), opened(f"rtsps://{gst_tls}/h264", verify_tls=True):
        pass


def test_a_server_that_is_killed_ends_the_connection_at_once(clip: Path, hevc_clip: Path) -> None:
    with rtsp_server(str(clip), str(hevc_clip), "") as (process, port):
        with opened(f"rtsp://127.0.0.1:{port}/h264") as source:
            assert numbers(source, 5) == list(range(5))
            process.kill()
            process.wait()
            rest(source)
            assert source.facts()["ended"] == "closed by the other end"
        with pytest.raises(SourceUnreachable, match="refused"), opened(f"rtsp://127.0.0.1:{port}/h264"):
            pass


def test_a_server_that_is_stopped_for_a_second_loses_nothing(clip: Path, hevc_clip: Path) -> None:
    with (
        rtsp_server(str(clip), str(hevc_clip), "") as (process, port),
        opened(f"rtsp://127.0.0.1:{port}/h264") as source,
    ):
        assert numbers(source, 5) == list(range(5))
        process.send_signal(signal.SIGSTOP)
        go_on = threading.Timer(1.0, process.send_signal, (signal.SIGCONT,))
        go_on.start()
        found = numbers(source, 30)
        go_on.join()
        assert found == list(range(5, 35))


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_server_that_is_stopped_for_longer_is_a_stall(clip: Path, hevc_clip: Path, transport: str) -> None:
    clock = MonotonicClock()
    with rtsp_server(str(clip), str(hevc_clip), "") as (process, port):
        with opened(f"rtsp://127.0.0.1:{port}/h264", transport=transport) as source:
            assert numbers(source, 10) == list(range(10))
            process.send_signal(signal.SIGSTOP)
            begun = clock.now()
            rest(source)
            assert clock.now() - begun < 10
            assert str(source.facts()["ended"]).startswith("stalled")
        with (
            pytest.raises(SourceError, match=r"no answer within 0\.3 s"),
            opened(f"rtsp://127.0.0.1:{port}/h264", patience=0.3),
        ):
            pass
        os.kill(process.pid, signal.SIGCONT)


@pytest.mark.slow
def test_a_server_that_is_stopped_for_half_a_minute_can_be_read_again(clip: Path, hevc_clip: Path) -> None:
    with rtsp_server(str(clip), str(hevc_clip), "") as (process, port):
        with opened(f"rtsp://127.0.0.1:{port}/h264") as source:
            numbers(source, 10)
            process.send_signal(signal.SIGSTOP)
            go_on = threading.Timer(30.0, process.send_signal, (signal.SIGCONT,))
            go_on.start()
            rest(source)
            assert str(source.facts()["ended"]).startswith("stalled")
        with opened(f"rtsp://127.0.0.1:{port}/h264", patience=60, first_index=10) as source:
            assert numbers(source, 5) == list(range(5))
        go_on.join()


@pytest.mark.slow
def test_the_time_of_a_real_server_is_ours(gst: str) -> None:
    """Its reports come every few seconds; it runs on this machine, so its clock is the one that stamps the files."""
    items: list[Received] = []
    with opened(f"rtsp://{gst}/h264") as source:
        numbers(source, 400, seen=items.append)
        clock = source.facts()["clock"]
    known = [item for item in items if item.captured is not None]
    assert known, clock
    assert {item.time_source for item in known} == {TimeSource.RTCP}
    lags = [item.received - item.captured for item in known if item.captured is not None]
    assert max(lags) - min(lags) < 1, "its clock and ours go on together"


def test_another_codec_at_the_next_connection(gst: str) -> None:
    codecs, index = [], 0
    for path in ("h264", "h265", "h264"):
        with opened(f"rtsp://{gst}/{path}", first_index=index) as source:
            codecs.append(source.info.details["codec"])
            assert numbers(source, 3) == [0, 1, 2]
            index += 3
    assert codecs == ["h264", "hevc", "h264"]


def test_a_reset_in_the_middle_of_a_group(gst: str) -> None:
    with (
        FaultyProxy(int(gst.split(":")[1])) as proxy,
        opened(f"rtsp://127.0.0.1:{proxy.port}/h264") as source,
    ):
        assert numbers(source, 14) == list(range(14))
        proxy.cut()
        rest(source)
        assert source.facts()["ended"] != ""


def test_only_keyframes_are_left_of_a_stream_that_is_shed(gst: str) -> None:
    with opened(f"rtsp://{gst}/h264") as source:
        assert numbers(source, 3) == [0, 1, 2]
        source.shed(Shed.NON_KEY)
        assert numbers(source, 2) == [10, 20]
        source.shed(Shed.NOTHING)
        assert numbers(source, 12) == list(range(30, 42)), "nothing is shown before a keyframe"
        assert source.facts()["packets_shed"] == {"non_reference": 0, "non_key": 25}


def test_times_are_those_of_arrival_without_reports(gst: str) -> None:
    sources = set()
    with opened(f"rtsp://{gst}/h264") as source:
        numbers(source, 5, seen=lambda item: sources.add((item.time_source, item.captured)))
    assert sources == {(TimeSource.RECEIVED, None)}


def test_an_interrupt_of_one_camera_leaves_others_at_the_same_server_alone(gst: str) -> None:
    """As of a recorder that has all cameras at one port."""
    address = f"rtsp://{gst}/h264"
    with opened(address) as kept:
        assert numbers(kept, 5) == list(range(5))
        with opened(address) as other, opened(address) as third:
            numbers(other, 1)
            other.interrupt()
            rest(other)
            numbers(third, 1)
        assert other.facts()["ended"] == "interrupted"
        assert numbers(kept, 60) == list(range(5, 65))
        assert kept.facts()["ended"] == ""


def test_cameras_at_the_same_server_that_connect_at_once_are_told_apart(gst: str) -> None:
    with ThreadPoolExecutor(4) as pool, ExitStack() as block:
        waiting = [
            pool.submit(open_live, f"rtsp://{gst}/h264", name="c", clock=MonotonicClock()) for _ in range(4)
        ]
        sources = [block.enter_context(closing(one.result(30))) for one in waiting]
        for i, source in enumerate(sources[:3]):
            source.interrupt()
            rest(source)
            assert [one.facts()["ended"] for one in sources[i + 1 :]] == [""] * (3 - i)
        first = numbers(sources[3], 1)[0]
        assert numbers(sources[3], 30) == list(range(first + 1, first + 31))
