"""``vidinfer.label`` over live streams: files at their own pace, addresses where nobody answers, a scripted model."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vidinfer
from tests.live.labelling import DEAD, SECONDS, label, ours
from tests.live.whole_runs import ReadingModel
from tests.media import make_video, read_number
from vidinfer.arrival import TimeSource
from vidinfer.record import Outcome
from vidinfer.stages import Window
from vidinfer.status import StreamState
from vidinfer.testing import FakeModel

ROOT = Path(__file__).parents[2]


def indices(frames: list[vidinfer.LabelledFrame], source: str) -> list[int]:
    return [frame.index for frame in frames if frame.source == source]


def test_frames_of_two_streams_say_what_their_records_say(
    tmp_path: Path, model: Callable[..., FakeModel]
) -> None:
    fake = model()
    clips = [make_video(tmp_path / f"{name}.mp4", frames=30) for name in ("a", "b")]
    streams = label(*clips, latency_slo=60_000)
    frames = list(streams)
    for name in ("a", "b"):
        found = indices(frames, name)
        assert found == sorted(set(found))
    assert len(frames) + streams.left_out == 60
    assert streams.ledger.decoded == 60
    assert streams.ledger.balanced
    labelled = [frame for frame in frames if frame.outcome is Outcome.LABELLED]
    assert labelled
    for frame in labelled:
        assert frame.pts is not None
        assert frame.time == float(frame.pts * frame.time_base)
        assert frame.epoch == 1
        assert (frame.captured, frame.time_source) == (None, TimeSource.RECEIVED)
        assert frame.received is not None
        assert frame.received > 1.7e9  # Unix seconds
        assert frame.latency_ms is not None
        stages = ["decode", "queue", "batch_wait", "inference", "hand_over"]
        assert list(frame.latency_ms) == [*stages, "total"]
        assert sum(frame.latency_ms[stage] for stage in stages) == pytest.approx(frame.latency_ms["total"])
        assert frame.batch is not None
        assert frame.batch.size >= 1
        assert frame.batch.closed_by
        assert frame.objects is not None
        assert read_number(frame.image()) == frame.objects.boxes[0, 2] == frame.index
    received = [frame.received for frame in labelled if frame.source == "a" and frame.received is not None]
    assert received == sorted(received)
    assert fake.closed
    assert not ours()


def test_nothing_is_written(
    tmp_path: Path, model: Callable[..., FakeModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model()
    clip = make_video(tmp_path / "a.mp4", frames=5)
    monkeypatch.chdir(tmp_path)
    list(label(clip))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_slow_reader_slows_nobody_and_what_he_misses_is_counted(
    tmp_path: Path, model: Callable[..., FakeModel]
) -> None:
    far_ahead = threading.Event()
    fake = model(ReadingModel(lambda number: far_ahead.set() if number >= 150 else None))
    clip = make_video(tmp_path / "a.mp4", frames=100, rate=100)
    with label(clip, loop=True, max_batch_size=1) as frames:
        first = next(frames)
        assert far_ahead.wait(SECONDS)  # while nobody reads
        status = frames.status()
        assert status is not None
        (outlet,) = status.streams[0].outlets
        labelled = status.streams[0].ledger.labelled
        assert outlet.waiting <= 16 + sum(status.streams[0].ledger.dropped.values())
        assert frames.left_out > 0
        second = next(frames)
        assert second.index > first.index + 1
        frames.stop()
        rest = list(frames)
        (outlet,) = frames.status().streams[0].outlets  # type: ignore[union-attr]
        assert outlet.written == 2 + len(rest)
        assert outlet.waiting == 0
        assert outlet.dropped == frames.left_out
        assert sum(frame.picture is not None for frame in rest) <= 16
        ledger = frames.ledger
    assert labelled <= ledger.labelled
    assert ledger.balanced
    assert outlet.written + frames.left_out == ledger.decoded - sum(ledger.skipped.values())
    assert fake.closed


def test_a_dead_camera_costs_the_others_nothing(tmp_path: Path, model: Callable[..., FakeModel]) -> None:
    model()
    clip = make_video(tmp_path / "a.mp4", frames=20)
    frames = []
    with label(clip, DEAD) as streams:
        for frame in streams:
            frames.append(frame)
            if frame.index == 19:  # the newest frame is never left out
                streams.stop()
        status = streams.status()
    assert status is not None
    assert len(indices(frames, "a")) + streams.left_out == 20
    assert {frame.source for frame in frames} == {"a"}
    alive, dead = status.streams
    assert alive.ledger.decoded == 20
    assert (alive.state, dead.state) == (StreamState.ENDED, StreamState.ENDED)
    assert "refused" in dead.error
    assert "hunter2" not in repr(status)


def test_where_nobody_was_ever_there_the_loop_does_not_end_as_if_all_were_well(
    model: Callable[..., FakeModel],
) -> None:
    fake = model()
    with pytest.raises(vidinfer.SourceError, match=r"dead: .*refused") as raised:
        list(label(DEAD, duration=1))
    assert "hunter2" not in str(raised.value)
    assert fake.closed


def test_a_length_ends_it(tmp_path: Path, model: Callable[..., FakeModel]) -> None:
    model()
    clip = make_video(tmp_path / "a.mp4", frames=10)
    frames = label(clip, loop=True, duration=1)
    found = indices(list(frames), "a")
    assert len(found) + frames.left_out == frames.ledger.decoded
    assert 0 < frames.ledger.decoded <= 30  # 25 a second, and not for ever
    frames = label(clip, clip, loop=True, max_frames=12)
    found = indices(list(frames), "a-1")
    assert found == sorted(set(found))
    assert max(found) == 11
    assert frames.ledger.decoded == 24


def test_a_stop_from_another_thread_ends_the_loop_with_what_was_read(
    tmp_path: Path, model: Callable[..., FakeModel]
) -> None:
    fake = ReadingModel(lambda number: frames.stop() if number == 5 else None)
    model(fake)
    clip = make_video(tmp_path / "a.mp4", frames=10)
    frames = label(clip, DEAD, loop=True)
    found = list(frames)
    assert found
    assert len(found) + frames.left_out == frames.ledger.decoded - sum(frames.ledger.skipped.values())
    assert frames.ledger.balanced
    assert not ours()


def test_a_frame_that_was_dropped_says_so_and_has_no_picture(
    tmp_path: Path, model: Callable[..., FakeModel]
) -> None:
    decoded: list[int] = []
    enough = threading.Event()

    def slow(number: int) -> None:
        if number == 1:
            assert enough.wait(SECONDS)  # until frames had to give way

    class Counting(ReadingModel):
        def input_for(self, width: int, height: int) -> Any:
            spec = super().input_for(width, height)
            prepare = spec.prepare

            def counted(rgb: Any, place: Any) -> None:
                decoded.append(1)
                if len(decoded) >= 20:
                    enough.set()
                prepare(rgb, place)

            return type(spec)(spec.shape, spec.dtype, counted)

    model(Counting(slow))
    clip = make_video(tmp_path / "a.mp4", frames=40)
    frames = list(label(clip, max_batch_size=2))
    dropped = [frame for frame in frames if frame.outcome is Outcome.DROPPED]
    assert dropped
    for frame in dropped:
        assert frame.reason in ("stale", "queue_full")
        assert frame.objects is None
        assert frame.batch is None
        assert frame.latency_ms is not None
        assert "total" not in frame.latency_ms
        assert frame.epoch == 1
        with pytest.raises(ValueError, match=f"frame {frame.index} of a is dropped and has no picture"):
            frame.image()


def test_a_model_that_always_fails_is_told_while_reading(
    tmp_path: Path, model: Callable[..., FakeModel]
) -> None:
    def fail(number: int) -> None:
        raise RuntimeError(f"broken {number}")

    fake = model(FakeModel(fail))
    clip = make_video(tmp_path / "a.mp4", frames=30)
    with pytest.raises(vidinfer.ModelError, match="failed on 3 batches in a row: RuntimeError: broken"):
        list(label(clip, loop=True))
    assert fake.closed


def test_a_page_to_look_at_while_reading(tmp_path: Path, model: Callable[..., FakeModel]) -> None:
    model()
    clip = make_video(tmp_path / "a.mp4", frames=10)
    with label(clip, loop=True, preview="127.0.0.1:0") as frames:
        assert frames.preview is None
        next(frames)
        assert frames.preview is not None
        assert frames.preview.startswith("http://127.0.0.1:")
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(vidinfer.UsageError, match="port"),
    ):
        next(label(clip, preview=f"127.0.0.1:{taken.getsockname()[1]}"))


def test_errors_come_at_once(tmp_path: Path, model: Callable[..., FakeModel]) -> None:
    model()
    clip = make_video(tmp_path / "a.mp4", frames=3)
    for sources, options, told in (
        ([clip], {"start": 1}, "start: for files that are not played live"),
        ([clip], {"latency_slo": -1}, "latency_slo -1"),
        ([clip], {"policy": "lucky"}, "policy lucky"),
        (["rtsp://"], {}, "rtsp://"),
        ([clip, "http://127.0.0.1:x/"], {}, "http://127.0.0.1:x/"),
        ([], {}, "nothing to label"),
    ):
        with pytest.raises(vidinfer.UsageError, match=re.escape(told)):
            label(*sources, **options)  # type: ignore[misc, arg-type]
    with pytest.raises(vidinfer.SourceError, match="no such file"):
        label(tmp_path / "missing.mp4", clip)
    model(FakeModel(window=Window(4)))
    with pytest.raises(vidinfer.UsageError, match="looks at several frames at once"):
        label(clip)


def test_what_is_meant_is_not_guessed(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", frames=3)
    with pytest.raises(vidinfer.UsageError, match="a file among streams; give --mode live"):
        vidinfer.label([clip, "rtsp://127.0.0.1/cam"])
    with pytest.raises(vidinfer.UsageError, match=r"label takes one file, .* or give mode='live'"):
        vidinfer.label([clip, make_video(tmp_path / "b.mp4", frames=3)])
    with pytest.raises(vidinfer.UsageError, match="latency-slo: for live streams only"):
        vidinfer.label(clip, latency_slo=100)
    for name in ("latency_sol", "out", "labels"):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
            vidinfer.label(clip, **{name: 1})  # type: ignore[arg-type, misc]


def test_the_example_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "live.md").read_text(), flags=re.DOTALL)
    addresses = '["yard=rtsp://10.0.0.5/stream1", "camera:0"], latency_slo=100'
    assert addresses in block
    clip = "sample_media/traffic.mp4"
    here = f'["{clip}", "{clip}"], mode="live", duration=3, model="demo"'
    command = [sys.executable, "-W", "error", "-c", block.replace(addresses, here)]
    out = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert out.returncode == 0, out.stderr
    lines = out.stdout.splitlines()
    assert re.match(r"traffic-[12]  \d+\.\d{3} s  \d+ ms  \w+", lines[0])
    assert {line.split()[0] for line in lines[:-1]} == {"traffic-1", "traffic-2"}
    assert re.fullmatch(r"\d+ labelled, \d+ dropped, \d+ not read in time", lines[-1])
