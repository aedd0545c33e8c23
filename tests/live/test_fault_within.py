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
from tests.live.whole_runs import (
    ReadingModel,
    WholeRun,
    labelled,
    live_run,
    patient,
    records,
    sound,
    to_each_its_own,
    unharmed,
)
from tests.media import make_video
from vidinfer.errors import ModelError
from vidinfer.run_live import BATCH_SIZE
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
        assert source.details["source"]["connections"] == 1  # type: ignore[index]


def test_a_model_that_raises_once(
    cameras: list[str], tmp_path: Path, model: Callable[..., FakeModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient(monkeypatch)
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
    found = [one for name in "ab" for one in records(run.out, name)]
    failed = [one for one in found if one["outcome"] == "failed"]
    assert {one["outcome"] for one in found} == {"labelled", "failed"}
    assert {one["reason"] for one in failed} == {"RuntimeError: once"}
    assert {one["batch"]["size"] for one in failed} == {len(failed)}, "one batch and no more"
    assert sum(one.ledger.failed for one in report.sources if one.ledger is not None) == len(failed)
    for name in "ab":
        to_each_its_own(records(run.out, name))


def test_a_model_that_always_raises_ends_the_run(
    cameras: list[str], tmp_path: Path, model: Callable[..., FakeModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient(monkeypatch)

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
    assert {one["outcome"] for name in "ab" for one in records(out, name)} == {"failed"}


def test_a_model_that_takes_two_seconds_once(
    cameras: list[str], tmp_path: Path, model: Callable[..., FakeModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two seconds and more of 25 frames: nearly all have to give way, and what is labelled then is new."""
    entered, go_on = threading.Event(), threading.Event()

    def slow(number: int) -> None:
        if number == 30:
            entered.set()
            go_on.wait(LONG)

    model(slow)
    monkeypatch.setattr("vidinfer.run_live.CLOSING", LONG)
    with live_run(*cameras, out=tmp_path / "out") as run:
        assert entered.wait(LONG)
        begun = [run.until_more(stream, 1).ledger.decoded for stream in (0, 1)]
        run.until(
            lambda status: all(
                one.ledger.decoded >= was + 55 for one, was in zip(status.streams, begun, strict=True)
            )
        )
        standing = run.seen[-1].streams
        go_on.set()
        run.until(
            lambda status: all(
                one.ledger.labelled > was.ledger.labelled + 50
                for one, was in zip(status.streams, standing, strict=True)
            )
        )
    report = sound(run)
    one_connection_each(run)
    waiting = 2 * min(BATCH_SIZE, 2 * len(cameras))  # frames of a stream, at most
    for source, was, then in zip(report.sources, begun, standing, strict=True):
        found = records(run.out, source.source)
        to_each_its_own(found)
        assert source.ledger is not None
        assert {one.get("reason") for one in found if one["outcome"] != "labelled"} <= set(
            source.ledger.dropped
        )
        assert set(source.ledger.dropped) <= {"stale", "queue_full"}
        # Decoded, and on its way to those that wait: one more.
        meanwhile = found[was : then.ledger.decoded - waiting - 1]
        assert {one["outcome"] for one in meanwhile} == {"dropped"}, "it does not catch up"
    states = {one.state for status in run.seen for one in status.streams}
    assert not states & {StreamState.STALLED, StreamState.WAITING}


def test_another_size_while_a_frame_of_the_old_one_is_with_the_model(
    units: list[bytes], tmp_path: Path, model: Callable[..., FakeModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient(monkeypatch)
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
    found = records(run.out, "x")
    assert {(one["epoch"], one["objects"][0]["box"][3]) for one in labelled(found)} == {(1, 120), (2, 240)}
    others = {(one["epoch"], one["outcome"], one["reason"]) for one in found if one["outcome"] != "labelled"}
    assert others == {(1, "dropped", "stream_changed")}
    for epoch in (1, 2):
        to_each_its_own([one for one in found if one["epoch"] == epoch])


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may be larger, as if the disk were full; an error of the system, as that is."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk(
    cameras: list[str], tmp_path: Path, model: Callable[..., FakeModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient(monkeypatch)
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
        put = source.ledger.labelled
        assert source.ledger.decoded - source.ledger.skipped.get("interrupted", 0) == put
        for sink in source.details["sinks"]:  # type: ignore[attr-defined]
            assert sink["dropped"] > 0
            assert sink["written"] + sink["dropped"] == put, sink
        labels = source.details["sinks"][0]  # type: ignore[index]
        found = records(run.out, source.source)
        assert [one["frame"] for one in found] == sorted({one["frame"] for one in found})
        assert len(found) == put - labels["lost"]
        to_each_its_own(found)
        assert any("records left out" in text for text in source.warnings)


def test_a_preview_reader_that_stops_reading(
    cameras: list[str], tmp_path: Path, model: Callable[..., FakeModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient(monkeypatch)
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
    for name in "ab":
        unharmed(run, name)
