"""Some rows, converted alone, are those rows of the whole picture, to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import draw_colours, make_video
from tests.source.reading import read
from tests.source.test_pixels import TAGS
from vidinfer.frame import Picture, RowPicture
from vidinfer.model.resample import BilinearResampler


def rows_of(picture: Picture, rows: NDArray[np.int64]) -> NDArray[np.uint8] | None:
    assert isinstance(picture, RowPicture)
    words = picture.rgba_rows(rows)
    if words is None:
        return None
    return np.ascontiguousarray(words).view(np.uint8).reshape(*words.shape, 4)[..., :3]


def noise(number: int, width: int, height: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng([number, width, height])
    small = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return np.kron(small, np.ones((8, 8, 1), np.uint8))[:height, :width]


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("codec", ["libx264", "libvpx-vp9"])
def test_equal_to_the_whole(tmp_path: Path, codec: str, tags: str) -> None:
    path = tmp_path / "clip.mkv"
    make_video(path, frames=3, size=(322, 242), codec=codec, colour=TAGS[tags], draw=noise)
    rng = np.random.default_rng(2)
    for frame in read(path).frames:
        whole = frame.picture.rgb()
        for rows in (np.arange(242), np.arange(1, 242, 7), rng.integers(0, 242, 33)):
            found = rows_of(frame.picture, rows)
            if found is None:
                assert "full" in tags  # FFmpeg has a format of its own for that: converted as a whole
            else:
                np.testing.assert_array_equal(found, whole[rows])


@pytest.mark.parametrize("size", [(97, 65), (96, 65), (97, 64), (1918, 18)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    path = make_video(tmp_path / "odd.mkv", frames=2, size=size, codec="libvpx-vp9", draw=noise)
    for frame in read(path).frames:
        rows = np.array([0, size[1] - 1, 3, 3, 8])
        found = rows_of(frame.picture, rows)
        assert found is None or (found == frame.picture.rgb()[rows]).all()


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "rotation"),
    [("libx264", "yuv444p", 0), ("libx265", "yuv420p10le", 0), ("libx264", "yuv420p", 90)],
)
def test_other_pictures_are_converted_as_a_whole(
    tmp_path: Path, codec: str, pix_fmt: str, rotation: int
) -> None:
    path = tmp_path / "clip.mp4"
    make_video(path, frames=1, codec=codec, pix_fmt=pix_fmt, rotation=rotation, draw=draw_colours)
    assert rows_of(read(path).frames[0].picture, np.arange(4)) is None


@pytest.mark.parametrize("size", [(640, 360), (642, 362), (960, 544)])
def test_resampled_from_rows_as_from_the_whole(tmp_path: Path, size: tuple[int, int]) -> None:
    path = make_video(tmp_path / "clip.mp4", frames=4, size=size, draw=noise)
    resample = BilinearResampler(size[::-1], (60, 80), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    for frame in read(path).frames:
        places = [np.empty((60, 80, 3), np.float32) for _ in range(2)]
        resample(frame.picture.rgb(), places[0])
        resample.of_picture(frame.picture, places[1])
        np.testing.assert_array_equal(*places)
