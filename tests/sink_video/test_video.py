"""What is in the file: every frame, at its own time, in its own shape and colour."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import draw_colours, make_video, read_number
from tests.sink_video.cases import MODEL, NOTHING, Blank, ffprobe, pictures, render, times, write_stamps
from vidinfer.detections import Classes, Results
from vidinfer.frame import FrameStamp, Gap, SourceInfo
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.sink.codec import X264
from vidinfer.sink.video import VideoSink
from vidinfer.testing import ArrayPicture

MS = Fraction(1, 1000)
BT709 = {"colorspace": 1, "color_range": 1, "color_primaries": 1, "color_trc": 1}
BT601 = {"colorspace": 6, "color_range": 1, "color_primaries": 6, "color_trc": 6}
PAL = {"colorspace": 5, "color_range": 1, "color_primaries": 5, "color_trc": 6}
UNTAGGED = {"colorspace": 2, "color_range": 0, "color_primaries": 2, "color_trc": 2}
Pixels = NDArray[np.uint8]


def numbers(path: Path) -> list[int]:
    return [read_number(picture) for picture in pictures(path)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.mp4", {}),
        ("b-frames.mp4", {"b_frames": 3, "frames": 40}),
        ("variable.mkv", {"pts": [0, 10, 55, 300, 310, 2000], "time_base": MS, "frames": 6}),
        ("variable-b.mkv", {"pts": [0, 10, 55, 300, 310, 2000], "time_base": MS, "frames": 6, "b_frames": 2}),
        ("ntsc.mp4", {"rate": Fraction(30000, 1001)}),
        ("late.mkv", {"pts": list(range(3000, 3480, 40)), "time_base": MS}),
        ("broadcast.ts", {"b_frames": 2}),
        ("old.avi", {"codec": "mpeg4"}),
        ("ten-bit.mkv", {"codec": "libx265", "pix_fmt": "yuv420p10le"}),
        ("full-chroma.mkv", {"codec": "libx264", "pix_fmt": "yuv444p"}),
        ("web.webm", {"codec": "libvpx-vp9", "frames": 6}),
    ],
)
def test_every_frame_at_its_own_time(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    source = make_video(tmp_path / name, **options)  # type: ignore[arg-type]
    sink = render(source, tmp_path / "out.mp4")
    assert times(tmp_path / "out.mp4") == times(source)
    assert numbers(tmp_path / "out.mp4") == numbers(source)
    assert sink.facts()["warnings"] == []
    assert sink.facts()["start_shift_seconds"] == 0


def test_an_older_ffmpeg_agrees(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=25, b_frames=2, colour=BT709)
    render(source, tmp_path / "out.mp4", x264=X264)
    (stream,) = ffprobe(tmp_path / "out.mp4")["streams"]
    expected = {
        "codec_name": "h264",
        "profile": "High",
        "pix_fmt": "yuv420p",
        "color_range": "tv",
        "color_space": "bt709",
        "color_primaries": "bt709",
        "color_transfer": "bt709",
        "nb_frames": "25",
        "nb_read_frames": "25",
        "start_pts": 0,
        "duration": "1.000000",
    }
    assert {key: stream[key] for key in expected} == expected


def tags(path: Path) -> dict[str, int]:
    """Of the first frame, as FFmpeg numbers them."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return {name: int(getattr(frame, name)) for name in UNTAGGED}


@pytest.mark.parametrize("colour", [{}, BT709, BT601, PAL])
def test_samples_that_are_not_converted_keep_their_tags(tmp_path: Path, colour: dict[str, int]) -> None:
    source = make_video(tmp_path / "in.mp4", frames=3, colour=colour)
    render(source, tmp_path / "out.mp4")
    assert tags(tmp_path / "out.mp4") == tags(source) == (UNTAGGED | colour)
    (stream,) = ffprobe(tmp_path / "out.mp4")["streams"]
    assert ("color_space" in stream) == bool(colour), "no tag is made up, in the container neither"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ten-bit.mkv", {"codec": "libx265", "pix_fmt": "yuv420p10le"}),
        ("half-chroma.mkv", {"pix_fmt": "yuv422p"}),
        ("full-chroma.mkv", {"pix_fmt": "yuv444p"}),
        ("full-range.mp4", {"colour": BT601 | {"color_range": 2}}),
        ("other-matrix.mp4", {"colour": {"colorspace": 7}}),
        ("wide.mp4", {"colour": {"colorspace": 9, "color_primaries": 9}}),
        ("hdr.mp4", {"colour": BT709 | {"color_trc": 16}}),
        ("rgb.mkv", {"codec": "ffv1", "pix_fmt": "bgr0"}),
        ("palette.gif", {"codec": "gif", "pix_fmt": "rgb8"}),
        ("grey.mkv", {"codec": "ffv1", "pix_fmt": "gray"}),
    ],
)
def test_everything_else_becomes_bt709(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    source = make_video(tmp_path / name, frames=2, **options)  # type: ignore[arg-type]
    render(source, tmp_path / "out.mp4")
    assert tags(tmp_path / "out.mp4") == BT709
    assert numbers(tmp_path / "out.mp4") == numbers(source)


def test_it_is_an_ordinary_mp4_once_closed(tmp_path: Path) -> None:
    render(make_video(tmp_path / "in.mp4"), tmp_path / "out.mp4")
    assert boxes(tmp_path / "out.mp4") == ["ftyp", "free", "mdat", "moov"], "no fragment is left to be seen"
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".partial"] == []


def boxes(path: Path) -> list[str]:
    """The outermost boxes of an MP4."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        found.append(data[at + 4 : at + 8].decode())
        at += int.from_bytes(data[at + 8 : at + 16]) if size == 1 else size
    return found


@pytest.mark.parametrize("start", [-0.2, 3600.0, 90_000.0])
def test_a_start_that_cannot_be_played_is_moved_and_told(tmp_path: Path, start: float) -> None:
    first = round(start * 1000)
    stamps = [FrameStamp(i, first + 40 * i, MS) for i in range(5)]
    sink = write_stamps(tmp_path / "out.mp4", stamps)
    assert times(tmp_path / "out.mp4") == [40 * i * MS for i in range(5)]
    assert sink.facts()["start_shift_seconds"] == pytest.approx(-start)


def test_times_out_of_order_are_repaired_and_told(tmp_path: Path) -> None:
    stamps = [FrameStamp(i, pts, MS) for i, pts in enumerate([0, 40, 40, None, 160, 120, 200])]
    sink = write_stamps(tmp_path / "out.mp4", stamps)
    found = times(tmp_path / "out.mp4")
    assert numbers(tmp_path / "out.mp4") == list(range(7))
    assert all(b > a for a, b in pairwise(found))
    assert (found[0], found[1], found[4], found[6]) == (0, 40 * MS, 160 * MS, 200 * MS)
    assert len(sink.facts()["warnings"]) == 2  # type: ignore[arg-type]


def test_the_last_frame_keeps_its_length(tmp_path: Path) -> None:
    stamps = [FrameStamp(0, 0, MS, 40), FrameStamp(1, 40, MS, 40), FrameStamp(2, 80, MS, 500)]
    write_stamps(tmp_path / "out.mp4", stamps, rate=Fraction(25))
    assert ffprobe(tmp_path / "out.mp4")["streams"][0]["duration"] == "0.580000"


@pytest.mark.parametrize("size", [(64, 48), (1, 1), (17, 31), (96, 65), (97, 64), (90, 160)])
def test_odd_and_tiny_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    sink = VideoSink(tmp_path / "out.mp4", Blank(), x264={"preset": "ultrafast"}, crf=1, threads=1)
    sink.open(SourceInfo("made", width, height, MS), MODEL)
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([x * 4 % 200, y * 4 % 200, np.full_like(x, 60)], axis=2).astype(np.uint8)
    for i in range(3):
        entry = Entry(Outcome.CORRUPT, FrameStamp(i, 40 * i, MS), picture=ArrayPicture(picture))
        sink.write(LabelledBatch([entry], NOTHING))
    sink.close()
    even = (width + width % 2, height + height % 2)
    shown = pictures(tmp_path / "out.mp4")[0]
    assert shown.shape == (even[1], even[0], 3)
    assert sink.facts()["size"] == list(even)
    assert sink.facts()["padded_to_even"] == (even != size)
    padded = np.pad(picture, ((0, even[1] - height), (0, even[0] - width), (0, 0)), mode="edge")
    luma = [0.2126, 0.7152, 0.0722]
    assert np.abs(shown @ luma - padded @ luma).max() < 12


@pytest.mark.parametrize(("rotation", "expected"), [(0, "4:3"), (90, "3:4"), (180, "4:3"), (270, "3:4")])
def test_pixels_keep_their_shape_and_rotation_is_baked_in(
    tmp_path: Path, rotation: int, expected: str
) -> None:
    aspect = Fraction(4, 3)
    source = make_video(tmp_path / "in.mp4", rotation=rotation, sample_aspect_ratio=aspect, size=(128, 96))
    render(source, tmp_path / "out.mp4")
    (stream,) = ffprobe(tmp_path / "out.mp4")["streams"]
    assert stream["sample_aspect_ratio"] == expected
    assert (stream["width"], stream["height"]) == (128, 96)
    assert "side_data_list" not in stream, "no player may turn it again"
    assert numbers(tmp_path / "out.mp4") == list(range(12))


@pytest.mark.parametrize(
    "colour",
    [{}, {"colorspace": 1, "color_range": 2}, {"colorspace": 5, "color_range": 1}, {"colorspace": 1}],
)
def test_colours_do_not_shift(tmp_path: Path, colour: dict[str, int]) -> None:
    class Keep(Blank):
        rgb = np.zeros(0)

        def draw(self, rgb: Pixels, entry: Entry, results: Results) -> None:
            self.rgb = rgb.astype(float)

    source = make_video(tmp_path / "in.mp4", size=(320, 240), frames=1, colour=colour, draw=draw_colours)
    annotator = Keep()
    render(source, tmp_path / "out.mp4", annotator=annotator)
    with av.open(str(tmp_path / "out.mp4")) as container:
        difference = (exact_rgb(next(container.decode(video=0))) - annotator.rgb)[8:-8, 8:-8]
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.5, "no channel is brighter or darker"
    assert np.abs(difference).mean() < 1.5


def exact_rgb(frame: av.VideoFrame) -> NDArray[np.float64]:
    """Limited range to RGB by the standards' own numbers, BT.709 if tagged so, else BT.601.

    swscale's 8-bit arithmetic is a level too dark.
    """
    y, u, v = (
        np.frombuffer(p, np.uint8).reshape(p.height, p.line_size)[:, : p.width].astype(float)
        for p in frame.planes
    )
    y = (y - 16) * 255 / 219
    u, v = (((c - 128) * 255 / 224).repeat(2, axis=0).repeat(2, axis=1) for c in (u, v))
    if frame.colorspace == 1:
        return np.stack([y + 1.5748 * v, y - 0.187324 * u - 0.468124 * v, y + 1.8556 * u], axis=2)
    return np.stack([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], axis=2)


@pytest.mark.parametrize(
    "rgb", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 120, 40)]
)
def test_flat_colours_come_back(tmp_path: Path, rgb: tuple[int, int, int]) -> None:
    sink = VideoSink(tmp_path / "out.mp4", Blank(), x264={"preset": "ultrafast"}, threads=1)
    sink.open(SourceInfo("made", 64, 64, MS), MODEL)
    picture = ArrayPicture(np.full((64, 64, 3), rgb, np.uint8))
    for i in range(3):
        entry = Entry(Outcome.FAILED, FrameStamp(i, 40 * i, MS), picture=picture)
        sink.write(LabelledBatch([entry], NOTHING))
    sink.close()
    assert np.abs(pictures(tmp_path / "out.mp4")[1].astype(int) - rgb).max() <= 3


def test_the_annotator_sees_each_frame_with_its_own_results(tmp_path: Path) -> None:
    class Ask(Blank):
        def __init__(self) -> None:
            super().__init__()
            self.scores: list[float | None] = []

        def draw(self, rgb: Pixels, entry: Entry, results: Results) -> None:
            self.scores.append(
                None if results.classes is None or not results.frames else float(results.classes.scores[0, 0])
            )

    picture = ArrayPicture(np.zeros((48, 64, 3), np.uint8))
    results = Results(
        2,
        MODEL.categories,
        classes=Classes(np.zeros((2, 1), np.int64), np.array([[0.25], [0.75]], np.float32)),
    )
    batch = LabelledBatch(
        [
            Entry(Outcome.LABELLED, FrameStamp(0, 0, MS), row=0, picture=picture),
            Entry(Outcome.GAP, Gap(20, 30, MS, 2, "lost")),
            Entry(Outcome.CORRUPT, FrameStamp(1, 40, MS), picture=picture),
            Entry(Outcome.LABELLED, FrameStamp(2, 80, MS), row=1, picture=picture),
            Entry(Outcome.DROPPED, FrameStamp(3, 120, MS)),
        ],
        results,
    )
    annotator = Ask()
    sink = VideoSink(tmp_path / "out.mp4", annotator, threads=1)
    sink.open(SourceInfo("made", 64, 48, MS), MODEL)
    sink.write(batch)
    sink.close()
    assert annotator.scores == [0.25, None, 0.75]
    assert times(tmp_path / "out.mp4") == [0, 40 * MS, 80 * MS]
    assert sink.facts()["warnings"][0] == "frames without a picture, missing in the video: 1"  # type: ignore[index]


def test_rows_with_padding_are_taken_as_they_are(tmp_path: Path) -> None:
    class Padded:
        nbytes = 0

        def rgb(self) -> Pixels:  # type: ignore[type-arg]
            return np.full((48, 80, 3), 77, np.uint8)[:, :64]

    sink = VideoSink(tmp_path / "out.mp4", Blank(), threads=1)
    sink.open(SourceInfo("made", 64, 48, MS), MODEL)
    sink.write(LabelledBatch([Entry(Outcome.LABELLED, FrameStamp(0, 0, MS), picture=Padded())], NOTHING))
    sink.close()
    assert np.abs(pictures(tmp_path / "out.mp4")[0].astype(int) - 77).max() <= 2


def test_keyframes_come_every_two_seconds_at_least(tmp_path: Path) -> None:
    write_stamps(
        tmp_path / "out.mp4", [FrameStamp(i, i, Fraction(1, 10)) for i in range(65)], rate=Fraction(10)
    )
    with av.open(str(tmp_path / "out.mp4")) as container:
        keys = [
            float(p.pts * p.time_base)
            for p in container.demux(video=0)
            if p.size and p.is_keyframe and p.pts is not None
        ]
    assert max(b - a for a, b in pairwise(keys)) <= 2.0


@pytest.mark.parametrize("size", [(96, 64), (320, 240), (480, 272)])
def test_the_same_pictures_make_the_same_file(tmp_path: Path, size: tuple[int, int]) -> None:
    """However the memory looks that the encoder gets: each is used by something else before."""
    source = make_video(tmp_path / "moving.mp4", frames=14, size=size, draw=draw_colours)
    random, files = np.random.default_rng(1), set()
    for i in range(6):
        used = [random.integers(0, 255, random.integers(1_000, 1_000_000), np.uint8) for _ in range(20)]
        del used
        render(source, tmp_path / f"{i}.mp4", x264=X264)
        files.add((tmp_path / f"{i}.mp4").read_bytes())
    assert len(files) == 1
