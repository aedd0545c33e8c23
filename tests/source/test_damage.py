"""Damage: decoding goes on, and every loss is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.media import flip_bytes, make_video, truncate
from tests.source.reading import Reading, read

FRAMES = 60
FASTSTART = {"movflags": "faststart"}


def make(path: Path, codec: str, b_frames: int = 0, **more: object) -> Path:
    pix_fmt = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
    options = FASTSTART if path.suffix in (".mp4", ".mov") else None
    return make_video(
        path,
        frames=FRAMES,
        size=(192, 128),
        codec=codec,
        pix_fmt=pix_fmt,
        b_frames=b_frames,
        options=options,
        **more,  # type: ignore[arg-type]
    )


def assert_goes_on(reading: Reading) -> None:
    """The undamaged ends are there, frame by frame."""
    numbers = reading.numbers
    assert numbers[:12] == list(range(12))
    assert numbers[-10:] == list(range(FRAMES - 10, FRAMES))


def told(reading: Reading) -> bool:
    return bool(reading.gaps) or any(frame.corrupt for frame in reading.frames)


@pytest.mark.parametrize(
    ("suffix", "codec", "b_frames"),
    [
        (".mp4", "libx264", 0),
        (".mp4", "libx264", 2),
        (".mp4", "libx265", 2),
        (".mp4", "libsvtav1", 0),
        (".mp4", "mpeg4", 2),
        (".mov", "mjpeg", 0),
        (".mkv", "libx264", 2),
        (".mkv", "libvpx", 0),
        (".mkv", "mpeg2video", 2),
        (".webm", "libvpx-vp9", 0),
        (".avi", "libx264", 2),
        (".avi", "mpeg4", 0),
        (".avi", "mjpeg", 0),
        (".ts", "libx264", 2),
        (".ts", "libx265", 2),
        (".ts", "mpeg2video", 2),
    ],
)
@pytest.mark.parametrize("threads", [1, 3])
def test_damage_in_the_middle(tmp_path: Path, suffix: str, codec: str, b_frames: int, threads: int) -> None:
    more = {"options": {"cluster_time_limit": "400"}} if suffix in (".mkv", ".webm") else {}
    path = tmp_path / f"hurt{suffix}"
    if more:
        pix_fmt = "yuv420p"
        make_video(
            path, frames=FRAMES, size=(192, 128), codec=codec, pix_fmt=pix_fmt, b_frames=b_frames, **more
        )
    else:
        make(path, codec, b_frames)
    start = 0.7 if suffix == ".avi" else 0.5  # its header takes a third of so short a file
    flip_bytes(path, start=start, end=start + 0.05)
    reading = read(path, threads=threads)
    assert told(reading)
    assert_goes_on(reading)
    assert [frame.stamp.index for frame in reading.frames] == list(range(len(reading.frames)))


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "mjpeg"])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_lost_packets_are_counted_in_their_place(tmp_path: Path, codec: str, threads: int) -> None:
    """Decoders that give up on a packet: frames and losses make up the whole, and the gap stands where they were."""
    path = flip_bytes(
        make(tmp_path / "hurt.mov" if codec == "mjpeg" else tmp_path / "hurt.mp4", codec), start=0.4, end=0.6
    )
    reading = read(path, threads=threads)
    assert reading.lost > 0
    assert len(reading.frames) + reading.lost == FRAMES
    last = -1
    for item in reading.items:
        if hasattr(item, "stamp"):
            assert item.stamp.pts is not None
            assert item.stamp.pts > last
            last = item.stamp.pts
        else:
            assert item.first_pts is not None
            assert item.last_pts is not None
            assert last < item.first_pts <= item.last_pts
            last = item.last_pts


@pytest.mark.parametrize("start", [0.2, 0.5, 0.8])
def test_a_gif_with_a_broken_chain(tmp_path: Path, start: float) -> None:
    """GIF has no checksums and no resynchronisation, but its blocks must lead to its end."""
    path = make(tmp_path / "hurt.gif", "gif")
    data = bytearray(path.read_bytes())
    at = int(start * len(data))
    data[at : at + 200] = bytes(200)  # a sector that could not be read
    path.write_bytes(data)
    reading = read(path)
    assert "damaged near byte" in reading.gaps[-1].reason
    assert reading.numbers[:5] == list(range(5))


def test_concealed_frames_are_marked(tmp_path: Path) -> None:
    path = flip_bytes(make(tmp_path / "hurt.mp4", "libx264"), start=0.4, end=0.7, every=301)
    reading = read(path)
    corrupt = [frame.stamp.index for frame in reading.frames if frame.corrupt]
    assert corrupt
    assert reading.facts["frames_corrupt"] == len(corrupt)
    assert min(corrupt) > 0
    assert max(corrupt) < FRAMES - 1


@pytest.mark.parametrize(
    ("suffix", "codec", "b_frames"),
    [
        (".mp4", "libx264", 0),
        (".mp4", "libx265", 2),
        (".mp4", "libsvtav1", 0),
        (".mp4", "mpeg4", 0),
        (".mov", "mjpeg", 0),
        (".mkv", "libx264", 2),
        (".webm", "libvpx-vp9", 0),
        (".avi", "libx264", 2),
        (".avi", "mjpeg", 0),
        (".ts", "mpeg2video", 0),
        (".gif", "gif", 0),
    ],
)
def test_truncated(tmp_path: Path, suffix: str, codec: str, b_frames: int) -> None:
    reading = read(truncate(make(tmp_path / f"short{suffix}", codec, b_frames), keep=0.6))
    assert reading.gaps
    assert "ends early" in reading.gaps[-1].reason or "incomplete" in reading.gaps[-1].reason
    assert 10 < len(reading.frames) < FRAMES
    # Up to the picture that was cut in two, everything is whole.
    cut = next((n for n, frame in enumerate(reading.frames) if frame.corrupt), len(reading.frames) - 1)
    assert cut >= len(reading.frames) - 3
    assert reading.numbers[:cut] == list(range(cut))
    if suffix in (".mp4", ".mov"):  # their index tells how many there should be
        assert len(reading.frames) + reading.lost == FRAMES


def test_truncated_fragments(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "live.mp4", frames=FRAMES, gop=10, options={"movflags": "frag_keyframe+empty_moov"}
    )
    reading = read(truncate(path, keep=0.55))
    assert reading.gaps
    assert reading.numbers[:20] == list(range(20))


def test_packets_that_the_container_lost(tmp_path: Path) -> None:
    """A damaged block header makes FFmpeg skip the rest of a Matroska cluster without a word."""
    path = make_video(
        tmp_path / "hurt.mkv", frames=FRAMES, codec="libvpx", options={"cluster_time_limit": "400"}
    )
    data = bytearray(path.read_bytes())
    cluster = data.index(b"\x1f\x43\xb6\x75", len(data) // 2)
    block = data.index(b"\xa3", cluster)
    flags = block + 2 + 3  # behind the identity, a length of one or two bytes, the track and the time
    flags += data[block + 1] < 0x80
    data[flags] ^= 0xFF
    path.write_bytes(data)
    reading = read(path)
    assert reading.lost > 0
    assert len(reading.frames) + reading.lost == FRAMES
    where = next(n for n, item in enumerate(reading.items) if not hasattr(item, "stamp"))
    assert 0 < where < len(reading.items) - 1
