"""Objects in stores are cut by their index alone, and their parts are together what decoding the file gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import fsspec
import pytest

from tests.media import make_video, truncate
from tests.source.test_part import RANGED, SAMPLINGS, frames_of, noise
from tests.source.test_selective import MADE, OPEN, Read
from vidinfer.errors import PartUnlike
from vidinfer.sampling import Sampling
from vidinfer.source import Part, split
from vidinfer.storage import RangeReader, RemoteFile

INDEXED = [
    *("mp4", "mp4, reordered", "mp4, pyramid", "mov, open", "variable", "hevc", "av1", "mjpeg", "high"),
    *("begins late", "begins late, ends early"),
]
Put = Callable[[Path], RemoteFile]


@pytest.fixture
def put() -> Iterator[Put]:
    """Puts a file into a store."""
    store = fsspec.filesystem("memory")

    def put(path: Path) -> RemoteFile:
        store.pipe(f"/outline/{path.name}", path.read_bytes())
        return RemoteFile(f"memory://outline/{path.name}")

    yield put
    store.rm("/outline", recursive=True)


@pytest.mark.parametrize("case", INDEXED)
def test_all_parts_of_an_object_together_are_the_file(tmp_path: Path, put: Put, case: str) -> None:
    path = MADE[case](tmp_path)
    whole = frames_of(path)
    there = put(path)
    for frames in (1, 15):
        made = split(there, frames)
        assert len(made.parts) > 1, made.why
        assert [part.first for part in made.parts] == [
            sum(part.frames for part in made.parts[:i]) for i in range(len(made.parts))
        ]
        found = [frames_of(there, part) for part in made.parts]
        assert [len(one) for one in found] == [part.frames for part in made.parts]
        assert [frame for one in found for frame in one] == whole


@pytest.mark.parametrize("case", INDEXED)
def test_all_parts_of_an_object_sampled_are_the_sampled_file(tmp_path: Path, put: Put, case: str) -> None:
    path = MADE[case](tmp_path)
    there = put(path)
    for sampling in (*SAMPLINGS, *RANGED):
        whole = Read(path, sampling, selective=False)
        made = split(there, 5, sampling)
        found = [Read(there, sampling, selective=True, part=part) for part in made.parts]
        if sampling.keyframes and (sampling.fps or sampling.max_frames):
            assert "keyframes" in made.why
        assert [stamp for one in found for stamp in one.stamps] == whole.stamps, sampling
        assert [frame for one in found for frame in one.labelled] == whole.labelled, sampling


@pytest.mark.parametrize(
    ("codec", "suffix", "options"),
    [
        ("libx264", "mp4", {"b_frames": 2, "audio": "aac"}),
        ("libx264", "mp4", {"b_frames": 2, "options": {"movflags": "faststart"}}),
        ("libx264", "mov", {"b_frames": 3, "codec_options": OPEN}),
        ("libx265", "mp4", {"b_frames": 2}),
        ("libsvtav1", "mp4", {}),
        ("libvpx-vp9", "mp4", {"codec_options": {"deadline": "realtime", "cpu-used": "8", "b": "12M"}}),
    ],
)
def test_of_an_object_its_index_is_fetched(
    tmp_path: Path,
    put: Put,
    codec: str,
    suffix: str,
    options: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Parsers that FFmpeg would put on the packets must not be misled by the zeros in their place."""
    path = make_video(
        tmp_path / f"a.{suffix}", frames=200, gop=10, size=(320, 240), draw=noise, codec=codec, **options
    )
    fetched = counted(monkeypatch)
    made = split(put(path), 20)
    taken = sum(reader.fetched for reader in fetched)
    assert len(made.parts) == 10, made.why
    assert taken < 3 << 20 < path.stat().st_size / 2
    local = split(path, 20)
    assert made.parts == local.parts


def counted(monkeypatch: pytest.MonkeyPatch) -> list[RangeReader]:
    """All readers that will be made."""
    readers: list[RangeReader] = []
    usual = RangeReader.__init__

    def noted(self: RangeReader, *args: object, **options: object) -> None:
        usual(self, *args, **options)
        readers.append(self)

    monkeypatch.setattr(RangeReader, "__init__", noted)
    return readers


def test_a_part_of_an_object_is_fetched_by_itself(
    tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_video(tmp_path / "a.mp4", frames=400, gop=10, size=(480, 360), draw=noise)
    assert path.stat().st_size > 40 << 20, "a part is followed by 8 MiB that are fetched ahead"
    there = put(path)
    parts = split(there, 20).parts
    for part in (parts[0], parts[len(parts) // 2], parts[-1]):
        with monkeypatch.context() as patch:
            fetched = counted(patch)
            assert len(frames_of(there, part)) == part.frames
        assert sum(reader.fetched for reader in fetched) < path.stat().st_size / 3


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("a.mkv", {}, "no index"),
        ("a.ts", {}, "no index"),
        ("a.mp4", {"options": {"movflags": "frag_keyframe+empty_moov"}}, "no index"),
        ("a.avi", {}, "no index"),
        ("a.mov", {"codec": "mpeg4"}, "mpeg4"),
        ("a.mp4", {"codec_options": {"x264-params": "tff=1"}}, "interlaced"),
        ("a.mp4", {"codec_options": {"x264-params": "intra-refresh=1"}}, ""),
        ("a.mp4", {"gop": 1000}, "too few"),
    ],
)
def test_what_an_index_does_not_tell_is_one_part(
    tmp_path: Path, put: Put, name: str, options: dict[str, object], why: str
) -> None:
    path = make_video(tmp_path / name, **{"frames": 60, "gop": 10, **options})
    made = split(put(path), 10)
    assert made.parts == (Part(None, None),)
    assert why in made.why


def test_an_object_that_is_cut_off_is_one_part(tmp_path: Path, put: Put) -> None:
    path = make_video(tmp_path / "a.mp4", frames=60, gop=10, options={"movflags": "faststart"})
    truncate(path, keep=0.8)
    made = split(put(path), 10)
    assert made.parts == (Part(None, None),)
    assert "missing" in made.why


def test_an_index_that_lies_gives_the_part_up(tmp_path: Path, put: Put) -> None:
    """It says that decoding can begin with a picture where it cannot."""
    path = make_video(tmp_path / "a.mp4", frames=600, gop=100, size=(64, 48))
    data = bytearray(path.read_bytes())
    at = data.index(b"stss") + 8
    assert int.from_bytes(data[at : at + 4]) == 6
    assert int.from_bytes(data[at + 12 : at + 16]) == 201
    data[at + 8 : at + 12] = (151).to_bytes(4)
    path.write_bytes(data)
    there = put(path)
    made = split(there, 100)
    if len(made.parts) == 1:
        assert "cannot begin" in made.why
        return
    with pytest.raises(PartUnlike, match="cannot begin"):
        for part in made.parts:
            frames_of(there, part)


def test_a_range_of_an_object(tmp_path: Path, put: Put) -> None:
    path = make_video(tmp_path / "a.mp4", frames=200, gop=10)
    sampling = Sampling(start=Fraction(5), end=Fraction(7))
    assert split(put(path), 20, sampling) == split(path, 20, sampling)
