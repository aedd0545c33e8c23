"""Parts of a file, each decoded by itself, are together what decoding all of it gives, frame for frame."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import flip_bytes, make_video, truncate
from tests.source.test_selective import MADE, ODD, Read
from vidinfer.errors import PartUnlike
from vidinfer.frame import Frame, Gap
from vidinfer.sampling import Sampling
from vidinfer.source import Part, open_source, split
from vidinfer.storage import Location

Seen = tuple[int, int | None, int | None, bool, bool, str]


def frames_of(path: Location, part: Part | None = None, threads: int = 1) -> list[Seen]:
    source = open_source(path, name="a", threads=threads, part=part)
    found: list[Seen] = []
    try:
        for item in source:
            assert isinstance(item, Frame), item
            pixels = hashlib.sha256(item.picture.rgb().tobytes()).hexdigest()[:16]
            stamp = item.stamp
            found.append((stamp.index, stamp.pts, stamp.duration, stamp.keyframe, item.corrupt, pixels))
    finally:
        source.close()
    return found


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("frames", [1, 15])
@pytest.mark.parametrize("case", MADE)
def test_all_parts_together_are_the_file(tmp_path: Path, case: str, frames: int, threads: int) -> None:
    path = MADE[case](tmp_path)
    made = split(path, frames)
    whole = frames_of(path)
    assert len(made.parts) > 1, made.why
    assert [made.parts[0].start, made.parts[-1].end] == [None, None]
    assert [part.end for part in made.parts[:-1]] == [part.start for part in made.parts[1:]]
    assert [part.first for part in made.parts] == [
        sum(part.frames for part in made.parts[:i]) for i in range(len(made.parts))
    ]
    found = [frames_of(path, part, threads) for part in made.parts]
    assert [len(one) for one in found] == [part.frames for part in made.parts]
    assert [frame for one in found for frame in one] == whole


SAMPLINGS = [
    Sampling(keyframes=True),
    Sampling(every=3),
    Sampling(every=7),
    Sampling(every=25),
    Sampling(fps=Fraction(1)),
    Sampling(fps=Fraction(13, 3)),
    Sampling(every=2, fps=Fraction(3)),
    Sampling(keyframes=True, fps=Fraction(1)),
]
RANGED = [
    Sampling(start=Fraction(1)),
    Sampling(end=Fraction(3, 2)),
    Sampling(start=Fraction(3, 10), end=Fraction(2)),
    Sampling(start=Fraction(100)),
    Sampling(duration=Fraction(13, 10)),
    Sampling(start=Fraction(1), duration=Fraction(1)),
    Sampling(max_frames=37),
    Sampling(start=Fraction(4, 5), max_frames=30),
    Sampling(every=3, max_frames=11),
    Sampling(every=7, start=Fraction(1)),
    Sampling(fps=Fraction(2), start=Fraction(9, 10)),
    Sampling(fps=Fraction(7), start=Fraction(1, 2), end=Fraction(9, 5), max_frames=5),
    Sampling(keyframes=True, start=Fraction(1, 2), max_frames=3),
]


@pytest.mark.parametrize("case", MADE)
def test_all_parts_sampled_are_the_sampled_file(tmp_path: Path, case: str) -> None:
    path = MADE[case](tmp_path)
    for sampling in SAMPLINGS:
        whole = Read(path, sampling, selective=False)
        for frames in (1, 15):
            made = split(path, frames, sampling)
            found = [Read(path, sampling, selective=True, part=part) for part in made.parts]
            assert len(made.parts) > 1 or frames > 1
            if len(made.parts) > 1:
                assert [len(one.stamps) for one in found] == [part.frames for part in made.parts]
            assert [stamp for one in found for stamp in one.stamps] == whole.stamps
            assert [reason for one in found for reason in one.reasons] == whole.reasons
            assert [frame for one in found for frame in one.labelled] == whole.labelled
            used = {one.facts["selective_decoding"]["used"] for one in found}
            assert used == {whole_used(path, sampling)}


@pytest.mark.parametrize("case", MADE)
def test_all_parts_of_a_range_are_that_range(tmp_path: Path, case: str) -> None:
    path = MADE[case](tmp_path)
    most = 0
    for sampling in RANGED:
        whole = Read(path, sampling, selective=False)
        for frames in (1, 15):
            made = split(path, frames, sampling)
            most = max(most, len(made.parts))
            found = [Read(path, sampling, selective=True, part=part) for part in made.parts]
            if len(made.parts) > 1:
                assert [len(one.stamps) for one in found] == [part.frames for part in made.parts]
            assert [stamp for one in found for stamp in one.stamps] == whole.stamps, sampling
            assert [reason for one in found for reason in one.reasons] == whole.reasons, sampling
            assert [frame for one in found for frame in one.labelled] == whole.labelled, sampling
    assert most > 2


def test_what_comes_before_a_range_is_a_part_that_is_passed_over(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=200, gop=10)
    sampling = Sampling(start=Fraction(5), end=Fraction(7))
    parts = split(path, 20, sampling).parts
    assert [(part.first, part.frames, part.early) for part in parts] == [
        (0, 120, True),
        (120, 20, True),
        (140, 20, False),
        (160, 15, False),
    ]
    passed = Read(path, sampling, selective=True, part=parts[0]).facts["selective_decoding"]
    assert passed == {"used": True, "frames_passed_over": 119, "damage": "not seen in what was passed over"}
    late = Read(path, sampling, selective=True, part=parts[1]).facts["selective_decoding"]
    assert late["frames_passed_over"] <= 5


def test_what_is_behind_a_range_is_not_looked_at(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", frames=200, gop=10)
    truncate(path, keep=0.6)
    assert len(split(path, 20).parts) == 1
    assert len(split(path, 20, Sampling(end=Fraction(3))).parts) == 4


def whole_used(path: Path, sampling: Sampling) -> bool:
    used: bool = Read(path, sampling, selective=True).facts["selective_decoding"]["used"]
    return used


def test_parts_are_cut_by_what_is_decoded_of_them(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=400, gop=10)
    assert len(split(path, 10).parts) == 40
    sparse = split(path, 10, Sampling(keyframes=True)).parts
    assert 3 <= len(sparse) <= 5, "one of ten, and what reading all costs"
    assert sum(part.frames for part in sparse) == 400
    every = split(path, 10, Sampling(every=2)).parts
    assert len(every) == 40, "all of them are decoded"


@pytest.mark.parametrize("case", ODD)
def test_what_cannot_be_cut_is_one_part_and_says_why(tmp_path: Path, case: str) -> None:
    path = ODD[case][0](tmp_path)
    made = split(path, 5)
    assert made.parts == (Part(None, None),)
    assert made.why
    assert split(path, 5, Sampling(every=7)).parts == made.parts


def test_parts_have_at_least_so_many_frames(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=100, gop=10)
    assert [part.frames for part in split(path, 25).parts] == [30, 30, 40]
    assert [part.frames for part in split(path, 10).parts] == [10] * 10
    assert split(path, 1000).parts == (Part(None, None),)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_part_does_not_read_what_comes_before_it(tmp_path: Path, suffix: str) -> None:
    path = make_video(tmp_path / f"a.{suffix}", frames=150, gop=10, size=(480, 360), draw=noise)
    assert path.stat().st_size > 12 << 20, "opening may read five"
    last = split(path, 10).parts[-1]
    read = Counting(path)
    with av.open(read, "r") as container:  # what opening reads
        stream = container.streams.video[0]
        container.seek(last.dts or last.pts, stream=stream)
        packet = next(p for p in container.demux(stream) if p.size)
        assert packet.dts is not None
    read.close()
    assert read.taken < path.stat().st_size / 2


def noise(number: int, width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 255, (height, width, 3), np.uint8)


class Counting:
    """A file that counts the bytes taken from it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.taken += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


def test_damage_that_only_decoding_shows_gives_the_part_up(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=60, gop=10, size=(320, 240))
    flip_bytes(path, start=0.4, end=0.6)
    made = split(path, 10)
    if len(made.parts) == 1:
        assert made.why
        return
    with pytest.raises(PartUnlike):
        for part in made.parts:
            seen = open_source(path, name="a", threads=1, part=part)
            try:
                assert not any(isinstance(item, Gap) or item.corrupt for item in seen), "damage of a part"
            finally:
                seen.close()


def test_a_file_that_is_cut_off_is_one_part(tmp_path: Path) -> None:
    path = truncate(make_video(tmp_path / "a.mkv", frames=60, gop=10), keep=0.7)
    made = split(path, 10)
    assert len(made.parts) == 1
    assert "missing" in made.why or "damaged" in made.why


def test_avi_without_its_index_is_not_cut_or_gives_the_part_up(tmp_path: Path) -> None:
    """Its reader counts frames on from wherever it is."""
    path = make_video(tmp_path / "a.avi", frames=60, codec="mjpeg", pix_fmt="yuvj420p", size=(320, 240))
    whole = frames_of(path)
    indexed = split(path, 10).parts
    assert len(indexed) == 6
    path.write_bytes(path.read_bytes().replace(b"idx1", b"JUNK").replace(b"indx", b"JUNK"))
    assert frames_of(path) == whole
    for part in {*indexed, *split(path, 10).parts}:
        try:
            found = frames_of(path, part)
        except PartUnlike:
            continue
        assert found == whole[part.first : part.first + part.frames] or part == Part(None, None)


def test_avi_of_pictures_that_stand_alone_is_cut_with_empty_chunks_in_it(tmp_path: Path) -> None:
    """A chunk of no bytes is a frame that is shown once more: it takes time and gives none."""
    path = make_video(tmp_path / "a.avi", frames=40, codec="mjpeg", pix_fmt="yuvj420p",
                      pts=[t for t in range(80) if t % 8 < 4], rate=25)  # fmt: skip
    whole = frames_of(path)
    assert [pts for _, pts, *_ in whole] == [t for t in range(80) if t % 8 < 4]
    parts = split(path, 10).parts
    assert [frame for part in parts for frame in frames_of(path, part)] == whole
    assert len(parts) == 4


def test_a_file_that_was_changed_since_gives_the_part_up(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=60, gop=10)
    last = split(path, 10).parts[-1]
    make_video(path, frames=20, gop=10)
    with pytest.raises(PartUnlike, match="not where it was"):
        frames_of(path, last)
    with pytest.raises(PartUnlike, match="not where it was"):
        Read(path, Sampling(every=7), selective=True, part=last)


def test_stopping_a_part_is_no_damage(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=60, gop=10)
    source = open_source(path, name="a", threads=1, part=split(path, 20).parts[1])
    items = iter(source)
    assert isinstance(next(items), Frame)
    source.interrupt()
    assert list(items) == []
    source.close()
