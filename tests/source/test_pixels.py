"""Pixels: as FFmpeg itself converts them, and as the tags say."""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import draw_colours, draw_number, make_video, read_number
from tests.source.conftest import ConvertFirst
from tests.source.reading import read
from vidinfer.source import open_source

# matrix, range; FFmpeg's numbers
TAGS = {
    "untagged": {},
    "601 limited": {"colorspace": 6, "color_range": 1},
    "601 full": {"colorspace": 5, "color_range": 2},
    "709 limited": {"colorspace": 1, "color_range": 1},
    "709 full": {"colorspace": 1, "color_range": 2},
    "2020 limited": {"colorspace": 9, "color_range": 1},
    "2020 full": {"colorspace": 9, "color_range": 2},
}
FORMATS = [
    ("libx264", "yuv420p", 8),
    ("libx264", "yuv422p", 8),
    ("libx264", "yuv444p", 8),
    ("libx264", "yuv420p10le", 10),
    ("libx264", "yuv422p10le", 10),
    ("libx264", "yuv444p10le", 10),
    ("libx265", "yuv420p12le", 12),
    ("libx265", "yuv422p12le", 12),
    ("libx265", "yuv444p12le", 12),
]


def first_rgb(path: Path) -> NDArray[np.uint8]:
    source = open_source(path, name=path.name, threads=1)
    try:
        frame = next(iter(source))
        rgb: NDArray[np.uint8] = frame.picture.rgb()  # type: ignore[union-attr]
        return rgb
    finally:
        source.close()


def filtered_rgb(path: Path, scale: str = "flags=bilinear") -> NDArray[np.uint8]:
    """FFmpeg's own way from frame to RGB: a filter graph of ``scale`` and ``format``."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        graph = av.filter.Graph()
        graph.link_nodes(
            graph.add_buffer(template=stream),
            graph.add("scale", scale),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        ).configure()
        graph.push(next(container.decode(stream)))
        return graph.pull().to_ndarray()  # type: ignore[return-value]


def distance(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.int_]:
    return np.abs(a.astype(int) - b.astype(int))


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize(("codec", "pix_fmt", "depth"), FORMATS)
def test_as_ffmpeg_converts(
    tmp_path: Path, ffmpeg_first_picture: ConvertFirst, codec: str, pix_fmt: str, depth: int, tags: str
) -> None:
    size = (96, 64)
    path = tmp_path / "colours.mkv"
    make_video(path, frames=1, size=size, codec=codec, pix_fmt=pix_fmt, colour=TAGS[tags], draw=draw_colours)
    rgb = first_rgb(path)
    # The filter places the samples of deep subsampled chroma a quarter pixel apart; all else is equal to the bit.
    allowed = 0 if depth == 8 or "444" in pix_fmt else 4
    assert distance(rgb, filtered_rgb(path)).max() <= allowed
    assert distance(rgb, ffmpeg_first_picture(path, size)).max() <= allowed
    # And the picture is the one that was drawn (wrong matrix or range: far above this).
    assert distance(rgb, draw_colours(0, *size)).mean() < 3
    details = read(path).info.details
    assert str(details["pix_fmt"]).replace("yuvj", "yuv") == pix_fmt  # yuvj: FFmpeg's name for full range
    assert details["bit_depth"] == depth


@pytest.mark.parametrize("size", [(97, 65), (96, 65), (97, 64)])
@pytest.mark.parametrize("codec", ["libsvtav1", "libvpx-vp9", "mpeg4", "mjpeg", "libx264"])
def test_odd_sizes(
    tmp_path: Path, ffmpeg_first_picture: ConvertFirst, size: tuple[int, int], codec: str
) -> None:
    pix_fmt = {"mjpeg": "yuvj420p", "libx264": "yuv444p"}.get(codec, "yuv420p")
    path = make_video(tmp_path / "odd.mkv", frames=5, size=size, codec=codec, pix_fmt=pix_fmt)
    reading = read(path)
    assert reading.numbers == list(range(5))
    rgb = reading.frames[0].picture.rgb()
    assert rgb.shape == (size[1], size[0], 3)
    assert distance(rgb, filtered_rgb(path)).max() == 0
    assert distance(rgb, ffmpeg_first_picture(path, size)).max() <= 1
    assert (reading.info.width, reading.info.height) == size


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "suffix"),
    [
        ("ffv1", "gray", ".mkv"),
        ("ffv1", "bgr0", ".mkv"),
        ("png", "rgba", ".mov"),
        ("png", "rgb48be", ".mov"),
        ("png", "ya8", ".mov"),
        ("libx265", "gbrp", ".mp4"),
        ("gif", "rgb8", ".gif"),
        ("gif", "gray", ".gif"),
    ],
)
def test_grey_rgb_and_palettes(
    tmp_path: Path, ffmpeg_first_picture: ConvertFirst, codec: str, pix_fmt: str, suffix: str
) -> None:
    path = make_video(tmp_path / f"other{suffix}", frames=1, codec=codec, pix_fmt=pix_fmt, draw=draw_colours)
    rgb = first_rgb(path)
    assert distance(rgb, filtered_rgb(path)).max() == 0
    assert distance(rgb, ffmpeg_first_picture(path, (96, 64))).max() <= 1


def test_what_is_assumed_is_recorded(tmp_path: Path) -> None:
    path = make_video(tmp_path / "hd.mp4", frames=1, size=(1280, 720))
    assert read(path).info.details["colour"] == {
        "matrix": None,
        "range": None,
        "primaries": None,
        "transfer": None,
        "assumed": {"matrix": "smpte170m", "range": "limited"},
    }
    colour = {"colorspace": 1, "color_range": 2, "color_primaries": 1, "color_trc": 1}
    tagged = read(make_video(tmp_path / "tagged.mp4", frames=1, colour=colour)).info.details["colour"]
    assert tagged == {
        "matrix": "bt709",
        "range": "full",
        "primaries": "bt709",
        "transfer": "bt709",
        "assumed": {"matrix": "bt709", "range": "full"},
    }


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_is_applied(
    tmp_path: Path, ffmpeg_first_picture: ConvertFirst, rotation: int, mirrored: bool
) -> None:
    size = (128, 96)
    path = make_video(tmp_path / "phone.mp4", frames=5, size=size, rotation=rotation, mirrored=mirrored)
    reading = read(path)
    assert reading.numbers == list(range(5))
    assert (reading.info.width, reading.info.height) == size
    details = reading.info.details
    assert (details["rotation"], details["mirrored"]) == (rotation, mirrored)
    assert details["stored_size"] == (list(size) if rotation % 180 == 0 else [size[1], size[0]])
    rgb = reading.frames[0].picture.rgb()
    assert rgb.flags.writeable
    assert rgb[0].flags.c_contiguous
    # The ffmpeg program turns pictures by itself; chroma is turned before it is stretched there.
    assert distance(rgb, ffmpeg_first_picture(path, size)).mean() < 2


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_pixel_shape_is_recorded_and_left_alone(tmp_path: Path, suffix: str) -> None:
    path = make_video(tmp_path / f"wide{suffix}", frames=2, sample_aspect_ratio=Fraction(16, 11))
    info = read(path).info
    assert info.details["sample_aspect_ratio"] == "16:11"
    assert (info.width, info.height) == (96, 64)


def pq_light(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light on the display in cd/m2, by BT.2100."""
    power = signal ** (32 / 2523)
    linear: NDArray[np.float64] = np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)
    return 10000 * linear ** (16384 / 2610)


def hlg_light(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light on a display of 1000 cd/m2, by BT.2100: inverse OETF, then the system's gamma of 1.2."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return 1000 * scene**1.2


@pytest.mark.parametrize(("transfer", "light_of"), [(16, pq_light), (18, hlg_light)])
def test_hdr_is_converted_as_stated(
    tmp_path: Path, transfer: int, light_of: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    levels = np.array([0, 51, 77, 102, 128, 140, 148, 166, 191, 230])
    colour = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": transfer}

    def steps(number: int, width: int, height: int) -> NDArray[np.uint8]:
        row = np.repeat(levels, width // len(levels)).astype(np.uint8)
        return np.tile(row[None, :, None], (height, 1, 3))

    path = tmp_path / "hdr.mp4"
    make_video(
        path, frames=1, size=(160, 64), codec="libx265", pix_fmt="yuv420p10le", colour=colour, draw=steps
    )
    rgb = first_rgb(path)
    shown = rgb[32, 8::16].astype(int)
    stated = 255 * np.minimum(light_of(levels / 255) / 203, 1) ** (1 / 2.4)
    assert np.abs(shown - stated[:, None]).max() <= 4
    assert np.ptp(shown, axis=1).max() <= 2
    wanted = filtered_rgb(path, "flags=bilinear:out_transfer=bt709:out_primaries=bt709")
    assert distance(rgb, wanted).max() <= 4
    assert "203 cd/m2" in str(read(path).info.details["hdr"])


def test_standard_range_is_not_touched(tmp_path: Path) -> None:
    """Wide colours without HDR stay as they are: only PQ and HLG are converted."""
    colour = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": 14}
    path = tmp_path / "wide.mp4"
    make_video(path, frames=1, codec="libx265", pix_fmt="yuv444p10le", colour=colour, draw=draw_colours)
    assert read(path).info.details["hdr"] is None
    assert distance(first_rgb(path), draw_colours(0, 96, 64)).mean() < 3


@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx264", "yuv420p"), ("png", "rgb24")])
def test_every_call_gives_an_array_of_its_own(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    """Whoever draws on a picture must not reach the decoder's frame, nor the next caller's picture."""
    path = make_video(tmp_path / "clip.mov", frames=3, codec=codec, pix_fmt=pix_fmt)
    picture = read(path).frames[1].picture
    first = picture.rgb()
    first[:] = 0
    assert read_number(picture.rgb()) == 1
    assert picture.nbytes >= 96 * 64 * 3 // 2


def test_pictures_can_be_converted_on_several_threads(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", frames=40, size=(192, 128))
    frames = read(path).frames
    numbers: dict[int, list[int]] = {}

    def convert(part: int) -> None:
        numbers[part] = [read_number(frame.picture.rgb()) for frame in frames[part::4]]

    threads = [threading.Thread(target=convert, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == {part: list(range(part, 40, 4)) for part in range(4)}


def test_the_drawn_number_can_be_read_and_damage_seen() -> None:
    for number in (0, 1, 4097, 65535):
        assert read_number(draw_number(number, 97, 65)) == number
    turned = np.ascontiguousarray(np.rot90(draw_number(3, 96, 64), 2))
    with pytest.raises(ValueError, match="no number"):
        read_number(turned)
