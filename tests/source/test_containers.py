"""Every container and codec: each displayed frame once, in order, at the container's own time, and no false gap."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests.media import make_video
from tests.source.conftest import ProbeTimes
from tests.source.reading import read

# Container, encoder, B-frames in a row.
CASES = [
    (".mp4", "libx264", 0),
    (".mp4", "libx264", 3),
    (".mp4", "libx265", 3),
    (".mp4", "libsvtav1", 0),
    (".mp4", "libvpx-vp9", 0),
    (".mp4", "mpeg4", 2),
    (".mp4", "mpeg2video", 2),
    (".mov", "libx264", 2),
    (".mov", "libx265", 0),
    (".mov", "mjpeg", 0),
    (".mkv", "libx264", 2),
    (".mkv", "libx265", 2),
    (".mkv", "libsvtav1", 0),
    (".mkv", "libvpx", 0),
    (".mkv", "mpeg2video", 2),
    (".mkv", "mpeg4", 2),
    (".mkv", "mjpeg", 0),
    (".webm", "libvpx", 0),
    (".webm", "libvpx-vp9", 0),
    (".webm", "libsvtav1", 0),
    (".avi", "libx264", 0),
    (".avi", "mpeg4", 0),
    (".avi", "mjpeg", 0),
    (".ts", "libx264", 3),
    (".ts", "libx265", 2),
    (".ts", "mpeg2video", 2),
    (".ts", "mpeg4", 0),
    (".gif", "gif", 0),
]
PIX_FMT = {"gif": "rgb8", "mjpeg": "yuvj420p"}
FRAMES = 30


def make(path: Path, codec: str, b_frames: int, **more: object) -> Path:
    pix_fmt = PIX_FMT.get(codec, "yuv420p")
    return make_video(path, frames=FRAMES, codec=codec, pix_fmt=pix_fmt, b_frames=b_frames, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("suffix", "codec", "b_frames"), CASES)
def test_every_frame_once_in_order(
    tmp_path: Path, ffprobe_times: ProbeTimes, suffix: str, codec: str, b_frames: int
) -> None:
    path = make(tmp_path / f"clip{suffix}", codec, b_frames)
    reading = read(path)
    assert reading.numbers == list(range(FRAMES))
    assert [frame.stamp.index for frame in reading.frames] == list(range(FRAMES))
    assert reading.pts == ffprobe_times(path)
    assert reading.gaps == []
    assert not any(frame.corrupt for frame in reading.frames)
    assert reading.frames[0].stamp.keyframe
    # Times are the container's: 25 fps, to the container's own precision (a tick).
    base = reading.info.time_base
    assert all(frame.stamp.time_base == base for frame in reading.frames)
    first = reading.pts[0]
    assert first is not None
    for n, pts in enumerate(reading.pts):
        assert pts is not None
        assert abs((pts - first) * base - Fraction(n, 25)) <= base


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video"])
def test_avi_with_b_frames_has_its_chunks_times(tmp_path: Path, codec: str) -> None:
    """AVI stores no pts; FFmpeg's guesses run backwards (see ``ChunkTimes``)."""
    reading = read(make(tmp_path / "clip.avi", codec, 2))
    assert reading.numbers == list(range(FRAMES))
    assert reading.pts == list(range(FRAMES))
    assert reading.info.time_base == Fraction(1, 25)
    assert reading.facts["pts_from_chunk_times"] is True
    assert reading.gaps == []


@pytest.mark.parametrize(
    ("suffix", "codec", "tone"),
    [
        (".mp4", "libx264", "aac"),
        (".mkv", "libx264", "flac"),
        (".webm", "libvpx", "libopus"),
        (".avi", "mpeg4", "mp3"),
        (".ts", "libx264", "aac"),
        (".mov", "mjpeg", "pcm_s16le"),
    ],
)
def test_audio_beside_changes_nothing(tmp_path: Path, suffix: str, codec: str, tone: str) -> None:
    reading = read(make(tmp_path / f"clip{suffix}", codec, 0, audio=tone))
    assert reading.numbers == list(range(FRAMES))
    assert reading.gaps == []
    assert reading.info.details["other_streams"] == ["audio"]


@pytest.mark.parametrize(
    ("suffix", "codec", "options", "codec_options"),
    [
        (".mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}, {}),
        (".mp4", "libx264", {"movflags": "faststart"}, {}),
        (".mkv", "libx264", {"live": "1"}, {}),
        (".mkv", "libx264", {"cluster_time_limit": "200"}, {}),
        (".mkv", "libx264", {}, {"x264-params": "open-gop=1:keyint=8:bframes=3"}),
        (".mp4", "libx265", {}, {"x265-params": "open-gop=1:keyint=8:bframes=3:log-level=none"}),
        (".mkv", "libx264", {}, {"flags": "+ilme+ildct"}),
        (".ts", "mpeg2video", {}, {"flags": "+ilme+ildct"}),
        (".webm", "libvpx", {}, {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good"}),
        (".webm", "libvpx-vp9", {}, {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good"}),
    ],
)
def test_healthy_oddities_give_no_gap(
    tmp_path: Path, suffix: str, codec: str, options: dict[str, str], codec_options: dict[str, str]
) -> None:
    """Fragments, open groups of pictures, interlacing, invisible pictures: unusual, and nothing is lost."""
    path = make(tmp_path / f"clip{suffix}", codec, 0, options=options, codec_options=codec_options)
    reading = read(path)
    assert reading.gaps == []
    assert len(reading.frames) == FRAMES
    assert reading.pts == sorted(pts for pts in reading.pts if pts is not None)


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".mp4", ".gif"])
def test_bytes_behind_the_end_are_nobodys(tmp_path: Path, suffix: str) -> None:
    codec = "gif" if suffix == ".gif" else "mpeg4"
    path = make(tmp_path / f"clip{suffix}", codec, 0)
    path.write_bytes(path.read_bytes() + bytes(1000))
    reading = read(path)
    assert reading.numbers == list(range(FRAMES))
    assert reading.gaps == []


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9", "libsvtav1", "mjpeg"])
def test_threads_change_nothing(tmp_path: Path, codec: str, threads: int) -> None:
    reading = read(make(tmp_path / "clip.mkv", codec, 0), threads=threads)
    assert reading.numbers == list(range(FRAMES))
    assert reading.gaps == []
    assert reading.info.details["decoder_threads"] in range(1, threads + 1)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp"])
def test_a_still_image_is_a_video_of_one_frame(tmp_path: Path, suffix: str) -> None:
    codec = {".png": "png", ".jpg": "mjpeg", ".bmp": "bmp", ".webp": "libwebp"}[suffix]
    pix_fmt = {".png": "rgb24", ".jpg": "yuvj420p", ".bmp": "bgr24", ".webp": "yuv420p"}[suffix]
    format = "webp" if suffix == ".webp" else "image2"
    path = make_video(
        tmp_path / f"still{suffix}", frames=1, first_number=77, codec=codec, pix_fmt=pix_fmt, format=format
    )
    reading = read(path)
    assert reading.numbers == [77]
    assert reading.gaps == []
