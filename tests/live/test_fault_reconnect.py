"""Streams that go away and come back, in whole runs: how fast, and at whose cost."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from tests.live.conftest import SIZE
from tests.live.scripts import by_turn, in_a_row, on_air, steady, then_cut
from tests.live.servers import FaultyProxy, ScriptedCamera, Session, packets_of, rtsp_server
from tests.live.whole_runs import ReadingModel, labelled, live_run, numbers_in, records, sound
from tests.media import make_video
from vidinfer.clock import MonotonicClock, unix_now
from vidinfer.status import LiveStatus, StreamState
from vidinfer.testing import FakeModel

HEALTHY = 1
"""The stream beside the one that suffers."""


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeModel], FakeModel]:
    """Let the runs of a test have this model."""

    def use(fake: FakeModel) -> FakeModel:
        monkeypatch.setattr("vidinfer.run_live.open_model", lambda *_, **__: fake)
        monkeypatch.setattr("vidinfer.run_live.LOOKING", 0.1)
        return fake

    use(ReadingModel())
    return use


@pytest.fixture
def healthy(units: list[bytes]) -> Iterator[str]:
    with ScriptedCamera(steady(units)) as camera:
        yield camera.address


def unharmed(out: Path, name: str = "well") -> None:
    """One epoch, a record of every frame, and each label is that of its own picture.

    A frame may have been late on a loaded machine, which is nobody's fault here.
    """
    found = records(out, name)
    assert {one["epoch"] for one in found} == {1}
    assert all(b["frame"] - a["frame"] == 1 for a, b in pairwise(found))
    assert {one.get("reason") for one in found if one["outcome"] != "labelled"} <= {"stale", "queue_full"}
    shown = labelled(found)
    assert len(shown) > len(found) / 2
    assert (
        len({(number - one["frame"]) % 500 for number, one in zip(numbers_in(shown), shown, strict=True)})
        == 1
    )


def back(out: Path, name: str, since: float, epoch: int = 2) -> float:
    """Seconds from ``since`` (Unix) to the first labelled frame of ``epoch``."""
    return float(labelled(records(out, name), epoch)[0]["received"]) - since


def gone(status: LiveStatus) -> bool:
    return status.streams[0].state in (StreamState.WAITING, StreamState.CONNECTING)


def measured(what: str, seconds: float) -> None:
    print(f"measured: {what}: {seconds:.2f} s")


@pytest.mark.parametrize("longest", [0.0, pytest.param(6.0, marks=pytest.mark.slow)])
def test_a_server_that_is_killed_and_started_again(
    longest: float, clip: Path, hevc_clip: Path, healthy: str, tmp_path: Path, model: Any
) -> None:
    out = tmp_path / "out"
    with ExitStack() as block:
        server, port = block.enter_context(rtsp_server(str(clip), str(hevc_clip), ""))
        run = block.enter_context(live_run(f"hurt=rtsp://127.0.0.1:{port}/h264", f"well={healthy}", out=out))
        run.until_live(0, frames=20)
        server.kill()
        run.until(lambda status: "refused" in status.streams[0].error)
        run.until(lambda status: (status.streams[0].retry_in or 0) > longest)
        _, again = block.enter_context(rtsp_server(str(clip), str(hevc_clip), "", str(port)))
        returned = unix_now()
        assert again == port
        run.until_live(0, epoch=2, frames=30)
        run.until_more(0, 10)
    report = sound(run)
    unharmed(out)
    took = back(out, "hurt", returned)
    measured(f"killed, back with a wait of {longest:g} s ahead", took)
    assert took < 3
    found = records(out, "hurt")
    assert {one["epoch"] for one in found} == {1, 2}
    assert numbers_in(labelled(found, 2))[:5] == list(range(5))
    assert report.sources[0].details["source"]["reconnects"] == 1  # type: ignore[index]


@pytest.fixture
def stopped(clip: Path, hevc_clip: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    with rtsp_server(str(clip), str(hevc_clip), "") as (server, port):
        try:
            yield server, port
        finally:
            server.send_signal(signal.SIGCONT)


def test_a_server_that_is_stopped_for_a_second(
    stopped: tuple[subprocess.Popen[str], int], healthy: str, tmp_path: Path, model: Any
) -> None:
    server, port = stopped
    out, over = tmp_path / "out", threading.Event()
    with live_run(f"hurt=rtsp://127.0.0.1:{port}/h264", f"well={healthy}", out=out) as run:
        run.until_live(0, frames=20)
        server.send_signal(signal.SIGSTOP)
        over.wait(1.0)
        server.send_signal(signal.SIGCONT)
        run.until_more(0, 50)
    sound(run)
    unharmed(out)
    found = records(out, "hurt")
    assert {one["epoch"] for one in found} == {1}
    # What had waited comes at once, and more than fits: each frame that gave way says so.
    assert {one["reason"] for one in found if one["outcome"] == "dropped"} <= {"queue_full", "stale"}
    assert all(one["objects"][0]["box"][2] == one["frame"] % 500 for one in labelled(found)), (
        "none is lost unsaid"
    )
    assert {one.streams[0].state for one in run.seen} <= {
        StreamState.CONNECTING,
        StreamState.LIVE,
        StreamState.ENDED,
    }


@pytest.mark.parametrize("seconds", [3.0, pytest.param(30.0, marks=pytest.mark.slow)])
def test_a_server_that_is_stopped_for_longer(
    seconds: float, stopped: tuple[subprocess.Popen[str], int], healthy: str, tmp_path: Path, model: Any
) -> None:
    server, port = stopped
    out, over, clock = tmp_path / "out", threading.Event(), MonotonicClock()
    with live_run(f"hurt=rtsp://127.0.0.1:{port}/h264", f"well={healthy}", out=out) as run:
        run.until_live(0, frames=20)
        server.send_signal(signal.SIGSTOP)
        begun = clock.now()
        run.until(lambda status: status.streams[0].state is not StreamState.LIVE)
        measured("noticed", clock.now() - begun)
        over.wait(begun + seconds - clock.now())
        server.send_signal(signal.SIGCONT)
        returned = unix_now()
        run.until_live(0, epoch=2, frames=30)
    sound(run)
    unharmed(out)
    took = back(out, "hurt", returned)
    measured(f"stopped for {seconds:g} s, back", took)
    assert took < 3
    assert any("stalled" in str(end) for end in run.report.sources[0].details["source"]["last_ends"])  # type: ignore[index, union-attr]


def test_a_reset_in_the_middle_of_a_group(
    units: list[bytes], healthy: str, tmp_path: Path, model: Any
) -> None:
    out = tmp_path / "out"
    script = by_turn(*[then_cut(units, 24, first=4)] * 2, steady(units))
    with (
        ScriptedCamera(script) as camera,
        FaultyProxy(camera.port) as proxy,
        live_run(f"hurt=rtsp://127.0.0.1:{proxy.port}/x", f"well={healthy}", out=out) as run,
    ):
        run.until_live(0, epoch=3, frames=40)
        proxy.cut()
        run.until_live(0, epoch=4, frames=60)
    sound(run)
    unharmed(out)
    for epoch in (1, 2):
        assert numbers_in(labelled(records(out, "hurt"), epoch))[:15] == list(range(10, 25)), (
            "from a keyframe on"
        )
    for epoch in (3, 4):
        assert numbers_in(labelled(records(out, "hurt"), epoch))[:5] == list(range(5))


def test_another_size_codec_and_rate_after_a_reconnect(
    units: list[bytes], hevc_clip: Path, healthy: str, tmp_path: Path, model: Any
) -> None:
    """The codec changes with the server: H.264 by a scripted one, H.265 by a real one at the same port."""
    out = tmp_path / "out"
    large = packets_of(make_video(tmp_path / "large.mp4", frames=250, size=(320, 240), gop=10))
    script = by_turn(then_cut(units, 30), lambda session: on_air(session, large, frames=60, rate=12.5))
    with ExitStack() as block:
        camera = block.enter_context(ScriptedCamera(script))
        run = block.enter_context(
            live_run(f"hurt=rtsp://127.0.0.1:{camera.port}/h265", f"well={healthy}", out=out, video=True)
        )
        run.until_live(0, frames=20)
        run.until(
            lambda status: status.streams[0].size == (320, 240) and status.streams[0].ledger.labelled > 50
        )
        camera.close()
        block.enter_context(rtsp_server(str(hevc_clip), str(hevc_clip), "", str(camera.port)))
        run.until(lambda status: status.streams[0].codec == "hevc")
        run.until_live(0, epoch=3, frames=80)
    sound(run)
    unharmed(out)
    found = records(out, "hurt")
    assert {one["epoch"] for one in found} >= {1, 2, 3}
    assert [max(one["objects"][0]["box"][3] for one in labelled(found, epoch)) for epoch in (1, 2)] == [
        120,
        240,
    ]
    sizes = {}
    for file in sorted(out.glob("hurt.*.annotated.mp4")):
        with av.open(str(file)) as container:
            stream = container.streams.video[0]
            sizes[file.name] = (stream.width, stream.height, sum(1 for _ in container.decode(stream)))
    in_turn = [size for size, _ in groupby(size[:2] for size in sizes.values())]
    assert in_turn == [SIZE, (320, 240), SIZE]
    # On a loaded machine a video leaves out pictures, by rule.
    assert 0 < sum(size[2] for size in sizes.values()) <= len(labelled(found))


def test_timestamps_that_jump_an_hour(units: list[bytes], tmp_path: Path, model: Any) -> None:
    out, start, hour = tmp_path / "out", 400_000_000, 3600 * 90000
    with (
        ScriptedCamera(in_a_row((units, 40, start), (units, None, start + hour))) as ahead,
        ScriptedCamera(in_a_row((units, 40, start), (units, None, start - hour))) as back_,
        live_run(f"ahead={ahead.address}", f"back={back_.address}", out=out, video=True) as run,
    ):
        run.until(lambda status: all(one.ledger.labelled >= 90 for one in status.streams))
    for report in sound(run).sources:
        found = records(out, report.source)
        assert {one["epoch"] for one in found} == {1}
        source = report.details["source"]
        assert isinstance(source, dict)
        assert source["clock_jumps"] == 1
        assert source["skips_to_live"] == 0
        received = [one["received"] for one in found]
        assert received == sorted(received)
        assert received[-1] - received[0] < 60
        pictures = 0
        for file in out.glob(f"{report.source}.*.annotated.mp4"):
            with av.open(str(file)) as container:
                assert (container.duration or 0) < 60e6
                pictures += sum(1 for _ in container.decode(video=0))
        assert pictures == len(labelled(found))


def test_the_wall_clock_is_set_back(
    units: list[bytes], tmp_path: Path, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift = [0.0]
    monkeypatch.setattr("vidinfer.run_live.unix_now", lambda: unix_now() + shift[0])
    out = tmp_path / "out"
    cut = threading.Event()

    def first(session: Session) -> None:
        on_air(session, units, frames=30)
        cut.wait(20)
        on_air(session, units, frames=10, first=30)
        session.cut()

    with (
        ScriptedCamera(by_turn(first, steady(units))) as camera,
        live_run(f"x={camera.address}", out=out, video=True) as run,
    ):
        run.until_live(frames=20)
        shift[0] = -7200.0
        cut.set()
        run.until_live(epoch=2, frames=60)
    sound_in_any_order(run.out)
    found = records(out, "x")
    assert found
    for epoch in (1, 2):
        times = [one["received"] for one in found if one["epoch"] == epoch]
        assert times == sorted(times), "within an epoch time never goes back"
    by_epoch = {epoch: min(one["received"] for one in found if one["epoch"] == epoch) for epoch in (1, 2)}
    assert -7200 < by_epoch[2] - by_epoch[1] < -7100
    assert all(one["latency_ms"]["total"] < 5000 for one in labelled(found))
    assert run.report is not None
    (source,) = run.report.sources
    assert source.ledger is not None
    assert source.ledger.balanced
    assert sorted(one["frame"] for one in found) == list(range(len(found)))


def sound_in_any_order(out: Path) -> None:
    """The files are named by a clock that went back."""
    assert not [file.name for file in out.iterdir() if "partial" in file.name]


def test_ten_cameras_that_reboot_at_once(units: list[bytes], tmp_path: Path, model: Any) -> None:
    """All come back; the host is never asked by more than four at a time, and not by all at the same moment."""
    out = tmp_path / "out"
    with ExitStack() as block:
        camera = block.enter_context(ScriptedCamera(steady(units)))
        given = [f"cam{i}=rtsp://127.0.0.1:{camera.port}/{i}" for i in range(10)]
        run = block.enter_context(live_run(*given, out=out))
        run.until(lambda status: all(one.ledger.labelled > 10 for one in status.streams))
        camera.close()
        run.until(lambda status: all(one.state is not StreamState.LIVE for one in status.streams))
        run.until(lambda status: all("refused" in one.error for one in status.streams))
        rebooted = block.enter_context(ScriptedCamera(steady(units), camera.port))
        returned = unix_now()
        run.until(lambda status: all(one.epoch >= 2 for one in status.streams))
        run.until_more(9, 10)
    sound(run)
    # An attempt asks on a connection of its own first, which the server may still count when the next one is open.
    assert max(camera.most_at_once, rebooted.most_at_once) <= 2 * 4
    times = sorted(back(out, f"cam{i}", returned) for i in range(10))
    measured(f"ten cameras, the first back after {times[0]:.2f} s, the last", times[-1])
    assert times[-1] < 3
    assert times[-1] - times[0] > 0.05, "all at the same moment"
