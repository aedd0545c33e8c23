"""The video of a live stream in segments: whole, with true times, playable at every moment, kept whatever happens."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.sink_live.cases import (
    BASE,
    CAM,
    MODEL,
    QUARTER_PAST_TEN,
    arrival,
    gap,
    in_a_child,
    labelled,
    pictured,
    shown,
    steady,
)
from tests.sink_video.cases import Blank, ffprobe, one_box
from tests.sink_video.conftest import Watch
from vidinfer.annotate import DrawingAnnotator
from vidinfer.annotate.palette import Palette
from vidinfer.detections import Results
from vidinfer.errors import SinkError
from vidinfer.record import Entry, LabelledBatch
from vidinfer.sink import Keep
from vidinfer.sink.fragments import whole_fragments
from vidinfer.sink.segmented import SegmentedVideo

FAST = {"preset": "ultrafast", "tune": "zerolatency"}
FIRST = "cam.20261125T101500Z.annotated"


def opened(folder: Path, annotator: Any = None, **options: Any) -> SegmentedVideo:
    sink = SegmentedVideo(folder, "cam", annotator or Blank(), **{"x264": FAST, **options})
    sink.open(CAM, MODEL)
    return sink


def contents(folder: Path) -> dict[str, list[int]]:
    """Which pictures are in which file."""
    return {p.name: [number for number, _ in shown(p)] for p in sorted(folder.iterdir())}


def test_segments_end_at_round_times_and_each_begins_with_a_keyframe_at_0(tmp_path: Path) -> None:
    sink = opened(tmp_path, seconds=2)
    for batch in steady(range(120), wall=QUARTER_PAST_TEN + 1):
        sink.write(batch)
    sink.close()
    assert contents(tmp_path) == {
        "cam.20261125T101501Z.annotated.mp4": list(range(25)),
        "cam.20261125T101502Z.annotated.mp4": list(range(25, 75)),
        "cam.20261125T101504Z.annotated.mp4": list(range(75, 120)),
    }
    for path in tmp_path.iterdir():
        with av.open(str(path)) as container:
            first = next(container.demux(video=0))
            assert (first.pts, first.is_keyframe) == (0, True)
            assert container.streams.video[0].codec_context.has_b_frames == 0
    assert sink.facts() == {
        "format": "mp4",
        "codec": "h264",
        "encoder": "libx264",
        "frames": 120,
        "frames_placed_by_arrival": 0,
        "lost": 0,
        "files": {"completed": 3, "recovered": 0, "removed": 0},
        "warnings": [],
    }


def test_times_are_those_of_the_frames_and_a_gap_stays_a_gap(tmp_path: Path) -> None:
    sink = opened(tmp_path)
    times = [0.0, 0.04, 0.1, 0.14, 7.5, 7.52, 30.0]
    for i, time in enumerate(times):
        sink.write(pictured(i, arrival(time + 0.003 * (i % 3)), pts=10**9 + round(time / BASE)))
        sink.write(gap(arrival(time)))
    sink.close()
    (path,) = tmp_path.iterdir()
    assert [(n, pytest.approx(t)) for n, t in shown(path)] == list(enumerate(times))  # type: ignore[comparison-overlap]


def test_a_new_epoch_and_another_size_begin_a_segment(tmp_path: Path) -> None:
    sink = opened(tmp_path)
    for i, epoch in enumerate([1, 1, 2, 2]):
        sink.write(pictured(i, arrival(i, epoch=epoch), pts=i))
    sink.open(replace(CAM, width=96), MODEL)
    sink.write(pictured(4, arrival(4, epoch=2), size=(96, 48)))
    sink.close()
    assert list(contents(tmp_path).values()) == [[0, 1], [2, 3], [4]]


def test_frames_without_a_picture_are_told(tmp_path: Path) -> None:
    sink = opened(tmp_path)
    sink.write(labelled(0, arrival()))
    sink.close()
    assert list(tmp_path.iterdir()) == []
    assert sink.facts()["warnings"] == ["frames without a picture, missing in the video: 1"]


def test_only_the_last_segments_are_kept(tmp_path: Path) -> None:
    sink = opened(tmp_path, seconds=1, keep=Keep(files=2))
    for batch in steady(range(100)):
        sink.write(batch)
    sink.close()
    assert list(contents(tmp_path).values()) == [list(range(50, 75)), list(range(75, 100))]


def test_the_open_segment_has_a_name_that_players_take_and_grows_by_whole_fragments(tmp_path: Path) -> None:
    sink = opened(tmp_path)
    for batch in steady(range(60)):
        sink.write(batch)
    (growing,) = tmp_path.iterdir()
    assert growing.name == f"{FIRST}.partial.mp4"
    assert [n for n, _ in shown(growing)] == list(range(50)), "all but the fragment being written"
    before = growing.read_bytes()
    for batch in steady(range(60, 90)):
        sink.write(batch)
    assert growing.read_bytes().startswith(before), "a reader that is at it is not disturbed"
    sink.close()
    assert contents(tmp_path) == {f"{FIRST}.mp4": list(range(90))}
    (stream,) = ffprobe(tmp_path / f"{FIRST}.mp4")["streams"]
    assert (stream["nb_read_frames"], float(stream["duration"])) == ("90", 3.6)


def test_abort_keeps_what_was_written(tmp_path: Path) -> None:
    sink = opened(tmp_path)
    for batch in steady(range(10)):
        sink.write(batch)
    sink.abort()
    sink.abort()
    sink.close()
    assert contents(tmp_path) == {f"{FIRST}.mp4": list(range(10))}
    with pytest.raises(SinkError, match="before it is opened"):
        sink.write(steady([0])[0])


KILLED = """
from tests.sink_live.test_segmented import *
sink = opened(Path("."))
for batch in steady(range(90)):
    sink.write(batch)
print("ready", flush=True)
input()
"""


def test_a_killed_run_leaves_a_segment_that_plays_and_gets_its_name(tmp_path: Path) -> None:
    with in_a_child(KILLED, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        opened(tmp_path).close()
        (growing,) = tmp_path.iterdir()
        assert growing.name == f"{FIRST}.partial.mp4", "it belongs to a living process"
        process.send_signal(signal.SIGKILL)
    (stream,) = ffprobe(growing)["streams"]
    assert stream["nb_read_frames"] == "75"
    sink = opened(tmp_path)
    assert contents(tmp_path) == {f"{FIRST}.mp4": list(range(75))}
    for batch in steady(range(90, 100)):
        sink.write(batch)
    sink.close()
    assert list(contents(tmp_path).values()) == [list(range(75)), list(range(90, 100))]
    assert sink.facts()["files"] == {"completed": 1, "recovered": 1, "removed": 0}


@pytest.mark.parametrize("cut", [1, 30, 200, 700])
def test_a_torn_fragment_is_cut_off(tmp_path: Path, cut: int) -> None:
    sink = opened(tmp_path)
    for batch in steady(range(60)):
        sink.write(batch)
    (growing,) = tmp_path.iterdir()
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(growing.read_bytes()[:-cut])
    assert whole_fragments(torn)
    assert [n for n, _ in shown(torn)] == list(range(25))
    assert ffprobe(torn)["streams"][0]["nb_read_frames"] == "25"
    whole = torn.read_bytes()
    assert whole_fragments(torn)
    assert torn.read_bytes() == whole
    sink.close()
    done = tmp_path / f"{FIRST}.mp4"
    complete = done.read_bytes()
    assert whole_fragments(done)
    assert done.read_bytes() == complete


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 100, b"\0\0\0\x1cftyp" + b"isom" * 5])
def test_a_leftover_without_a_fragment_goes(tmp_path: Path, data: bytes) -> None:
    (tmp_path / f"{FIRST}.partial.mp4").write_bytes(data)
    opened(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_what_was_written_and_the_next_segment_begins_when_there_is_room(
    tmp_path: Path,
) -> None:
    code = """
import resource
from tests.sink_live.test_segmented import *
def room(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
sink = opened(Path("."))
errors = []
def write(frames):
    for i, batch in zip(frames, steady(frames)):
        try:
            sink.write(batch)
        except SinkError as error:
            errors.append([i, str(error)])
room(2500)
write(range(100))
first = len(errors)
room(resource.RLIM_INFINITY)
write(range(100, 150))
sink.close()
facts = sink.facts()
print(json.dumps([errors[0], first, len(errors), facts["frames"], facts["lost"]]))
"""
    with in_a_child(code, tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert err == ""
    (number, error), first, errors, frames, lost = json.loads(out)
    assert error.startswith("cannot write cam.annotated.mp4: the file is larger than this system allows")
    assert first == errors
    segments = list(contents(tmp_path).values())
    assert frames == sum(len(numbers) for numbers in segments)
    assert frames + lost == 150, "every picture is in a file or counted as lost"
    assert segments[0] == list(range(len(segments[0])))
    assert 25 <= len(segments[0]) <= number
    assert segments[-1][-1] == 149
    assert not list(tmp_path.glob("*partial*"))


def test_an_annotator_that_fails_costs_its_batch(tmp_path: Path) -> None:
    class Broken(Blank):
        def draw(self, rgb: Any, entry: Entry, results: Results) -> None:
            if len(self.seen) == 30:
                self.seen.append((entry, 0))
                raise RuntimeError("no ink")
            super().draw(rgb, entry, results)

    sink = opened(tmp_path, Broken())
    batches = steady(range(40))
    for batch in batches[:30]:
        sink.write(batch)
    with pytest.raises(RuntimeError, match="no ink"):
        sink.write(batches[30])
    for batch in batches[31:]:
        sink.write(batch)
    sink.close()
    assert sink.facts()["lost"] == 1
    assert list(contents(tmp_path).values()) == [list(range(30)), list(range(31, 40))]


def test_a_place_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(SinkError, match="a part of the path is a file"):
        opened(tmp_path / "out")
    with pytest.raises(SinkError, match=r"cannot create .*annotated\.mp4"):
        opened(tmp_path, x264={"preset": "no such preset"})
    with pytest.raises(ValueError, match="no encoder 'mine'"):
        opened(tmp_path, encoder="mine")


def test_odd_sizes_and_units(tmp_path: Path) -> None:
    sink = SegmentedVideo(tmp_path, "cam", Blank(), x264=FAST)
    sink.open(replace(CAM, width=97, height=63, time_base=Fraction(1, 10**9), rate=None), MODEL)
    for i in range(5):
        sink.write(pictured(i, arrival(i / 10), pts=None, size=(97, 63)))
    sink.close()
    (path,) = tmp_path.iterdir()
    assert [t for _, t in shown(path)] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4], abs=1e-4)


def test_no_file_stays_open(tmp_path: Path) -> None:
    def run(folder: Path) -> None:
        sink = opened(folder, seconds=1)
        for batch in steady(range(60)):
            sink.write(batch)
        sink.close()

    run(tmp_path / "warm-up")
    before = len(list(Path("/proc/self/fd").iterdir()))
    run(tmp_path / "a")
    run(tmp_path / "b")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.browser
def test_a_browser_plays_a_segment_that_is_still_being_written(tmp_path: Path, watch: Watch) -> None:
    info = replace(CAM, width=640, height=480)
    sink = SegmentedVideo(tmp_path, "cam", DrawingAnnotator())
    sink.open(info, MODEL)
    found = one_box((100, 150, 500, 400))

    def write(frames: range) -> None:
        for batch in steady(frames, size=(640, 480)):
            entries = [replace(entry, row=0) for entry in batch.entries]
            sink.write(LabelledBatch(entries, found))

    write(range(110))
    (growing,) = tmp_path.iterdir()
    seen = watch(growing, [1.02, 3.02])
    assert (seen["width"], seen["height"]) == (640, 480)
    assert seen["end"] == pytest.approx(4.0, abs=0.05)
    drawn = Palette(len(MODEL.categories))[1]
    for look in seen["looks"]:  # on the lower edge of the box
        assert np.abs(look["rgba"].reshape(480, 640, 4)[400, 300, :3].astype(int) - drawn).max() < 40
    write(range(110, 130))
    sink.close()
    seen = watch(tmp_path / f"{FIRST}.mp4", [5.1])
    assert seen["duration"] == pytest.approx(5.2, abs=0.01)
