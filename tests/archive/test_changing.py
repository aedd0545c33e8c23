"""Sources that change or vanish while a run goes on: noticed, told, and never labelled as what they are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.archive.conftest import InProcess, Runner, make_archive, outputs
from tests.archive.test_run import Seen, manifest
from tests.media import make_video
from tests.source.test_images import draw
from vidinfer.archive import fingerprint as fingerprint_module
from vidinfer.archive.labeller import UnitLabeller
from vidinfer.archive.unit import WHOLE, Unit
from vidinfer.source import Part
from vidinfer.stages import Source


class Meddling(InProcess):
    """Does something to a file while it is with a worker."""

    def submit(self, unit: Unit, target: Path) -> None:
        self.meddle(unit.path)
        super().submit(unit, target)

    def meddle(self, path: Path) -> None:
        raise NotImplementedError


class Appending(Meddling):
    def meddle(self, path: Path) -> None:
        if path.name == "clip0.mp4":
            with path.open("ab") as file:
                file.write(b"more")


def put_back_times(path: Path, then: os.stat_result) -> None:
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))


class Rewriting(Meddling):
    """In place: the same size, the same inode, and the date put back. Only the time of change tells."""

    def meddle(self, path: Path) -> None:
        if path.name == "clip0.mp4":
            then, data = path.stat(), path.read_bytes()
            with path.open("r+b") as file:
                file.write(data.replace(b"Lavf", b"lAVF"))  # who wrote it
            put_back_times(path, then)
            assert (path.stat().st_size, path.stat().st_mtime_ns) == (then.st_size, then.st_mtime_ns)


class Removing(Meddling):
    def meddle(self, path: Path) -> None:
        if path.name == "clip0.mp4":
            path.unlink()


@pytest.mark.parametrize(
    ("engine", "why"),
    [(Appending, "changed since"), (Rewriting, "changed since"), (Removing, "No such file")],
)
def test_a_source_that_changes_or_vanishes(
    tmp_path: Path, label_archive: Runner, engine: type[Meddling], why: str
) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    report = label_archive(archive, engine_factory=engine)
    assert report.exit_status == 1
    rows = manifest(tmp_path / "out")
    assert {name: row["status"] for name, row in rows.items()} == {
        "clip0.mp4": "failed",
        "cam/clip1.mp4": "complete",
    }
    assert why in str(rows["clip0.mp4"]["error"])
    assert not list((tmp_path / "out").glob("clip0.labels*"))
    if engine is not Removing:
        assert label_archive(archive).exit_status == 0, "and the next run takes it as it is then"


class WhileReading(InProcess):
    """Something happens to a file after it was opened; a second run finds it as it then is."""

    def submit(self, unit: Unit, target: Path) -> None:
        opened = UnitLabeller._open

        def open_(labeller: UnitLabeller, path: Path, part: Part = WHOLE) -> Source:
            source = opened(labeller, path, part)
            if path.name == "clip0.mp4":
                self.change(path)
            return source

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(UnitLabeller, "_open", open_)
            super().submit(unit, target)

    def change(self, path: Path) -> None:
        """Append to it."""
        with path.open("ab") as file:
            file.write(b"more")


class Overwriting(WhileReading):
    def change(self, path: Path) -> None:
        """Another video under its name, in the same file: some pictures are of the one, some of the other."""
        other = make_video(path.with_name("other.mp4"), frames=24, first_number=5000)
        path.write_bytes(other.read_bytes())
        other.unlink()


class Replacing(WhileReading):
    def change(self, path: Path) -> None:
        """Another video takes its name; whoever has it open still reads the first."""
        other = make_video(path.with_name("other.mp4"), frames=24, first_number=5000)
        os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
        other.replace(path)


@pytest.mark.parametrize("engine", [WhileReading, Overwriting, Replacing])
def test_a_source_that_changes_while_it_is_read(
    tmp_path: Path, label_archive: Runner, engine: type[WhileReading]
) -> None:
    """No label of either content is kept under the name of the other."""
    archive = make_archive(tmp_path / "in", clips=2)
    report = label_archive(archive, engine_factory=engine)
    assert report.exit_status == 1
    rows = manifest(tmp_path / "out")
    assert {name: row["status"] for name, row in rows.items()} == {
        "clip0.mp4": "failed",
        "cam/clip1.mp4": "complete",
    }
    error = str(rows["clip0.mp4"]["error"])
    assert "changed since the run was planned; run again when it is complete" in error
    assert str(archive / "clip0.mp4") in error
    assert len(list((tmp_path / "out/.vidinfer/units").rglob("*.parquet"))) == 1, "that of the other clip"
    assert label_archive(archive).exit_status == 0
    label_archive(archive, out=tmp_path / "whole")
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


class Linking(Meddling):
    """As a backup does it: another name, other rights; the content stays as it is."""

    def meddle(self, path: Path) -> None:
        backup = next(folder for folder in path.parents if folder.name == "in").with_name("backup")
        backup.mkdir(exist_ok=True)
        for file in path.iterdir() if path.is_dir() else [path]:
            (backup / file.name).hardlink_to(file)
            file.chmod(0o640)


def test_a_source_that_is_linked_or_gets_other_rights_is_still_the_same(
    tmp_path: Path, label_archive: Runner
) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    draw(archive / "frames", *((f"{i:03}.png", i) for i in range(3)))
    report = label_archive(archive, engine_factory=Linking)
    assert [source.error for source in report.sources] == [None] * 3
    assert report.exit_status == 0
    assert len(list((tmp_path / "backup").iterdir())) == 5


def big(path: Path) -> Path:
    """More than is read wholly, nearly all of it pictures without compression."""
    return make_video(path, frames=80, size=(320, 240), codec="rawvideo", gop=1)


@pytest.mark.parametrize("mode", ["auto", "full"])
def test_a_large_file_that_is_patched_between_runs(tmp_path: Path, label_archive: Runner, mode: str) -> None:
    """Where every byte counts, size and date do not: one pixel is enough, and a new name changes nothing."""
    clip = big(tmp_path / "in.avi")
    assert clip.stat().st_size > fingerprint_module.SMALL
    label_archive(clip, fingerprint=mode)
    then = clip.stat()
    spans = fingerprint_module._edges_and_pieces(then.st_size)
    at = spans[1][0] + spans[1][1] + 1000  # where pieces leave a gap
    with clip.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 255]))
    put_back_times(clip, then)
    renamed = clip.rename(tmp_path / "renamed.avi")
    seen = Seen()
    label_archive(renamed, fingerprint=mode, observer=seen)
    assert seen.todo == (1 if mode == "full" else 0)
    again = Seen()
    label_archive(renamed.rename(tmp_path / "once more.avi"), fingerprint=mode, observer=again)
    assert again.todo == 0
