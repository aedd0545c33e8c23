"""Streams that go away and come back, in whole runs: how fast, and at whose cost."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av
import pytest

from tests.live.conftest import SIZE
from tests.live.scripts import by_turn, in_a_row, on_air, steady, then_cut
from tests.live.servers import FaultyProxy, ScriptedCamera, Session, packets_of, rtsp_server
from tests.live.whole_runs import (
    ReadingModel,
    labelled,
    live_run,
    numbers_in,
    patient,
    records,
    sizes_in_turn,
    sound,
    to_each_its_own,
    unharmed,
    videos_of,
)
from tests.media import make_video
from vidinfer import run_live
from vidinfer.clock import MonotonicClock, unix_now
from vidinfer.status import LiveStatus, StreamState
from vidinfer.testing import FakeModel

HEALTHY = 1
"""The stream beside the one that suffers."""


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeModel], FakeModel]:
    """Let the runs of a test have this model, and no frame give way."""
    patient(monkeypatch)

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
    unharmed(run)
    took = back(out, "hurt", returned)
    measured(f"killed, back with a wait of {longest:g} s ahead", took)
    assert took < 3
    found = records(out, "hurt")
    assert {one["outcome"] for one in found} == {"labelled"}
    assert {one["epoch"] for one in found} == {1, 2}
    for epoch in (1, 2):
        to_each_its_own(labelled(found, epoch))
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
    unharmed(run)
    found = records(out, "hurt")
    assert {(one["outcome"], one["epoch"]) for one in found} == {("labelled", 1)}
    assert numbers_in(found) == [one["frame"] % 500 for one in found], "what had waited comes at once"
    assert not {one.streams[0].state for one in run.seen} & {StreamState.STALLED, StreamState.WAITING}


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
    unharmed(run)
    took = back(out, "hurt", returned)
    measured(f"stopped for {seconds:g} s, back", took)
    assert took < 3
    found = records(out, "hurt")
    for epoch in {one["epoch"] for one in found}:
        to_each_its_own(labelled(found, epoch))
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
    unharmed(run)
    found = records(out, "hurt")
    assert {one["outcome"] for one in found} == {"labelled"}
    for epoch, first in ((1, 4), (2, 4), (3, 0), (4, 0)):
        to_each_its_own(labelled(found, epoch), lambda sent, first=first: (first + sent) % 500)  # type: ignore[misc]
    for epoch in (1, 2):
        assert numbers_in(labelled(found, epoch)) == list(range(10, 28)), "from a keyframe to the cut"


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
    report = sound(run)
    unharmed(run)
    assert not [text for source in report.sources for text in source.warnings], "each picture is in a video"
    found = records(out, "hurt")
    assert {one["outcome"] for one in found if one.get("reason") != "stream_changed"} == {"labelled"}
    epochs = sorted({one["epoch"] for one in found})  # the H.265 clip is short, and the server ends with it
    assert epochs == list(range(1, len(epochs) + 1))
    heights = {(one["epoch"], one["objects"][0]["box"][3]) for one in labelled(found)}
    assert heights == {(epoch, 240 if epoch == 2 else 120) for epoch in epochs}
    assert sizes_in_turn(videos_of(out, "hurt")) == [SIZE, (320, 240), SIZE]


def test_timestamps_that_jump_an_hour(units: list[bytes], tmp_path: Path, model: Any) -> None:
    out, start, hour = tmp_path / "out", 400_000_000, 3600 * 90000
    with (
        ScriptedCamera(in_a_row((units, 40, start), (units, None, start + hour))) as ahead,
        ScriptedCamera(in_a_row((units, 40, start), (units, None, start - hour))) as back_,
        live_run(f"ahead={ahead.address}", f"back={back_.address}", out=out, video=True) as run,
    ):
        run.until(lambda status: all(one.ledger.labelled >= 90 for one in status.streams))
    for report in sound(run).sources:
        assert not report.warnings, "each picture is in the video"
        found = records(out, report.source)
        assert {one["epoch"] for one in found} == {1}
        source = report.details["source"]
        assert isinstance(source, dict)
        assert source["clock_jumps"] == 1
        assert source["skips_to_live"] == 0
        received = [one["received"] for one in found]
        assert received == sorted(received)
        # Far more than this takes, on any machine, and far less than the hour.
        assert received[-1] - received[0] < 600
        for file in out.glob(f"{report.source}.*.annotated.mp4"):
            with av.open(str(file)) as container:
                assert (container.duration or 0) < 600e6


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
    (source,) = sound(run, lost=[0]).sources  # none is lost, but files are named by a clock that went back
    assert not source.warnings
    found = records(out, "x")
    assert source.ledger is not None
    assert {one["outcome"] for one in found} == {"labelled"}
    assert sorted(one["frame"] for one in found) == list(range(source.ledger.labelled))
    for epoch in (1, 2):
        times = [one["received"] for one in found if one["epoch"] == epoch]
        assert times == sorted(times), "within an epoch time never goes back"
    by_epoch = {epoch: min(one["received"] for one in found if one["epoch"] == epoch) for epoch in (1, 2)}
    # Half of the two hours: far from what any machine takes, and from what the clock was set back.
    assert -7200 < by_epoch[2] - by_epoch[1] < -3600
    assert all(0 < one["latency_ms"]["total"] < 3_600_000 for one in labelled(found))


class Attempts:
    """Counts who connects at the same moment, and has the first ``allowed`` of them wait for each other."""

    def __init__(self, allowed: int) -> None:
        self.begun = self.now = self.most = 0
        self._allowed = allowed
        self._together = threading.Barrier(allowed)
        self._lock = threading.Lock()

    def counted(self, attempt: Callable[..., Any]) -> Callable[..., Any]:
        """``attempt``, as one that takes a turn."""

        def take(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                self.begun += 1
                first = self.begun <= self._allowed
                self.now += 1
                self.most = max(self.most, self.now)
            try:
                if first:
                    self._together.wait(20)
                return attempt(*arguments, **options)
            finally:
                with self._lock:
                    self.now -= 1

        return take


def test_ten_cameras_that_reboot_at_once(
    units: list[bytes], tmp_path: Path, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All come back; the host is asked by four at a time, and not by all at the same moment.

    That is counted here and not at the host: it cannot know who has given up waiting for its answer.
    """
    out, attempts = tmp_path / "out", Attempts(4)
    for way in ("open_live", "answers"):
        monkeypatch.setattr(f"vidinfer.run_live.{way}", attempts.counted(getattr(run_live, way)))
    with ExitStack() as block:
        camera = block.enter_context(ScriptedCamera(steady(units)))
        given = [f"cam{i}=rtsp://127.0.0.1:{camera.port}/{i}" for i in range(10)]
        run = block.enter_context(live_run(*given, out=out))
        run.until(lambda status: all(one.ledger.labelled > 10 for one in status.streams))
        camera.close()
        run.until(lambda status: all(one.state is not StreamState.LIVE for one in status.streams))
        run.until(lambda status: all("refused" in one.error for one in status.streams))
        block.enter_context(ScriptedCamera(steady(units), camera.port))
        returned = unix_now()
        for i in range(10):
            run.until_live(i, epoch=2, frames=20)
    sound(run)
    assert attempts.most == 4
    for i in range(10):
        found = records(out, f"cam{i}")
        assert {(one["outcome"], one["epoch"]) for one in found} == {("labelled", 1), ("labelled", 2)}
        for epoch in (1, 2):
            to_each_its_own(labelled(found, epoch))
    times = sorted(back(out, f"cam{i}", returned) for i in range(10))
    measured(f"ten cameras, the first back after {times[0]:.2f} s, the last", times[-1])
    assert times[-1] < 3
    assert times[-1] - times[0] > 0.05, "all at the same moment"
