"""What goes wrong ends in one line, leaves no file behind, and costs no more than it must."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media import make_video
from tests.sink_video.cases import BASE, MODEL, NOTHING, Blank, make_clip, render, times, write_stamps
from vidinfer.detections import Results
from vidinfer.errors import SinkError
from vidinfer.frame import FrameStamp, SourceInfo
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.sink.timeline import VideoTimeline
from vidinfer.sink.verify import verify
from vidinfer.sink.video import VideoSink
from vidinfer.testing import ArrayPicture

STAMPS = [FrameStamp(i, i, BASE) for i in range(10)]

NOISE = """
import os, resource, signal, sys
from pathlib import Path
import numpy as np
from tests.sink_video.cases import BASE, Blank, MODEL, NOTHING, noise
from vidinfer.errors import SinkError
from vidinfer.frame import SourceInfo
from vidinfer.sink.video import VideoSink
sink = VideoSink(Path(sys.argv[1]), Blank(), x264={"preset": "ultrafast"}, threads=1)
sink.open(SourceInfo("made", 320, 240, BASE), MODEL)
"""
FULL = """
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    for batch in noise(500):
        sink.write(batch)
    sink.close()
except SinkError as error:
    print(error)
sink.abort()
sink.abort()
"""
KILLED = """
for batch in noise(300):
    sink.write(batch)
os.kill(os.getpid(), signal.SIGKILL)
"""


def in_a_child(script: str, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", NOISE + script, str(out)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )


def test_a_full_disk(tmp_path: Path) -> None:
    run = in_a_child(FULL, tmp_path / "out.mp4")
    assert run.stderr == ""
    assert run.returncode == 0
    assert run.stdout.count("\n") == 1
    assert str(tmp_path / "out.mp4") in run.stdout
    assert "choose another --out" in run.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_leaves_a_file_that_plays(tmp_path: Path) -> None:
    run = in_a_child(KILLED, tmp_path / "out.mp4")
    assert run.returncode == -signal.SIGKILL
    (partial,) = tmp_path.iterdir()
    assert partial.name.startswith(".out.mp4.")
    with av.open(str(partial)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames >= 200, "all but the last group of pictures"


def test_the_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    in_a_child(KILLED, tmp_path / "out.mp4")
    write_stamps(tmp_path / "out.mp4", STAMPS)
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    with pytest.raises(SinkError, match="a part of the path is a file"):
        write_stamps(tmp_path / "folder" / "out.mp4", STAMPS)


def test_a_video_that_is_there_already(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_text("mine")
    with pytest.raises(SinkError, match="give --overwrite"):
        write_stamps(tmp_path / "out.mp4", STAMPS)
    assert (tmp_path / "out.mp4").read_text() == "mine"
    write_stamps(tmp_path / "out.mp4", STAMPS, overwrite=True)
    assert len(times(tmp_path / "out.mp4")) == len(STAMPS)


def test_a_size_that_the_encoder_does_not_have(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "out.mp4", Blank())
    with pytest.raises(SinkError, match=r"out\.mp4: pictures of 20000x64 pixels"):
        sink.open(SourceInfo("made", 20000, 64, BASE), MODEL)
    sink.abort()
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_cannot_be_opened(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "out.mp4", Blank(), x264={"preset": "no such preset"})
    with pytest.raises(SinkError, match=r"cannot create .*out\.mp4"):
        sink.open(SourceInfo("made", 64, 48, BASE), MODEL)
    assert list(tmp_path.iterdir()) == []


def test_abort_removes_the_file_and_can_be_repeated(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4")
    sink = VideoSink(tmp_path / "out.mp4", Blank(), threads=1)
    sink.abort()  # before open: nothing to remove
    sink = VideoSink(tmp_path / "out.mp4", Blank(), threads=1)
    sink.open(SourceInfo("in.mp4", 64, 48, BASE, path=str(source)), MODEL)
    picture = ArrayPicture(np.zeros((48, 64, 3), np.uint8))
    sink.write(LabelledBatch([Entry(Outcome.LABELLED, STAMPS[0], picture=picture)], NOTHING))
    sink.abort()
    sink.abort()
    sink.close()
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_close_can_be_repeated_and_abort_after_it_changes_nothing(tmp_path: Path) -> None:
    sink = write_stamps(tmp_path / "out.mp4", STAMPS)
    sink.close()
    sink.abort()
    assert len(times(tmp_path / "out.mp4")) == len(STAMPS)


def test_without_a_frame_there_is_no_video(tmp_path: Path) -> None:
    sink = render(make_video(tmp_path / "in.mp4"), tmp_path / "out.mp4", frames=slice(0))
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]
    assert sink.facts()["frames"] == 0
    assert sink.facts()["warnings"] == ["there was no frame to show, so no video was written"]


def test_an_annotator_that_fails_is_heard(tmp_path: Path) -> None:
    class Broken(Blank):
        def draw(self, rgb: object, entry: Entry, results: Results) -> None:
            raise RuntimeError("no ink")

    with pytest.raises(RuntimeError, match="no ink"):
        render(make_video(tmp_path / "in.mp4"), tmp_path / "out.mp4", annotator=Broken())
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_what_is_read_back_must_be_what_was_written(tmp_path: Path) -> None:
    write_stamps(tmp_path / "out.mp4", STAMPS)
    timeline = VideoTimeline(BASE, None)
    for stamp in STAMPS:
        timeline.place(stamp)
    path = tmp_path / "out.mp4"
    verify(path, path, frames=10, timeline=timeline, audio_tracks=0)
    with pytest.raises(SinkError, match=r"frames 10 instead of 11"):
        verify(path, path, frames=11, timeline=timeline, audio_tracks=0)
    with pytest.raises(SinkError, match=r"audio tracks 0 instead of 1"):
        verify(path, path, frames=10, timeline=timeline, audio_tracks=1)
    timeline.place(FrameStamp(10, 10, BASE))
    with pytest.raises(SinkError, match=r"last \d+ instead of \d+"):
        verify(path, path, frames=10, timeline=timeline, audio_tracks=0)


def test_no_file_stays_open(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", audio="pcm_s16le")
    render(source, tmp_path / "warm-up.mp4")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for i in range(3):
        render(source, tmp_path / f"out-{i}.mp4")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
