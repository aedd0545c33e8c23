"""The first look at the files of a run: what is found, in which order, and how it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.media import make_video, truncate
from tests.source.test_images import draw
from vidinfer.archive import look, planning
from vidinfer.archive.header_pool import HeaderPool
from vidinfer.archive.header_reader import HeaderReader
from vidinfer.archive.look import look_over
from vidinfer.archive.planning import KnownFile
from vidinfer.archive.survey import Surveyed, survey
from vidinfer.config import RunConfig
from vidinfer.errors import Interrupted, SourceError
from vidinfer.source import SourceFile, expand_sources


@pytest.fixture(autouse=True)
def _small_files_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "SPLIT_BYTES", 1)


def found(config: RunConfig, **options: int) -> list[KnownFile | str]:
    files = expand_sources(config.sources).files
    looked = look_over(files, config, lambda: False, **options)
    return [str(one) if isinstance(one, SourceError) else one for one in looked]


def archive(folder: Path) -> Path:
    """Small files, two that are split, and what cannot be labelled."""
    folder.mkdir()
    for i in range(6):
        make_video(folder / f"{i} small.mp4", frames=4 + i, first_number=100 * i)
    for i, name in enumerate(("1 long.mp4", "4 long.mkv")):
        make_video(folder / name, frames=90, first_number=1000 * (i + 1), gop=30)
    truncate(make_video(folder / "2 cut.mp4", frames=40), keep=0.5)
    (folder / "3 text.mp4").write_text("no video\n" * 50)
    draw(folder / "5 pictures", ("1.png", 1), ("2.png", 2))
    return folder


def test_several_at_a_time_find_what_one_by_one_does(tmp_path: Path) -> None:
    config = RunConfig(sources=(str(archive(tmp_path / "in")),), unit_frames=30)
    one_by_one = found(config, at_once=1)
    assert [len(one.parts) for one in one_by_one if isinstance(one, KnownFile) and "long" in one.name] == [
        3,
        3,
    ]
    assert sum(isinstance(one, str) for one in one_by_one) == 2
    assert found(config, at_once=8) == one_by_one
    assert found(config) == one_by_one


def test_a_file_that_vanishes_is_that_files_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = archive(tmp_path / "in")
    config = RunConfig(sources=(str(folder),))
    before = found(config)

    def then_gone(files: Sequence[SourceFile], **options: object) -> list[Surveyed]:
        seen = survey(files, **options)  # type: ignore[arg-type]
        (folder / "3 small.mp4").unlink()
        return seen

    monkeypatch.setattr(look, "survey", then_gone)
    after = found(config)
    assert len(after) == len(before)
    (changed,) = (i for i, (one, other) in enumerate(zip(before, after, strict=True)) if one != other)
    assert "3 small.mp4: No such file" in str(after[changed])


def test_a_stop_ends_it_between_files(tmp_path: Path) -> None:
    config = RunConfig(sources=(str(archive(tmp_path / "in")),))
    stop = threading.Event()
    seen = look_over(expand_sources(config.sources).files, config, stop.is_set)
    next(seen)
    stop.set()
    with pytest.raises(Interrupted):
        next(seen)


def test_it_may_be_left_early(tmp_path: Path) -> None:
    config = RunConfig(sources=(str(archive(tmp_path / "in")),), unit_frames=30)
    seen = look_over(expand_sources(config.sources).files, config, lambda: False)
    next(seen)
    seen.close()


def test_no_more_processes_than_readers_and_each_is_used_again(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", frames=2)
    children = set()
    with HeaderPool(2) as pool:
        for _ in range(3):
            with pool.lent(lambda: False) as one, pool.lent(lambda: False) as other:
                for reader in (one, other):
                    assert reader.read(clip).kind == "video"
                    assert reader._child is not None
                    children.add(reader._child.pid)
    assert len(children) == 2


def test_who_waits_for_a_reader_gets_the_next_one_that_is_free(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", frames=2)
    lent: list[HeaderReader] = []
    with HeaderPool(1) as pool:
        asked, kinds = threading.Event(), list[str]()

        def waits() -> None:
            def looks() -> bool:
                asked.set()
                return False

            with pool.lent(looks) as reader:
                lent.append(reader)
                kinds.append(reader.read(clip).kind)

        with pool.lent(lambda: False) as mine:
            thread = threading.Thread(target=waits)
            thread.start()
            asked.wait()
            assert not lent
        thread.join()
        assert lent == [mine]
    assert kinds == ["video"]


def test_a_stop_ends_the_wait_for_a_reader() -> None:
    with HeaderPool(1) as pool, pool.lent(lambda: False):
        looks: list[Callable[[], bool]] = []

        def stopped() -> bool:
            looks.append(stopped)
            return len(looks) > 2

        with pytest.raises(Interrupted), pool.lent(stopped):
            pass


def test_a_reader_that_was_interrupted_owes_nobody_an_answer(tmp_path: Path) -> None:
    clip, text = make_video(tmp_path / "a.mp4", frames=2), tmp_path / "b.txt"
    text.write_text("no video")
    with HeaderPool(1) as pool:
        with pytest.raises(Interrupted), pool.lent(lambda: False) as reader:
            assert reader.read(clip).kind == "video"
            assert reader._child is not None
            os.kill(reader._child.pid, signal.SIGSTOP)  # it will not answer before it is asked the next time
            reader.stopped = lambda: True
            reader.read(clip)
        with pool.lent(lambda: False) as reader:
            assert reader.read(text).kind == "foreign"
