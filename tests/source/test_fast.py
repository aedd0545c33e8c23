"""Decoding for those who gave up exactness: every frame at its time, and pixels that are close."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import draw_colours, make_video, read_number
from tests.source.reading import read
from vidinfer.frame import Picture, ScalablePicture
from vidinfer.source import open_source

FAST_CODECS = [("libx264", ".mp4"), ("libx265", ".mp4"), ("libvpx", ".webm"), ("mpeg4", ".mkv")]


def scaled(picture: Picture, width: int, height: int, *, smooth: bool) -> NDArray[np.uint8]:
    assert isinstance(picture, ScalablePicture)
    return picture.rgb_scaled(width, height, smooth=smooth)


@pytest.mark.parametrize(("codec", "suffix"), FAST_CODECS)
def test_same_frames_at_the_same_times_and_close_pixels(tmp_path: Path, codec: str, suffix: str) -> None:
    path = make_video(
        tmp_path / f"clip{suffix}", frames=30, size=(320, 240), codec=codec, b_frames=2 * (codec == "libx264"),
        draw=draw_colours, codec_options={"preset": "fast", "crf": "30"} if codec == "libx264" else None,
    )  # fmt: skip
    exact = read(path)
    source = open_source(path, name="fast", threads=1, fast=True)
    frames = list(source)
    facts = source.facts()
    source.close()
    assert [f.stamp for f in exact.frames] == [f.stamp for f in frames]  # type: ignore[union-attr]
    for one, other in zip(exact.frames, frames, strict=True):
        difference = np.abs(one.picture.rgb().astype(int) - other.picture.rgb())  # type: ignore[union-attr]
        # Edges of blocks show; a picture gone wrong is tens of levels off.
        assert difference.mean() < 3
    assert exact.facts["loop_filter"] == "as coded"
    assert facts.pop("loop_filter") == "skipped where the decoder can"
    assert facts == {name: value for name, value in exact.facts.items() if name != "loop_filter"}


def test_the_loop_filter_is_skipped(tmp_path: Path) -> None:
    options = {"preset": "fast", "crf": "40"}
    path = make_video(tmp_path / "c.mp4", frames=3, size=(320, 240), draw=draw_colours, codec_options=options)
    pictures = []
    for fast in (False, True):
        source = open_source(path, name="c", threads=1, fast=fast)
        pictures.append(next(iter(source)).picture.rgb())  # type: ignore[union-attr]
        source.close()
    assert (pictures[0] != pictures[1]).any()


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(
    ("codec", "pix_fmt", "colour"),
    [
        ("libx264", "yuv420p", {}),
        ("libx264", "yuv420p", {"colorspace": 1, "color_range": 1}),
        ("libx264", "yuv420p", {"colorspace": 1, "color_range": 2}),
        ("libx264", "yuv444p", {}),
        ("libx265", "yuv420p10le", {}),
        ("ffv1", "bgr0", {}),
    ],
)
def test_small_pictures_look_like_the_large_one(
    tmp_path: Path, codec: str, pix_fmt: str, colour: dict[str, int], smooth: bool
) -> None:
    path = tmp_path / "clip.mkv"
    make_video(
        path, frames=1, size=(322, 242), codec=codec, pix_fmt=pix_fmt, colour=colour, draw=draw_colours
    )
    picture = read(path).frames[0].picture
    for size in [(160, 120), (61, 53), (322, 242), (40, 150)]:
        small = scaled(picture, *size, smooth=smooth)
        assert small.shape == (size[1], size[0], 3)
        wanted = cv2.resize(picture.rgb(), size, interpolation=cv2.INTER_AREA)
        # Slopes of one level a pixel; a wrong matrix, range or half of a picture is far above this.
        assert np.abs(small.astype(int) - wanted).mean() < 4


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_small_pictures_are_turned(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    path = tmp_path / "phone.mp4"
    make_video(path, frames=3, size=(256, 192), rotation=rotation, mirrored=mirrored)
    numbers = [read_number(scaled(f.picture, 128, 64, smooth=True)) for f in read(path).frames]
    assert numbers == [0, 1, 2]


def test_frames_of_another_size_come_in_the_size_asked_for(tmp_path: Path) -> None:
    """Scaled from what is stored; the first frame's size has no part in it."""
    parts = [
        make_video(tmp_path / f"{i}.ts", frames=5, size=size, first_number=5 * i, gop=5)
        for i, size in enumerate([(192, 128), (384, 256)])
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = read(joined).frames
    shapes = {scaled(f.picture, 96, 64, smooth=False).shape for f in frames}
    assert shapes == {(64, 96, 3)}
    assert {9} <= {read_number(scaled(f.picture, 96, 64, smooth=False)) for f in frames[-1:]}
