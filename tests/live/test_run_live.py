"""Whole live runs: files at their own pace, addresses where nobody answers, a scripted model; every ledger balanced."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.whole_runs import patient
from tests.media import make_video
from vidinfer.config import RunConfig
from vidinfer.errors import ModelError, SourceError, UsageError
from vidinfer.progress import SilentObserver, StopSignal
from vidinfer.report import RunReport
from vidinfer.run_live import run_live
from vidinfer.stages import Window
from vidinfer.status import LiveStatus, StreamState
from vidinfer.testing import FakeModel

DEAD = "rtsp://admin:hunter2@127.0.0.1:1/cam"
"""Nobody listens there."""


class Watching(SilentObserver):
    """Calls ``seen`` with each status."""

    def __init__(self, seen: Callable[[LiveStatus], None]) -> None:
        self._seen = seen

    def status(self, status: LiveStatus) -> None:
        self._seen(status)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeModel]:
    """Let the run have a scripted model."""

    def make(before: Callable[[int], object] | None = None) -> FakeModel:
        fake = FakeModel(before)
        monkeypatch.setattr("vidinfer.run_live.open_model", lambda *_, **__: fake)
        return fake

    return make


def label(
    *sources: str | Path,
    out: Path,
    stop: StopSignal | None = None,
    seen: Callable[[LiveStatus], None] | None = None,
    **options: Any,
) -> RunReport:
    config = RunConfig(sources=tuple(map(str, sources)), mode="live", out=out, **options)
    observer = SilentObserver() if seen is None else Watching(seen)
    return run_live(config, observer=observer, stop=stop or StopSignal())


def records(out: Path, name: str) -> list[dict[str, Any]]:
    files = sorted(out.glob(f"{name}.*.labels.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def balanced(report: RunReport) -> None:
    for source in report.sources:
        assert source.ledger is not None
        assert source.ledger.balanced, source.ledger


def test_every_frame_of_every_stream_has_its_record(
    tmp_path: Path, model: Callable[..., FakeModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient(monkeypatch)
    model()
    clips = [make_video(tmp_path / f"{name}.mp4", frames=30) for name in ("a", "b", "c")]
    report = label(*clips, out=tmp_path / "out")
    balanced(report)
    assert report.exit_status == 0
    for name in ("a", "b", "c"):
        found = records(tmp_path / "out", name)
        assert [one["frame"] for one in found] == list(range(30))
        assert {(one["outcome"], one["epoch"]) for one in found} == {("labelled", 1)}
        stages = {"decode", "queue", "batch_wait", "inference", "write", "total"}
        assert all(set(one["latency_ms"]) == stages for one in found)
        assert all(one["latency_ms"]["total"] > 0 and 1 <= one["batch"]["size"] <= 6 for one in found)
        told = json.loads((tmp_path / "out" / f"{name}.run.json").read_text())
        assert told["frames"]["decoded"] == 30
        assert told["latency_ms"]["total"]["count"] == 30


def test_a_dead_camera_costs_the_others_nothing_and_its_password_is_nowhere(
    tmp_path: Path, model: Callable[..., FakeModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient(monkeypatch)
    model()
    clip = make_video(tmp_path / "a.mp4", frames=30)
    seen: list[LiveStatus] = []
    report = label(clip, DEAD, out=tmp_path / "out", duration=2, seen=seen.append)
    balanced(report)
    alive, dead = report.sources
    assert alive.status == "complete"
    assert alive.ledger is not None
    assert (alive.ledger.decoded, alive.ledger.labelled) == (30, 30)
    assert dead.status == "failed"
    assert "refused" in str(dead.error)
    assert report.exit_status == 1
    assert StreamState.WAITING in {one.streams[1].state for one in seen}
    told = "".join(file.read_text() for file in (tmp_path / "out").iterdir()) + repr(seen) + repr(report)
    assert "hunter2" not in told


def test_a_stop_ends_it_with_valid_outputs(tmp_path: Path, model: Callable[..., FakeModel]) -> None:
    model()
    clip = make_video(tmp_path / "a.mp4", frames=30)
    stop = StopSignal()

    def once_there_are_labels(status: LiveStatus) -> None:
        if status.streams[0].ledger.labelled:
            stop.request()

    report = label(clip, out=tmp_path / "out", loop=True, video=True, stop=stop, seen=once_there_are_labels)
    balanced(report)
    assert report.exit_status == 130
    found = records(tmp_path / "out", "a")
    assert len(found) == report.sources[0].ledger.decoded - sum(report.sources[0].ledger.skipped.values())  # type: ignore[union-attr]
    assert not list((tmp_path / "out").glob("*partial*"))
    assert list((tmp_path / "out").glob("a.*.annotated.mp4"))


def test_a_file_that_loops_goes_on_in_one_count(tmp_path: Path, model: Callable[..., FakeModel]) -> None:
    model()
    clip = make_video(tmp_path / "a.mp4", frames=10)
    report = label(clip, out=tmp_path / "out", loop=True, max_frames=25)
    balanced(report)
    assert [one["frame"] for one in records(tmp_path / "out", "a")] == list(range(25))


def test_a_model_that_fails_once_costs_its_batch(tmp_path: Path, model: Callable[..., FakeModel]) -> None:
    raised: list[int] = []

    def fail(number: int) -> None:
        if number == 2 and not raised:
            raised.append(number)
            raise RuntimeError("once")

    model(fail)
    clip = make_video(tmp_path / "a.mp4", frames=30)
    report = label(clip, out=tmp_path / "out")
    balanced(report)
    failed = [one for one in records(tmp_path / "out", "a") if one["outcome"] == "failed"]
    assert failed
    assert all(one["reason"] == "RuntimeError: once" for one in failed)
    assert report.exit_status == 1


def test_a_model_that_always_fails_ends_the_run(tmp_path: Path, model: Callable[..., FakeModel]) -> None:
    def fail(number: int) -> None:
        raise RuntimeError(f"broken {number}")

    model(fail)
    clip = make_video(tmp_path / "a.mp4", frames=30)
    with pytest.raises(ModelError, match="failed on 3 batches in a row: RuntimeError: broken"):
        label(clip, out=tmp_path / "out", loop=True)
    assert not list((tmp_path / "out").glob("*partial*"))


def test_a_model_that_takes_long_has_old_frames_dropped_and_each_is_told(
    tmp_path: Path, model: Callable[..., FakeModel]
) -> None:
    dropping = threading.Event()

    def slow(number: int) -> None:
        if number == 1:
            dropping.wait(30)  # until frames had to give way

    def seen(status: LiveStatus) -> None:
        if status.streams[0].ledger.decoded >= 20:
            dropping.set()

    model(slow)
    clip = make_video(tmp_path / "a.mp4", frames=60)
    report = label(clip, out=tmp_path / "out", seen=seen, max_batch_size=2)
    balanced(report)
    found = records(tmp_path / "out", "a")
    assert [one["frame"] for one in found] == list(range(60))
    dropped = [one for one in found if one["outcome"] == "dropped"]
    # Of twenty: two batches of two, four that waited, one on its way to them.
    assert len(dropped) >= 20 - 2 * 2 - 4 - 1
    assert {one["reason"] for one in dropped} <= {"stale", "queue_full"}
    assert report.exit_status == 0  # by the stated rule, each one counted


@pytest.mark.parametrize("slo", [0.001, 60_000.0, None])
def test_a_budget_that_cannot_be_kept_is_told_once_the_model_is_measured(
    tmp_path: Path, model: Callable[..., FakeModel], monkeypatch: pytest.MonkeyPatch, slo: float | None
) -> None:
    monkeypatch.setattr(
        "vidinfer.scheduling.scheduler.PROBE", 0.02
    )  # eight labels make it ready, at one a second
    model()
    clip = make_video(tmp_path / "a.mp4", frames=20)
    stop = StopSignal()
    told: list[tuple[str, ...]] = []

    def seen(status: LiveStatus) -> None:
        told.append(status.warnings)
        # Of two cameras in step one may have all labels where only one now and then is tried for.
        if status.service is not None and sum(stream.ledger.labelled for stream in status.streams) >= 40:
            stop.request()

    report = label(clip, clip, out=tmp_path / "out", loop=True, latency_slo=slo, seen=seen, stop=stop)
    balanced(report)
    expected = slo == 0.001
    assert len(told[-1]) == expected
    for source in report.sources:
        kept = json.loads((tmp_path / "out" / f"{source.source}.run.json").read_text())["warnings"]
        assert kept == list(source.warnings) == list(told[-1])
    if expected:
        assert told[-1][0].startswith("latency-slo 0.001 ms cannot be kept: the model alone takes ")


def test_a_budget_that_decoding_cannot_keep_is_told_of_its_stream(
    tmp_path: Path, model: Callable[..., FakeModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """B-frames are shown before what was read before them, so frames wait for packets that are 40 ms apart."""
    monkeypatch.setattr("vidinfer.scheduling.scheduler.PROBE", 0.02)
    model()
    clip = make_video(tmp_path / "late.mp4", frames=100, b_frames=3)
    stop = StopSignal()

    def seen(status: LiveStatus) -> None:
        if status.warnings:
            stop.request()

    report = label(clip, out=tmp_path / "out", loop=True, latency_slo=20.0, seen=seen, stop=stop)
    balanced(report)
    (text,) = report.sources[0].warnings
    assert text.startswith("late: latency-slo 20 ms cannot be kept: half of its frames take ")


def test_labels_on_standard_output(
    tmp_path: Path, model: Callable[..., FakeModel], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    model()
    clips = [make_video(tmp_path / f"{name}.mp4", frames=10) for name in ("a", "b")]
    label(*clips, out=tmp_path / "out", labels=("-",))
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    for name in ("a", "b"):
        assert [one["frame"] for one in lines if one["source"] == name] == list(range(10))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"start": 1}, "start: for files"),
        ({"overwrite": True}, "overwrite: for files"),
        ({"labels": ("csv",)}, "live labels are JSON lines"),
    ],
)
def test_what_live_streams_do_not_have_is_refused(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        label(tmp_path / "a.mp4", out=tmp_path / "out", **options)


def test_files_among_streams_are_not_guessed_about() -> None:
    config = RunConfig(sources=("clip.mp4", "rtsp://127.0.0.1/cam"))
    with pytest.raises(UsageError, match="a file among streams; give --mode live"):
        config.require_live()


def test_models_that_look_at_several_frames_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidinfer.run_live.open_model", lambda *_, **__: FakeModel(window=Window(4)))
    with pytest.raises(UsageError, match="looks at several frames at once"):
        label("camera:0", out=tmp_path / "out")


@pytest.mark.parametrize("bad", ["rtsp://", "http://127.0.0.1:x/"])
def test_an_address_that_is_none_leaves_nothing_behind(
    tmp_path: Path, model: Callable[..., FakeModel], bad: str
) -> None:
    model()
    clip = make_video(tmp_path / "a.mp4", frames=5)
    with pytest.raises(UsageError):
        label(clip, bad, out=tmp_path / "out", video=True)
    assert not list(tmp_path.glob("out/*"))


def test_a_port_that_is_taken_leaves_nothing_behind(tmp_path: Path, model: Callable[..., FakeModel]) -> None:
    model()
    clip = make_video(tmp_path / "a.mp4", frames=5)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="port"):
        label(clip, out=tmp_path / "out", preview=("127.0.0.1", taken.getsockname()[1]))


@pytest.mark.parametrize(
    ("source", "told"),
    [("missing.mp4", "no such file"), (".", "a folder, a list or a pattern"), ("*.mp4", "a folder")],
)
def test_files_that_are_not_there_are_told_before_the_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((SourceError, UsageError), match=told):
        label("camera:0", source, out=tmp_path / "out", loop=True, model="no_such_model")
    assert not (tmp_path / "out").exists()
