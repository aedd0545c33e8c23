"""A decoded picture shows its planes: upright, exactly, and not to be written to."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from av.video.frame import VideoFrame

from vidinfer.frame import ColourTags, PlanarPicture, Planes
from vidinfer.source.orientation import UPRIGHT, Orientation
from vidinfer.source.picture import Converter, DecodedPicture

ALL = [Orientation(t, x, y) for t in (False, True) for x in (False, True) for y in (False, True)]


def frame(width: int, height: int, name: str = "yuv420p") -> VideoFrame:
    made = VideoFrame(width, height, name)
    generator = np.random.default_rng(0)
    for plane in made.planes:
        np.frombuffer(memoryview(plane), np.uint8)[:] = generator.integers(0, 256, plane.buffer_size)
    made.time_base = Fraction(1, 25)
    return made


def planes(
    made: VideoFrame, orientation: Orientation = UPRIGHT, size: tuple[int, int] | None = None
) -> Planes | None:
    width, height = size or orientation.size(made.width, made.height)
    picture = DecodedPicture(made, Converter(), orientation, width, height)
    assert isinstance(picture, PlanarPicture)
    return picture.planes()


def stored(made: VideoFrame) -> list[np.ndarray]:
    """The planes as FFmpeg itself hands them out, chroma as ``(height, width)`` each."""
    width, height = made.width, made.height
    flat = made.reformat(format="yuv420p").to_ndarray().ravel()
    half = ((height + 1) // 2, (width + 1) // 2)
    y, u, v = np.split(flat, np.cumsum([width * height, half[0] * half[1]]))
    return [y.reshape(height, width), u.reshape(half), v.reshape(half)]


@pytest.mark.parametrize("name", ["yuv420p", "nv12"])
@pytest.mark.parametrize("orientation", ALL)
def test_turned_as_the_rgb_picture_is(name: str, orientation: Orientation) -> None:
    made = frame(36, 22, name)
    found = planes(made, orientation)
    assert found is not None
    for plane, expected in zip((found.y, found.u, found.v), stored(made), strict=True):
        assert np.array_equal(plane, orientation.apply(np.dstack([expected] * 3))[..., 0])


@pytest.mark.parametrize("name", ["yuv420p", "nv12"])
@pytest.mark.parametrize("size", [(35, 22), (36, 21), (35, 21), (1, 1)])
@pytest.mark.parametrize("orientation", ALL)
def test_odd_sizes_unless_mirrored(name: str, size: tuple[int, int], orientation: Orientation) -> None:
    width, height = orientation.size(*size)
    found = planes(frame(*size, name), orientation)
    split = (orientation.mirror_x and width % 2) or (orientation.mirror_y and height % 2)
    assert (found is None) == bool(split), "each chroma sample lies under the same pixels"
    if found is not None:
        assert found.y.shape == (height, width)
        assert found.u.shape == found.v.shape == ((height + 1) // 2, (width + 1) // 2)


def test_nothing_can_be_written_to_the_decoders_frame() -> None:
    for name in ("yuv420p", "nv12"):
        found = planes(frame(36, 22, name))
        assert found is not None
        assert not any(plane.flags.writeable for plane in (found.y, found.u, found.v))


def test_the_planes_outlive_the_picture() -> None:
    found = planes(frame(36, 22))
    assert found is not None
    assert np.array_equal(found.y, stored(frame(36, 22))[0])


@pytest.mark.parametrize(
    "name", ["yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "nv21", "gray", "rgb24", "pal8"]
)
def test_other_formats_have_none(name: str) -> None:
    assert planes(frame(36, 22, name)) is None


def test_a_picture_that_is_scaled_has_none() -> None:
    assert planes(frame(36, 22), size=(72, 44)) is None


def test_the_tags_are_those_of_the_frame() -> None:
    made = frame(36, 22)
    assert planes(made).tags == ColourTags()  # type: ignore[union-attr]
    made.colorspace, made.color_primaries, made.color_trc, made.color_range = 1, 5, 6, 1
    assert planes(made).tags == ColourTags(1, 5, 6, 1)  # type: ignore[union-attr]
