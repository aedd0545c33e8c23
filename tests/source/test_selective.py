"""Decoding no more than a sampling needs gives the very frames that decoding everything gives."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.media import flip_bytes, make_video, patch_edit_list, truncate
from vidinfer.frame import Frame, FrameStamp, Gap
from vidinfer.sampling import Sampler, Sampling
from vidinfer.source import Part, open_source, split
from vidinfer.source.coded import ALONE, reader_for
from vidinfer.storage import Location

VARIABLE = [0, 40, 50, 400, 401, 1000, 1033, 2000, 2001, 3500]
SAMPLINGS = [
    Sampling(keyframes=True),
    Sampling(every=7),
    Sampling(every=25),
    Sampling(fps=Fraction(1)),
    Sampling(fps=Fraction(3), start=Fraction(1), end=Fraction(2)),
    Sampling(every=6, max_frames=3),
]
ALT_REF = {"auto-alt-ref": "1", "lag-in-frames": "8", "deadline": "good"}
"""Frames that are not shown, among others that are."""
OPEN = {"x264-params": "open-gop=1:b-pyramid=normal"}

Make = Callable[[Path], Path]


def video(name: str, **options: Any) -> Make:
    def make(folder: Path) -> Path:
        return make_video(folder / name, **{"frames": 66, "gop": 10, "size": (64, 48), **options})

    return make


def cut(**edit: int) -> Make:
    def make(folder: Path) -> Path:
        return patch_edit_list(video("cut.mp4", b_frames=2)(folder), **edit)

    return make


MADE = {
    "mp4": video("a.mp4"),
    "mp4, reordered": video("a.mp4", b_frames=3),
    "mp4, pyramid": video("a.mp4", b_frames=3, codec_options={"x264-params": "b-pyramid=normal:scenecut=0"}),
    "mkv": video("a.mkv", b_frames=2),
    "ts": video("a.ts", b_frames=2),
    "mov, open": video("a.mov", b_frames=3, codec_options=OPEN),
    "ts, open": video("a.ts", b_frames=3, codec_options=OPEN),
    "mkv, open": video("a.mkv", b_frames=3, codec_options=OPEN),
    "variable": video("a.mp4", b_frames=2, frames=50, time_base=Fraction(1, 1000),
                      pts=[4000 * i + t for i in range(5) for t in VARIABLE]),
    "hevc": video("a.mp4", codec="libx265", b_frames=2, frames=40),  # x265's groups are open
    "hevc, ts": video("a.ts", codec="libx265", b_frames=2, frames=40),
    "hevc, closed": video("a.mkv", codec="libx265", b_frames=2, frames=40, codec_options={
        "x265-params": "log-level=none:pools=1:frame-threads=1:no-open-gop=1"}),
    "vp8": video("a.webm", codec="libvpx", codec_options=ALT_REF),
    "vp9": video("a.webm", codec="libvpx-vp9", codec_options=ALT_REF),
    "av1": video("a.mp4", codec="libsvtav1", frames=40),
    "av1, mkv": video("a.mkv", codec="libsvtav1", frames=40),
    "mjpeg": video("a.mov", codec="mjpeg", pix_fmt="yuvj420p"),
    "mjpeg, avi": video("a.avi", codec="mjpeg", pix_fmt="yuvj420p"),
    "png, avi": video("a.avi", codec="png", pix_fmt="rgb24", frames=40),
    "high": video("a.mp4", pix_fmt="yuv444p", b_frames=2),
    "begins late": cut(media_time=1024 + 13 * 512),
    "begins late, ends early": cut(media_time=1024 + 13 * 512, duration=30 * 40),
}  # fmt: skip
ODD = {
    "gradual refresh": (
        video("a.mp4", codec_options={"x264-params": "intra-refresh=1"}),
        "keyframes of the container",
    ),
    "avi": (video("a.avi", b_frames=2), "AVI"),
    "mpeg2": (video("a.ts", codec="mpeg2video", b_frames=2), "mpeg2video"),
    "mpeg4": (video("a.mp4", codec="mpeg4"), "mpeg4"),
    "bare": (video("a.h264"), "without a timestamp"),
    "fields": (video("a.ts", codec_options={"x264-params": "tff=1"}), "interlaced"),
    "gif": (video("a.gif", codec="gif", pix_fmt="rgb8", frames=20), "gif"),
}


class Read:
    """All of a file, told by the sampling or not."""

    def __init__(
        self,
        path: Location,
        sampling: Sampling,
        *,
        selective: bool,
        threads: int = 2,
        part: Part | None = None,
    ) -> None:
        told = sampling if selective else None
        source = open_source(path, name=path.name, threads=threads, sampling=told, part=part)
        before = None if part is None else part.before
        sampler = Sampler(sampling, before)
        self.stamps: list[FrameStamp | Gap] = []
        self.labelled: list[tuple[FrameStamp, bool, bytes]] = []
        self.reasons: list[str] = []
        try:
            for item in source:
                if isinstance(item, Gap):
                    self.stamps.append(item)
                    continue
                if sampler.finished(item.stamp):
                    break
                self.stamps.append(item.stamp)
                reason = sampler.skip_reason(item.stamp)
                if reason is not None:
                    self.reasons.append(reason)
                    continue
                assert isinstance(item, Frame), f"{item.stamp} is wanted"
                self.labelled.append((item.stamp, item.corrupt, item.picture.rgb().tobytes()))
            self.facts: dict[str, Any] = source.facts()
        finally:
            source.close()


def check(path: Path, sampling: Sampling) -> dict[str, Any]:
    """Both ways are the same; what the selective one says of itself."""
    whole, selective = (Read(path, sampling, selective=chosen) for chosen in (False, True))
    assert selective.stamps == whole.stamps
    assert selective.reasons == whole.reasons
    assert selective.labelled == whole.labelled
    told: dict[str, Any] = selective.facts["selective_decoding"]
    return told


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    known: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in known:
            making = MADE[name] if name in MADE else ODD[name][0]
            known[name] = making(tmp_path_factory.mktemp("made"))
        return known[name]

    return get


@pytest.mark.parametrize("name", MADE)
def test_the_same_frames(made: Callable[[str], Path], name: str) -> None:
    for sampling in SAMPLINGS:
        told = check(made(name), sampling)
        if name == "variable" and sampling.fps:  # of 2.5 on average
            assert told == {"used": False, "why": "most frames are needed anyway"}
            continue
        assert told["used"], sampling
        assert told["frames_passed_over"] or (ALONE.intersection(name.split(", ")) and sampling.keyframes), (
            sampling,
            told,
        )
        assert "why" not in told, (sampling, told)


@pytest.mark.parametrize("name", ODD)
def test_where_nothing_can_be_promised_everything_is_decoded_and_said_so(
    made: Callable[[str], Path], name: str
) -> None:
    for sampling in SAMPLINGS:
        check(made(name), sampling)
    assert ODD[name][1] in check(made(name), Sampling(keyframes=True))["why"]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_threads_changes_nothing(made: Callable[[str], Path], threads: int) -> None:
    path, sampling = made("mp4, pyramid"), Sampling(every=9)
    found = Read(path, sampling, selective=True, threads=threads)
    assert found.labelled == Read(path, sampling, selective=False).labelled


@settings(max_examples=12, deadline=None)
@given(
    steps=st.lists(st.integers(1, 900), min_size=20, max_size=45),
    gop=st.integers(1, 12),
    b_frames=st.integers(0, 3),
    open_groups=st.booleans(),
    suffix=st.sampled_from([".mp4", ".mkv", ".ts"]),
    sampling=st.one_of(
        st.builds(Sampling, every=st.integers(4, 30), keyframes=st.booleans()),
        st.builds(Sampling, fps=st.fractions("1/5", "1/2", max_denominator=9)),
        st.just(Sampling(keyframes=True)),
    ),
)
def test_any_times_and_groups(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[int],
    gop: int,
    b_frames: int,
    open_groups: bool,
    suffix: str,
    sampling: Sampling,
) -> None:
    path = make_video(
        tmp_path_factory.mktemp("any") / f"a{suffix}",
        frames=len(steps),
        size=(64, 48),
        gop=gop,
        b_frames=b_frames,
        time_base=Fraction(1, 1000),
        pts=[sum(steps[:i]) for i in range(len(steps))],
        codec_options=OPEN if open_groups else {},
    )
    assert "everything_from_pts" not in check(path, sampling)
    whole = Read(path, sampling, selective=False)
    parts = split(path, 5, sampling).parts
    found = [Read(path, sampling, selective=True, part=part) for part in parts]
    assert [stamp for one in found for stamp in one.stamps] == whole.stamps
    assert [frame for one in found for frame in one.labelled] == whole.labelled


def test_a_clock_that_starts_anew_is_decoded_from_there_on(tmp_path: Path) -> None:
    one = make_video(tmp_path / "one.ts", frames=40, gop=10, size=(64, 48))
    path = tmp_path / "two.ts"
    path.write_bytes(one.read_bytes() * 2)
    told = check(path, Sampling(every=8))
    assert "everything_from_pts" in told
    assert told["frames_passed_over"]


@pytest.mark.parametrize("name", ["mp4", "ts"])
def test_damage_that_is_seen_ends_the_selection(
    made: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    path = tmp_path / made(name).name
    path.write_bytes(made(name).read_bytes())
    flip_bytes(path, start=0.5, end=0.6)
    found = Read(path, Sampling(every=5), selective=True)
    told = found.facts["selective_decoding"]
    assert told["why"]
    assert told["damage"]
    assert found.facts["gaps"] or found.facts["frames_corrupt"]


def test_a_file_that_ends_early_is_told_all_the_same(made: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    path.write_bytes(made("mkv").read_bytes())
    truncate(path, keep=0.7)
    found = [Read(path, Sampling(keyframes=True), selective=chosen) for chosen in (False, True)]
    assert found[1].labelled == found[0].labelled
    assert any("ends early" in str(item) for item in found[1].stamps if isinstance(item, Gap))


@given(
    st.sampled_from(["h264", "hevc", "vp8", "vp9", "av1"]), st.binary(max_size=60), st.binary(max_size=120)
)
def test_no_packet_is_too_strange_to_be_read(codec: str, extradata: bytes, packet: bytes) -> None:
    reader = reader_for(codec, extradata)
    assert reader is not None
    coded = reader(memoryview(packet))
    assert coded.odd or isinstance(coded.start, bool)
