"""Which pieces are drawn, and that they are run as a run does it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path, PurePosixPath

import pytest

from tests.media import make_video, read_number
from tests.source.test_images import draw
from vidinfer.archive.estimate import expect
from vidinfer.archive.sample import Drawn, draw_pieces, labelled_frames, measure_pieces
from vidinfer.archive.survey import Surveyed, survey
from vidinfer.cli.main import main
from vidinfer.cli.run import read_config
from vidinfer.clock import MonotonicClock
from vidinfer.config import RunConfig
from vidinfer.frame import Frame, Gap, Passed
from vidinfer.progress import StopSignal
from vidinfer.sampling import Sampler, Sampling
from vidinfer.source import expand_sources
from vidinfer.source.piece import PieceSource

CONFIG = RunConfig(sources=("x",), model="demo", backend="eager", precision="fp32")


def file(name: str, seconds: float | None, frames: int | None = None) -> Surveyed:
    rate = None if seconds is None else Fraction(25)
    return Surveyed(Path(name), PurePosixPath(name), "video", duration=seconds, frames=frames, rate=rate)


def files(*paths: Path) -> list[Surveyed]:
    return survey(expand_sources([str(path) for path in paths]).files)


def nothing(_number: int, _all: int) -> None:
    pass


def test_pieces_are_drawn_in_proportion_to_frames_and_inside_the_file() -> None:
    archive = [file("short", 100), file("long", 900), file("unknown", None)]
    drawn = draw_pieces(archive, CONFIG, 4000, seed=1)
    assert len(drawn) == 2000
    counts = Counter(str(one.file.name) for one in drawn)
    assert 150 < counts["short"] < 250
    assert counts["unknown"] == 0
    assert all(one.seconds == 2 and 0 <= one.at <= one.file.duration - 2 for one in drawn)  # type: ignore[operator]
    assert draw_pieces(archive, CONFIG, 100, seed=5) == draw_pieces(archive, CONFIG, 100, seed=5)


def test_a_short_sample_has_short_pieces() -> None:
    drawn = draw_pieces([file("a", 100)], CONFIG, 4, seed=0)
    assert [one.seconds for one in drawn] == [0.5] * 8
    assert draw_pieces([file("a", None)], CONFIG, 4, seed=0) == []
    assert draw_pieces([], CONFIG, 4, seed=0) == []


def test_options_that_leave_out_frames_count() -> None:
    one = file("a", 100)
    assert labelled_frames(one, CONFIG) == 2500
    assert labelled_frames(one, replace(CONFIG, start=Fraction(50))) == 2500  # decoded all the same
    assert labelled_frames(one, replace(CONFIG, end=Fraction(20))) == 500
    assert labelled_frames(one, replace(CONFIG, max_frames=10)) == 10
    assert labelled_frames(one, replace(CONFIG, max_frames=10, every=5)) == 50
    drawn = draw_pieces([one], replace(CONFIG, start=Fraction(50), end=Fraction(60)), 100, seed=0)
    assert all(50 <= piece.at <= 58 for piece in drawn)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_piece_begins_at_a_key_frame_and_ends_in_time(tmp_path: Path, name: str) -> None:
    clip = make_video(tmp_path / name, frames=100, gop=10)
    source = PieceSource(clip, name=name, threads=1, at=2.0, seconds=0.4)
    try:
        items = list(source)
    finally:
        source.close()
    numbers = [read_number(item.picture.rgb()) for item in items if isinstance(item, Frame)]
    assert 30 <= numbers[0] <= 50
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) == 10
    assert not any(isinstance(item, Gap) for item in items)


def test_the_end_of_a_file_is_no_gap(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mkv", frames=50, gop=10)
    source = PieceSource(clip, name="a", threads=1, at=1.9, seconds=10)
    try:
        items = list(source)
    finally:
        source.close()
    assert items
    assert all(isinstance(item, Frame) for item in items)


def test_pieces_are_labelled_and_written(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    make_video(tmp_path / "in" / "a.mp4", frames=75, gop=25)
    draw(tmp_path / "in" / "seq", *((f"{i}.png", i) for i in range(60)))
    video, images = sorted(files(tmp_path / "in"), key=lambda one: one.kind, reverse=True)
    told: list[tuple[int, int]] = []
    drawn = [
        Drawn(video, 1.0, 0.4),
        Drawn(images, 0.0, 0.4),
        Drawn(file(str(tmp_path / "gone.mp4"), 4), 0, 1),
    ]
    config = replace(CONFIG, labels=("jsonl", "csv"))
    found = measure_pieces(drawn, 1, config, MonotonicClock(), StopSignal(), lambda *at: told.append(at))
    assert [(one.name, one.frames) for one in found] == [("a.mp4", 10), ("seq", 10)]
    assert all(one.seconds > 0 and one.opening > 0 and one.written > 100 for one in found)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_stop_keeps_what_there_is(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", frames=30)
    (one,) = files(tmp_path)
    stop = StopSignal()

    def second(number: int, _all: int) -> None:
        if number == 2:
            stop.request()

    drawn = [Drawn(one, 0, 0.4)] * 3
    assert len(measure_pieces(drawn, 1, CONFIG, MonotonicClock(), stop, second)) == 1


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@pytest.mark.parametrize(
    ("sampling", "each"),
    [
        (Sampling(keyframes=True), 50),
        (Sampling(every=40), 40),
        (Sampling(fps=Fraction(1)), 25),
        (Sampling(every=3), 3),
    ],
)
def test_chosen_frames_have_the_share_in_a_piece_that_they_have_in_the_file(
    tmp_path: Path, name: str, sampling: Sampling, each: int
) -> None:
    clip = make_video(tmp_path / name, frames=200, gop=50, b_frames=2)
    source = PieceSource(clip, name=name, threads=1, at=2.5, seconds=0.4, sampling=sampling)
    try:
        items = list(source)
    finally:
        source.close()
    assert not any(isinstance(item, Gap) for item in items)
    sampler = Sampler(sampling)
    chosen = [item for item in items if not isinstance(item, Gap) and sampler.skip_reason(item.stamp) is None]
    assert all(isinstance(item, Frame) for item in chosen)
    assert len(items) == each * len(chosen) >= each
    if each > 3:  # what is not needed is not decoded, as in a run
        assert any(isinstance(item, Passed) for item in items)


SAMPLINGS = [("--keyframes",), ("--every", "60"), ("--fps", "0.5"), ("--skip-static",), ()]


@pytest.mark.parametrize("options", SAMPLINGS, ids=" ".join)
def test_bytes_of_a_sampled_run_are_foreseen(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Which frames a run labels decides how much it writes; equal files leave nothing to chance."""
    (tmp_path / "in").mkdir()
    for number in range(2):
        make_video(tmp_path / "in" / f"{number}.mp4", frames=300, gop=60, first_number=number)
    words = [str(tmp_path / "in"), "--model", "demo", "--backend", "eager", "--precision", "fp32", *options]
    config = read_config(words)
    archive = files(tmp_path / "in")
    drawn = draw_pieces(archive, config, 4, seed=1)
    pieces = measure_pieces(drawn, 1, config, MonotonicClock(), StopSignal(), nothing)
    expected = expect(pieces, 2, sum(labelled_frames(one, config) for one in archive))
    assert main([*words, "--engine", "none", "-q", "--out", str(tmp_path / "out")]) == 0
    written = sum(path.stat().st_size for path in (tmp_path / "out").glob("*.labels.jsonl"))
    assert expected is not None
    assert expected.written.value == pytest.approx(written, rel=0.2)


def test_few_frames_make_long_pieces() -> None:
    one = file("a", 100)
    for config, seconds in (
        (replace(CONFIG, every=250), 10.0),
        (replace(CONFIG, fps=Fraction(1, 20)), 20.0),
        (replace(CONFIG, skip_static=12.0), 5.0),
        (replace(CONFIG, every=10), 2.0),
    ):
        drawn = draw_pieces([one], config, 30, seed=0)
        assert {piece.seconds for piece in drawn} == {seconds}
        assert all(0 <= piece.at <= 100 - seconds for piece in drawn)
    assert labelled_frames(one, replace(CONFIG, max_frames=10, fps=Fraction(1))) == 250
    assert labelled_frames(one, replace(CONFIG, max_frames=10, keyframes=True)) == 2500
