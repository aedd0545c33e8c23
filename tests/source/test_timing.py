"""Time is what the container says, and nothing else."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.video.stream import VideoStream

from tests.media import draw_number, make_video, patch_edit_list
from tests.source.conftest import ProbeTimes
from tests.source.reading import read

VARIABLE = [0, 40, 50, 400, 401, 1000, 1033, 5000, 5001, 9000]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_variable_frame_rate(tmp_path: Path, ffprobe_times: ProbeTimes, suffix: str, b_frames: int) -> None:
    base = Fraction(1, 1000)
    path = tmp_path / f"vfr{suffix}"
    make_video(path, frames=len(VARIABLE), pts=VARIABLE, time_base=base, b_frames=b_frames)
    reading = read(path)
    assert reading.numbers == list(range(len(VARIABLE)))
    assert reading.pts == ffprobe_times(path)
    times = [
        frame.stamp.pts * frame.stamp.time_base for frame in reading.frames if frame.stamp.pts is not None
    ]
    assert [time - times[0] for time in times] == [pts * base for pts in VARIABLE]
    assert reading.facts["variable_rate"] is True
    assert reading.facts["pts_not_increasing"] == 0


def test_a_gif_keeps_its_delays(tmp_path: Path) -> None:
    pts = [0, 5, 50, 60, 300]
    path = make_video(
        tmp_path / "slow.gif", frames=5, codec="gif", pix_fmt="rgb8", pts=pts, time_base=Fraction(1, 100)
    )
    reading = read(path)
    assert reading.pts == pts
    assert reading.info.time_base == Fraction(1, 100)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_start_that_is_not_zero(tmp_path: Path, ffprobe_times: ProbeTimes, suffix: str) -> None:
    path = make_video(tmp_path / f"late{suffix}", frames=10, pts=list(range(500, 510)))
    reading = read(path)
    assert reading.pts == ffprobe_times(path)
    assert reading.numbers == list(range(10))
    start = reading.pts[0]
    assert start is not None
    # MPEG-TS may begin later still; the others keep 20 s exactly.
    assert start * reading.info.time_base >= 20 if suffix == ".ts" else start * reading.info.time_base == 20
    assert reading.info.details["start_pts"] == start
    assert reading.facts["first_pts"] == start


def test_edit_list_hides_leading_frames(tmp_path: Path, ffprobe_times: ProbeTimes) -> None:
    """A cut between key frames: the frames before it are decoded, and not displayed."""
    path = make_video(tmp_path / "cut.mp4", frames=30, gop=10)
    patch_edit_list(path, media_time=7 * 512)
    reading = read(path)
    assert reading.pts == ffprobe_times(path)
    assert reading.numbers == list(range(7, 30))
    assert reading.frames[0].stamp.index == 0
    assert reading.gaps == []


@pytest.mark.parametrize("b_frames", [0, 3])
def test_edit_list_hides_both_ends(tmp_path: Path, ffprobe_times: ProbeTimes, b_frames: int) -> None:
    path = make_video(tmp_path / "cut.mp4", frames=30, gop=10, b_frames=b_frames)
    offset = 0 if b_frames == 0 else _media_time(path)
    patch_edit_list(path, media_time=offset + 12 * 512, duration=8 * 40)
    reading = read(path)
    assert reading.pts == ffprobe_times(path)
    assert reading.numbers[:8] == list(range(12, 20))
    assert reading.gaps == []  # the index promises no frame that the edit list took away


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_frames_before_the_first_key_frame_are_not_displayed(
    tmp_path: Path, ffprobe_times: ProbeTimes, codec: str
) -> None:
    """A recording that begins in the middle of a group of pictures: no decoder shows its first frames."""
    path = make_video(tmp_path / "joined.ts", frames=60, b_frames=3, codec=codec, size=(192, 128))
    data = path.read_bytes()
    tables, middle = data[: 3 * 188], len(data) // 188 * 2 // 5 * 188
    path.write_bytes(tables + data[middle:])
    reading = read(path)
    assert reading.pts == ffprobe_times(path)
    assert reading.frames[0].stamp.keyframe
    assert reading.numbers == list(range(reading.numbers[0], 60))
    assert reading.gaps == []


@pytest.mark.parametrize("b_frames", [0, 3])
def test_a_clock_that_starts_anew_loses_nothing(
    tmp_path: Path, ffprobe_times: ProbeTimes, b_frames: int
) -> None:
    """Recordings joined end to end: the second begins at the time of the first."""
    parts = [
        make_video(tmp_path / f"{n}.ts", frames=40, b_frames=b_frames, size=(192, 128), first_number=n * 40)
        for n in range(3)
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    reading = read(path)
    assert reading.pts == ffprobe_times(path)
    assert reading.numbers == list(range(120))
    assert reading.gaps == []


def _media_time(path: Path) -> int:
    data = path.read_bytes()
    at = data.index(b"elst")
    return int.from_bytes(data[at + 16 : at + 20])


@pytest.mark.parametrize(("b_frames", "missing"), [(0, {4, 5, 6, 11}), (2, set[int]())])
def test_missing_timestamps_stay_missing(tmp_path: Path, b_frames: int, missing: set[int]) -> None:
    """Packets of a transport stream may carry no time; none is made up, and no frame is lost."""
    path = _without_times(make_video(tmp_path / "some.ts", frames=30, b_frames=b_frames), {5, 6, 7, 12})
    reading = read(path)
    assert reading.numbers == list(range(30))
    without = {n for n, pts in enumerate(reading.pts) if pts is None}
    assert len(without) == 4
    if missing:
        assert without == missing
    assert reading.facts["frames_without_pts"] == 4
    assert reading.gaps == []
    assert reading.frames[min(without)].stamp.time is None
    known = [pts for pts in reading.pts if pts is not None]
    assert known == sorted(known)


def _without_times(path: Path, which: set[int]) -> Path:
    """Strike the timestamps out of the headers of these video packets, counted from 1."""
    data = bytearray(path.read_bytes())
    at = count = 0
    while (at := data.find(b"\0\0\1\xe0", at)) >= 0:
        count += 1
        if count in which:
            length = 10 if data[at + 7] >> 6 == 3 else 5
            data[at + 7] &= 0x3F
            data[at + 9 : at + 9 + length] = b"\xff" * length
        at += 4
    assert count >= max(which)
    path.write_bytes(data)
    return path


def test_a_bare_stream_has_the_times_that_ffmpeg_gives_it(tmp_path: Path, ffprobe_times: ProbeTimes) -> None:
    path = make_video(tmp_path / "bare.h264", frames=20, b_frames=2)
    reading = read(path)
    assert reading.numbers == list(range(20))
    assert reading.pts == ffprobe_times(path)


def test_duration_is_the_containers(tmp_path: Path) -> None:
    reading = read(make_video(tmp_path / "clip.mp4", frames=10))
    assert {frame.stamp.duration for frame in reading.frames} == {512}
    assert reading.info.frames_claimed == 10
    assert reading.info.duration == pytest.approx(0.4)
    assert reading.info.rate == 25


def test_size_that_changes_is_scaled_to_the_first(tmp_path: Path) -> None:
    path = _two_sizes(tmp_path / "change.ts", (192, 128), (96, 64))
    reading = read(path)
    assert reading.numbers == list(range(20))
    assert {frame.picture.rgb().shape for frame in reading.frames} == {(128, 192, 3)}
    assert reading.facts["size_changes"] == 1
    assert reading.facts["sizes"] == ["192x128", "96x64"]
    assert (reading.info.width, reading.info.height) == (192, 128)
    assert reading.gaps == []


def _two_sizes(path: Path, *sizes: tuple[int, int]) -> Path:
    """One transport stream, its H.264 switched from one size to the next every ten frames."""
    with av.open(str(path), "w") as out:
        muxed: VideoStream | None = None
        for part, (width, height) in enumerate(sizes):
            encoder = av.CodecContext.create("libx264", "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.time_base, encoder.options = (
                Fraction(1, 25),
                {"preset": "ultrafast", "tune": "zerolatency"},
            )
            if muxed is None:
                muxed = out.add_stream("libx264", rate=25)
                muxed.width, muxed.height, muxed.pix_fmt = width, height, "yuv420p"
            frames = []
            for n in range(10 * part, 10 * part + 10):
                frame = av.VideoFrame.from_ndarray(draw_number(n, width, height), format="rgb24")
                frame.pts, frame.time_base = n, Fraction(1, 25)
                frames.append(frame.reformat(format="yuv420p"))
            for frame_or_end in [*frames, None]:
                for packet in encoder.encode(frame_or_end):
                    packet.stream = muxed
                    out.mux(packet)
    return path
