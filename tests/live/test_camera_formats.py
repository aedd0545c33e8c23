"""Raw pictures as drivers lay them out, against FFmpeg's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from av.packet import Packet
from av.video.frame import VideoFrame

from tests.media import draw_colours
from vidinfer.source.camera_formats import decodable, decoder_for, rows_of
from vidinfer.source.v4l2_words import PixelFormat

WIDTH, HEIGHT = 96, 64
RAW = {
    "YUYV": ("yuyv422", ((2, 1),)),
    "UYVY": ("uyvy422", ((2, 1),)),
    "YVYU": ("yvyu422", ((2, 1),)),
    "NV12": ("nv12", ((1, 1), (1, 2))),
    "NV21": ("nv21", ((1, 1), (1, 2))),
    "YU12": ("yuv420p", ((1, 1), (0.5, 2), (0.5, 2))),
    "RGB3": ("rgb24", ((3, 1),)),
    "BGR3": ("bgr24", ((3, 1),)),
    "XR24": ("bgr0", ((4, 1),)),
    "BGR4": ("bgr0", ((4, 1),)),
    "GREY": ("gray", ((1, 1),)),
}
"""FFmpeg's name, and of each plane bytes a pixel of the width, and by how much rows are fewer."""


def laid_out(frame: VideoFrame, planes: Sequence[tuple[float, int]], padding: int) -> bytes:
    """A picture with ``padding`` behind each row of the first plane, and as much less as they are shorter in others."""
    parts = []
    for plane, (each, fewer) in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[
            : HEIGHT // fewer, : int(WIDTH * each)
        ]
        behind = int(padding * each / planes[0][0])
        parts.append(np.pad(rows, ((0, 0), (0, behind)), constant_values=77).tobytes())
    return b"".join(parts)


@pytest.mark.parametrize("padding", [0, 32])
@pytest.mark.parametrize("letters", list(RAW))
def test_raw_pictures(letters: str, padding: int) -> None:
    name, planes = RAW[letters]
    drawn = VideoFrame.from_ndarray(draw_colours(5, WIDTH, HEIGHT), format="rgb24").reformat(format=name)
    found = PixelFormat(WIDTH, HEIGHT, letters, 1, int(WIDTH * planes[0][0]) + padding)
    rows = rows_of(found)
    assert rows is not None
    data = laid_out(drawn, planes, padding)
    assert rows.size == len(data)
    assert rows.tidy(data[:-1]) is None
    tidy = rows.tidy(data + b"rest of the page")
    assert tidy is not None
    (decoded,) = decoder_for(found).decode(Packet(tidy))
    assert decoded.format.name == name
    assert np.array_equal(decoded.to_ndarray(format="rgb24"), drawn.to_ndarray(format="rgb24"))


def test_what_can_be_decoded() -> None:
    assert all(map(decodable, [*RAW, "MJPG", "JPEG"]))
    assert not any(map(decodable, ["H264", "BA81", ""]))
    coded = PixelFormat(WIDTH, HEIGHT, "MJPG", 1, 0)
    assert rows_of(coded) is None
    assert decoder_for(coded).name == "mjpeg"
