"""Faults on this side of the cameras, in whole runs: the model, the disk, who looks at the preview."""

from __future__ import annotations

import resource
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.live.scripts import by_turn, steady, then_cut
from tests.live.servers import ScriptedCamera, packets_of
from tests.live.whole_runs import ReadingModel, WholeRun, labelled, live_run, numbers_in, records, sound
from tests.media import make_video
from vidinfer.errors import ModelError
from vidinfer.status import LiveStatus, OutletStatus, StreamState
from vidinfer.testing import FakeModel

LONG = 30.0


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeModel]:
    """Let the run have a scripted model."""

    def make(before: Callable[[int], object] | None = None) -> FakeModel:
        fake = ReadingModel(before)
        monkeypatch.setattr("vidinfer.run_live.open_model", lambda *_, **__: fake)
        monkeypatch.setattr("vidinfer.run_live.LOOKING", 0.1)
        return fake

    return make


@pytest.fixture
def cameras(units: list[bytes]) -> Iterator[list[str]]:
    """Two healthy ones."""
    with ScriptedCamera(steady(units)) as one, ScriptedCamera(steady(units)) as other:
        yield [f"a={one.address}", f"b={other.address}"]


def outlets(status: LiveStatus) -> dict[str, OutletStatus]:
    return {outlet.name: outlet for stream in status.streams for outlet in stream.outlets}


def one_connection_each(run: WholeRun) -> None:
    assert run.report is not None
    for source in run.report.sources:
        assert {one["epoch"] for one in records(run.out, source.source)} == {1}


def test_a_model_that_raises_once(
    cameras: list[str], tmp_path: Path, model: Callable[..., FakeModel]
) -> None:
    raised: list[int] = []

    def fail(number: int) -> None:
        if number == 30 and not raised:
            raised.append(number)
            raise RuntimeError("once")

    model(fail)
    with live_run(*cameras, out=tmp_path / "out") as run:
        run.until(lambda status: all(one.ledger.labelled > 60 for one in status.streams))
    report = sound(run)
    one_connection_each(run)
    failed = [one for name in "ab" for one in records(run.out, name) if one["outcome"] == "failed"]
    assert failed
    assert {one["reason"] for one in failed} == {"RuntimeError: once"}
    assert sum(one.ledger.failed for one in report.sources if one.ledger is not None) == len(failed)


def test_a_model_that_always_raises_ends_the_run(
    cameras: list[str], tmp_path: Path, model: Callable[..., FakeModel]
) -> None:
    def fail(number: int) -> None:
        raise RuntimeError("broken")

    fake = model(fail)
    out = tmp_path / "out"
    with (
        pytest.raises(ModelError, match="failed on 3 batches in a row: RuntimeError: broken"),
        live_run(*cameras, out=out, video=True) as run,
    ):
        run.over()
    assert fake.closed
    assert not list(out.glob("*partial*")) + list(out.glob(".*partial*"))
    assert not [one.name for one in threading.enumerate() if one.name.startswith("vidinfer-")]
    for name in "ab":
        assert {one["outcome"] for one in records(out, name)} <= {"failed", "dropped"}


def test_a_model_that_takes_two_seconds_once(
    cameras: list[str], tmp_path: Path, model: Callable[..., FakeModel]
) -> None:
    never = threading.Event()
    model(lambda number: number == 30 and never.wait(2.0))
    with live_run(*cameras, out=tmp_path / "out") as run:
        run.until(lambda status: all(one.ledger.labelled > 80 for one in status.streams))
    sound(run)
    one_connection_each(run)
    for name in "ab":
        found = records(run.out, name)
        dropped = [one for one in found if one["outcome"] == "dropped"]
        assert 20 < len(dropped) < 100, "about two seconds of 25 frames"
        assert {one["reason"] for one in dropped} <= {"stale", "queue_full"}
        after = labelled(found[dropped[-1]["frame"] + 15 :])
        assert after
        assert sorted(one["latency_ms"]["total"] for one in after)[len(after) // 2] < 500, (
            "it does not catch up"
        )
    states = {one.state for status in run.seen for one in status.streams}
    assert not states & {StreamState.STALLED, StreamState.WAITING}


def test_another_size_while_a_frame_of_the_old_one_is_with_the_model(
    units: list[bytes], tmp_path: Path, model: Callable[..., FakeModel]
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(number: int) -> None:
        if number == 20:
            entered.set()
            go_on.wait(LONG)

    model(slow)
    large = packets_of(make_video(tmp_path / "large.mp4", frames=250, size=(320, 240), gop=10))
    with (
        ScriptedCamera(by_turn(then_cut(units, 40), steady(large))) as camera,
        live_run(f"x={camera.address}", out=tmp_path / "out", video=True) as run,
    ):
        assert entered.wait(LONG)
        run.until(lambda status: status.streams[0].size == (320, 240))
        go_on.set()
        run.until(lambda status: status.streams[0].ledger.labelled > 50)
    report = sound(run)
    errors = {outlet.error for status in run.seen for outlet in outlets(status).values()}
    assert errors == {""}, "a picture of one size went into a file of the other"
    assert not report.sources[0].warnings
    heights = {one["epoch"]: one["objects"][0]["box"][3] for one in labelled(records(run.out, "x"))}
    assert heights == {1: 120, 2: 240}


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may be larger, as if the disk were full; an error of the system, as that is."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk(cameras: list[str], tmp_path: Path, model: Callable[..., FakeModel]) -> None:
    model()
    with live_run(*cameras, out=tmp_path / "out", video=True) as run:
        run.until_live(0, frames=20)
        with room_for(6000):
            full = run.until(lambda status: all(one.error for one in outlets(status).values()))
            before = [one.ledger.labelled for one in full.streams]
            run.until(
                lambda status: all(
                    one.ledger.labelled > was + 25 for one, was in zip(status.streams, before, strict=True)
                )
            )
        again = {name: one.written for name, one in outlets(run.seen[-1]).items()}
        run.until(
            lambda status: all(
                not one.error and one.written > again[name] for name, one in outlets(status).items()
            )
        )
    report = sound(run, lost=(0, 1))
    one_connection_each(run)
    for source in report.sources:
        assert source.ledger is not None
        put = source.ledger.decoded - source.ledger.skipped.get("interrupted", 0)
        for sink in source.details["sinks"]:  # type: ignore[attr-defined]
            assert sink["dropped"] > 0
            assert sink["written"] + sink["dropped"] == put, sink
        labels = source.details["sinks"][0]  # type: ignore[index]
        found = records(run.out, source.source)
        assert len(found) >= labels["written"]
        assert [one["frame"] for one in found] == sorted({one["frame"] for one in found})
        assert len(found) + labels["lost"] + (labels["dropped"] - labels["lost"]) >= put
        assert any("records left out" in text for text in source.warnings)


def test_a_preview_reader_that_stops_reading(
    cameras: list[str], tmp_path: Path, model: Callable[..., FakeModel]
) -> None:
    model()
    with live_run(*cameras, out=tmp_path / "out", preview=("127.0.0.1", 0)) as run:
        run.until_live(0, frames=10)
        where = urlsplit(run.url or "")
        with socket.socket() as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            reader.settimeout(LONG)
            reader.connect((where.hostname, where.port))
            reader.sendall(f"GET /streams/0.mjpeg HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
            assert reader.recv(100).startswith(b"HTTP/1.1 200")
            run.until_more(0, 75)
            with urllib.request.urlopen(f"http://{where.netloc}/streams/1.mjpeg", timeout=LONG) as other:
                assert b"\xff\xd8" in other.read(2000), "another reader is served"
            run.until_more(1, 25)
    sound(run)
    one_connection_each(run)
    for name in "ab":
        numbers = numbers_in(records(run.out, name))
        assert numbers == list(range(len(numbers))), "nothing was dropped"
