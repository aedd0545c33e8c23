"""What cameras and networks do wrong, by a scripted camera."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tests.live.conftest import numbers, opened, rest
from tests.live.servers import BASE, TICKS, FaultyProxy, ScriptedCamera, Session, packets_of
from tests.media import draw_number, make_video, read_number
from vidinfer.arrival import Received, TimeSource
from vidinfer.clock import MonotonicClock
from vidinfer.errors import SourceError, SourceUnreachable
from vidinfer.frame import Gap
from vidinfer.interrupt import Interrupt
from vidinfer.live.backlog import Backlog
from vidinfer.live.picture_watch import PictureWatch, coarse_luma
from vidinfer.source.live import open_live
from vidinfer.workers import Workers

FAST = 0.005
"""Seconds between frames where the pace does not matter."""


def playing(units: list[bytes], *, first: int = 0, pace: float = FAST) -> Callable[[Session], None]:
    """All of ``units`` from ``first`` on, then the end."""

    def script(session: Session) -> None:
        for i, unit in enumerate(units[first:], first):
            session.send(unit, BASE + i * TICKS)
            session.pause(pace)
        session.cut()

    return script


def test_a_connection_that_begins_between_keyframes_shows_nothing_before_one(units: list[bytes]) -> None:
    with ScriptedCamera(playing(units[:40], first=4)) as camera, opened(camera.address) as source:
        assert numbers(source, 20) == list(range(10, 30))
        assert source.facts()["packets_before_keyframe"] == 6


def test_it_hangs_up_politely(units: list[bytes]) -> None:
    with ScriptedCamera(playing(units, pace=0.04)) as camera:
        with opened(camera.address) as source:
            numbers(source, 3)
        camera.wait_for("TEARDOWN")


def test_a_cut_in_the_middle_of_a_group_ends_the_connection(units: list[bytes]) -> None:
    with ScriptedCamera(playing(units[:14])) as camera, opened(camera.address) as source:
        assert numbers(source, 15) == list(range(14))
        assert source.facts()["ended"] == "closed by the other end"


def test_silence_is_a_stall_after_two_seconds(units: list[bytes]) -> None:
    def script(session: Session) -> None:
        for i in range(20):
            session.send(units[i], BASE + i * TICKS)
            session.pause(0.02)

    clock = MonotonicClock()
    with ScriptedCamera(script) as camera, opened(camera.address) as source:
        numbers(source, 19)
        begun = clock.now()
        (last,) = rest(source)
        assert clock.now() - begun < 5  # two are promised, the rest is for busy machines
        assert (
            float(str(source.facts()["ended"]).removeprefix("stalled: nothing came for ").removesuffix(" s"))
            >= 1.8
        )
        assert isinstance(last, Received)
        assert last.received < begun + 1, (
            "what lay there half put together did not come when it was given out"
        )


def test_a_slow_camera_is_not_a_stalled_one(units: list[bytes]) -> None:
    def script(session: Session) -> None:
        for i in range(8):
            session.send(units[i], BASE + i * 20 * TICKS)
            session.pause(0.5)
        session.cut()

    with ScriptedCamera(script) as camera, opened(camera.address, stall=0.25) as source:
        assert numbers(source, 9) == list(range(8))
        assert not str(source.facts()["ended"]).startswith("stalled")


def test_a_pause_before_each_keyframe_is_no_stall(units: list[bytes]) -> None:
    def script(session: Session) -> None:
        for i in range(30):
            session.pause(0.5 if i % 10 == 0 else FAST)
            session.send(units[i], BASE + i * TICKS)
        session.cut()

    with ScriptedCamera(script) as camera, opened(camera.address) as source:
        assert numbers(source, 29) == list(range(29))


def test_somebody_who_accepts_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for scheme in ("rtsp", "http"):
            with (
                pytest.raises(SourceError, match=r"connected, and no answer within 0.3 s"),
                opened(f"{scheme}://u:secret@127.0.0.1:{port}/x", patience=0.3),
            ):
                pass


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for scheme in ("rtsp", "http", "rtmp"):
        with (
            pytest.raises(SourceUnreachable, match=rf"^{scheme}://…@127.0.0.1:{port}/x: connection refused"),
            opened(f"{scheme}://u:secret@127.0.0.1:{port}/x"),
        ):
            pass


def test_somebody_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            for _ in range(2):
                wire, _ = other.accept()
                with wire:
                    wire.recv(100)
                    wire.sendall(b"220 mail ready\r\n\r\n")

        with Workers(lambda: None) as workers:
            workers.start("mail", answer)
            for scheme in ("rtsp", "http"):
                with (
                    pytest.raises(SourceError, match="check the port"),
                    opened(f"{scheme}://127.0.0.1:{other.getsockname()[1]}/x"),
                ):
                    pass


@pytest.mark.parametrize("when", ["connecting", "described", "reading", "held"])
def test_an_interrupt_ends_every_wait(units: list[bytes], when: str) -> None:
    """Whoever waits for the other end is back within two seconds; a margin for busy machines."""
    interrupt, clock, ended = Interrupt(), MonotonicClock(), []
    silent = socket.create_server(("127.0.0.1", 0))

    def script(session: Session) -> None:
        if when != "described":
            playing(units, pace=0.04)(session)

    def read() -> None:
        port = silent.getsockname()[1] if when == "connecting" else proxy.port
        with suppress(SourceError):
            source = open_live(
                f"rtsp://127.0.0.1:{port}/x",
                name="camera",
                clock=clock,
                interrupt=interrupt,
                stall=30,
                patience=30,
            )
            try:
                numbers(source, 3)
                reached.set()
                rest(source)
            finally:
                source.close()
        ended.append(clock.now())

    reached = threading.Event()
    with silent, ScriptedCamera(script) as camera, FaultyProxy(camera.port) as proxy:
        with Workers(interrupt.set) as workers:
            workers.start("reader", read)
            if when == "connecting":
                wire, _ = silent.accept()
            elif when == "described":
                camera.wait_for("PLAY")
            else:
                assert reached.wait(20)
                if when == "held":
                    proxy.hold()
            begun = clock.now()
            interrupt.set()
        if when == "connecting":
            wire.close()
        assert ended[0] - begun < 3


def test_an_interrupt_of_a_closed_connection_does_not_reach_another_of_the_same_host(
    units: list[bytes],
) -> None:
    ended = Interrupt()
    with ScriptedCamera(playing(units, pace=0.02)) as camera, opened(camera.address) as other:
        with opened(camera.address, interrupt=ended) as source:
            assert numbers(source, 3) == [0, 1, 2]
        ended.set()
        assert numbers(other, 60) == list(range(60))


def test_camera_time_comes_from_reports_that_agree(units: list[bytes]) -> None:
    wall = 1_795_000_000.0

    def script(session: Session) -> None:
        for i in range(60):
            if i % 10 == 5:
                session.report(wall + i * 0.04, BASE + i * TICKS)
            session.send(units[i], BASE + i * TICKS)
            session.pause(0.02)
        session.cut()

    items: list[Received] = []
    with ScriptedCamera(script) as camera, opened(camera.address) as source:
        found = numbers(source, 55, seen=items.append)
        clock = source.facts()["clock"]
    first = next(i for i, item in enumerate(items) if item.time_source is TimeSource.RTCP)
    assert found[first] == 15, "two reports are there with it"
    assert all(item.captured is None for item in items[:first])
    for number, item in zip(found[first:], items[first:], strict=True):
        assert item.captured == pytest.approx(wall + number * 0.04, abs=0.002)
    assert isinstance(clock, dict)
    assert clock["source"] == "rtcp"


def test_a_camera_whose_clock_is_not_set_is_not_believed(units: list[bytes]) -> None:
    def script(session: Session) -> None:
        for i in range(40):
            if i % 10 == 5:
                session.report(100.0 + i * 0.04, BASE + i * TICKS)
            session.send(units[i], BASE + i * TICKS)
            session.pause(0.02)
        session.cut()

    with ScriptedCamera(script) as camera, opened(camera.address) as source:
        assert {item.captured for item in rest(source) if isinstance(item, Received)} == {None}
        clock = source.facts()["clock"]
    assert isinstance(clock, dict)
    assert clock["why_not"] == "the sender's clock is not set"


@pytest.mark.parametrize("hour", [3600, -3600])
def test_timestamps_that_jump_an_hour_are_passed_on_and_told(units: list[bytes], hour: int) -> None:
    def script(session: Session) -> None:
        for i in range(40):
            session.send(units[i], BASE + 400_000_000 + i * TICKS + (hour * 90000 if i >= 20 else 0))
            session.pause(0.02)
        session.cut()

    watch, jumps = Backlog(), []
    with ScriptedCamera(script) as camera, opened(camera.address) as source:
        for item in source:
            if isinstance(item, Received) and item.frame.stamp.time is not None:
                jumps.append(watch.frame(item.frame.stamp.time, item.received))
        assert source.facts()["frames"] == 40
    (jump,) = [jump for jump in jumps if jump is not None]
    turn = 2**32 / 90000  # FFmpeg takes every step of a media clock for one ahead
    assert jump == pytest.approx(hour if hour > 0 else hour + turn, abs=1)


def test_damage_is_marked_or_a_gap(units: list[bytes]) -> None:
    broken = [
        unit if i != 14 else unit[: len(unit) // 2] + bytes(len(unit) // 2)
        for i, unit in enumerate(units[:40])
    ]
    with ScriptedCamera(playing(broken)) as camera, opened(camera.address) as source:
        items = rest(source)
    good = [item for item in items if isinstance(item, Received) and not item.frame.corrupt]
    assert [read_number(item.frame.picture.rgb()) for item in good] == [*range(14), *range(20, 40)]
    assert [item.packets for item in items if isinstance(item, Gap)] == [5], "up to the next keyframe"
    assert len(items) == len(good) + 2, "and the damaged one itself, marked"


@pytest.mark.parametrize(
    "codec_options", [{}, {"profile": "high", "preset": "medium", "refs": "3", "bf": "2"}]
)
@pytest.mark.parametrize("lost", [14, 33])
def test_what_refers_to_a_lost_frame_is_not_shown(
    lost: int, codec_options: dict[str, str], tmp_path: Path
) -> None:
    """FFmpeg invents a frame that is missing, and draws the next ones over it, without a word."""
    made = make_video(tmp_path / "x.mp4", frames=60, size=(160, 120), gop=20, codec_options=codec_options)
    sent = packets_of(made)

    def script(session: Session) -> None:
        for i, unit in enumerate(sent):
            if i != lost:
                session.send(unit, BASE + i * TICKS)
            session.pause(FAST)
        session.cut()

    with ScriptedCamera(script) as camera, opened(camera.address) as source:
        items = rest(source)
        held_back = source.facts()["packets_without_frame"]  # for B-frames, and not given out at a cut
    found = [read_number(item.frame.picture.rgb()) for item in items if isinstance(item, Received)]
    assert not any(item.frame.corrupt for item in items if isinstance(item, Received))
    gaps = [item for item in items if isinstance(item, Gap)]
    assert isinstance(held_back, int)
    assert held_back == (2 if codec_options else 0)
    assert len(found) + sum(gap.packets for gap in gaps) + held_back == len(sent) - 1, "one was not sent"
    after = lost // 20 * 20 + 20
    if codec_options:  # with B-frames one may be lost that nothing refers to
        assert found[-(60 - held_back - after) :] == list(range(after, 60 - held_back))
        assert found == sorted(set(found))
    else:
        assert found == [*range(lost), *range(after, 60)]
        assert [gap.packets for gap in gaps] == [1, after - lost - 2]
        assert gaps[0].reason == "frames were lost on the way"


def test_a_frozen_and_a_black_picture_are_flagged(tmp_path: Path) -> None:
    def draw(number: int, width: int, height: int) -> np.ndarray:
        if number < 20:
            return draw_number(number, width, height)
        return draw_number(7, width, height) if number < 60 else np.zeros((height, width, 3), np.uint8)

    made = packets_of(make_video(tmp_path / "x.mp4", frames=100, size=(160, 120), gop=10, draw=draw))
    watch, flags = PictureWatch(), []
    with ScriptedCamera(playing(made)) as camera, opened(camera.address) as source:
        for item in source:
            assert isinstance(item, Received)
            # A second of the camera's time for each frame: the watch does not care whose seconds they are.
            watch.frame(coarse_luma(item.frame.picture), float(item.frame.stamp.index))
            flags.append(watch.flags)
    assert flags[15] == ()
    assert flags[50] == ("frozen",)
    assert flags[90] == ("frozen", "black")


def test_another_size_ends_the_connection_and_the_next_has_it(units: list[bytes], tmp_path: Path) -> None:
    larger = packets_of(make_video(tmp_path / "large.mp4", frames=30, size=(320, 240), gop=10))
    with ScriptedCamera(playing(units[:20] + larger)) as camera, opened(camera.address) as source:
        assert len(rest(source)) == 20
        assert source.facts()["ended"] == "the picture's size changed to 320x240"
    with ScriptedCamera(playing(larger)) as camera, opened(camera.address, first_index=20) as source:
        assert (source.info.width, source.info.height) == (320, 240)
        first = next(iter(source))
        assert isinstance(first, Received)
        assert first.frame.stamp.index == 20
