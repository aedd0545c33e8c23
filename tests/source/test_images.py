"""A folder of numbered images is one source."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.media import draw_colours, draw_number, make_video
from tests.source.reading import read
from vidinfer.errors import SourceError
from vidinfer.source import expand_sources, open_source
from vidinfer.source.images import RATE
from vidinfer.source.numbered import numbered
from vidinfer.source.samples import sample_pictures


def draw(folder: Path, *images: tuple[str, int], size: tuple[int, int] = (96, 64)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, number in images:
        assert cv2.imwrite(str(folder / name), draw_number(number, *size))
    return folder


def names(*specs: Path) -> list[str]:
    return [str(file.name) for file in expand_sources([str(spec) for spec in specs]).files]


def test_a_frame_an_image_by_number_and_time_from_the_number(tmp_path: Path) -> None:
    folder = draw(tmp_path / "seq", ("f8.png", 8), ("f10.png", 10), ("f9.png", 9), ("f13.png", 13))
    assert names(folder) == ["seq"]
    got = read(folder)
    assert got.numbers == [8, 9, 10, 13]
    assert got.pts == [0, 1, 2, 5]
    assert got.info.time_base == 1 / RATE == Fraction(1, 25)
    assert [frame.stamp.index for frame in got.frames] == [0, 1, 2, 3]
    assert got.info.frames_claimed == 4
    assert got.facts["numbers_missing"] == 2
    assert got.gaps == []


def test_a_broken_image_is_a_gap_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = draw(tmp_path / "seq", *((f"{i:03}.png", i) for i in range(4)))
    (folder / "000.png").write_bytes(b"")
    data = (folder / "002.png").read_bytes()
    (folder / "002.png").write_bytes(data[: len(data) // 3])
    got = read(folder)
    assert got.numbers[0] == 1
    assert got.gaps[0].first_pts == 0
    assert 0 < len(got.gaps) <= 2
    assert len(got.frames) + len(got.gaps) == 4
    assert all(frame.corrupt for frame in got.frames if frame.stamp.pts == 2)


def exif(orientation: int) -> bytes:
    """A JPEG's APP1 segment, as cameras write it, that says how the picture is to be turned."""
    tag = struct.pack("<HHII", 0x0112, 3, 1, orientation)
    body = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + tag + struct.pack("<I", 0)
    return struct.pack(">HH", 0xFFE1, len(body) + 2) + body


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_with_exif_is_read_and_turned(tmp_path: Path, orientation: int) -> None:
    size = (96, 64) if orientation < 5 else (64, 96)  # displayed
    shown = draw_colours(7, *size)
    flipped = shown[:: -1 if orientation in (3, 4, 7, 8) else 1, :: -1 if orientation in (2, 3, 6, 7) else 1]
    stored = flipped.transpose(1, 0, 2) if orientation > 4 else flipped
    done, data = cv2.imencode(".jpg", stored[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])
    assert done
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(data[:2].tobytes() + exif(orientation) + data[2:].tobytes())
    got = read(photo)
    (frame,) = got.frames
    assert (got.info.width, got.info.height) == size
    assert np.abs(frame.picture.rgb().astype(int) - shown).mean() < 3


def test_what_is_one_sequence_and_what_is_not() -> None:
    assert numbered(["a1.png", "a2.png"]) == [(1, "a1.png"), (2, "a2.png")]
    assert numbered(["cam2-0001.jpg", "cam2-0003.jpg"]) == [(1, "cam2-0001.jpg"), (3, "cam2-0003.jpg")]
    for others in (
        ["a1.png"],
        ["a1.png", "b2.png"],
        ["a1.png", "a2.jpg"],
        ["a1.png", "a01.png"],
        ["a.png", "b.png"],
    ):
        assert numbered(others) is None
    assert numbered(["a1.png", "a2.mp4"]) is None
    assert numbered([]) is None


def test_images_beside_videos_and_globs_stay_files(tmp_path: Path) -> None:
    draw(tmp_path / "mixed", ("a1.png", 1), ("a2.png", 2))
    draw(tmp_path / "in" / "deep", ("a1.png", 1), ("a2.png", 2))
    make_video(tmp_path / "mixed" / "clip.mp4", frames=2)
    assert names(tmp_path / "mixed") == ["a1.png", "a2.png", "clip.mp4"]
    assert names(tmp_path / "in") == ["deep"]
    assert names(tmp_path / "in" / "deep" / "*.png") == ["a1.png", "a2.png"]


def test_none_of_them_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "seq"
    folder.mkdir()
    for i in range(2):
        (folder / f"{i}.png").write_bytes(b"nothing")
    with pytest.raises(SourceError, match="none of its images can be read"):
        open_source(folder, name="seq", threads=1)


def test_a_folder_that_is_no_sequence(tmp_path: Path) -> None:
    draw(tmp_path / "x", ("a.png", 1), ("b.png", 2))
    with pytest.raises(SourceError, match="differ in a number only"):
        open_source(tmp_path / "x", name="x", threads=1)


def test_an_interrupted_folder_ends(tmp_path: Path) -> None:
    source = open_source(draw(tmp_path / "seq", ("1.png", 1), ("2.png", 2)), name="seq", threads=1)
    items = iter(source)
    next(items)
    source.interrupt()
    assert list(items) == []
    source.close()
    source.close()


def test_pictures_to_try_a_model_on(tmp_path: Path) -> None:
    folder = draw(tmp_path / "seq", *((f"{i}.png", i) for i in range(9)))
    source = open_source(folder, name="seq", threads=1)
    source.close()
    assert len(sample_pictures(folder, source.info, 4, spread=True)) == 4
