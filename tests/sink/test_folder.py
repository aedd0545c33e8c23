"""Folders, complete or absent, tried on real folders and real processes."""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.sink.cases import FLOWER, SOURCE, flow, windowed_batches
from tests.sink.test_atomic import child as child_of_atomic
from vidinfer.errors import SinkError
from vidinfer.sink import FlowFileSink
from vidinfer.sink.atomic import PartialFile
from vidinfer.sink.folder import PartialFolder

HERE = "from tests.sink.test_folder import *; "


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_commit_gives_the_name_and_abort_takes_the_folder_away(tmp_path: Path) -> None:
    kept, dropped = PartialFolder(tmp_path / "new" / "kept"), PartialFolder(tmp_path / "new" / "dropped")
    for folder in (kept, dropped):
        folder.write("a", b"content")
        assert folder.path.name.startswith(f".{folder.final.name}.")
    assert not kept.final.exists()
    kept.commit()
    dropped.abort()
    kept.abort()
    dropped.commit()
    dropped.abort()
    assert tree(tmp_path) == {"new/kept/a": b"content"}
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["kept"]


def test_a_folder_that_exists_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    final = tmp_path / "a"
    final.mkdir()
    (final / "precious").write_bytes(b"old")
    with pytest.raises(SinkError, match="exists; give --overwrite"):
        PartialFolder(final)
    PartialFolder(final, overwrite=True).abort()
    assert tree(tmp_path) == {"a/precious": b"old"}
    folder = PartialFolder(final, overwrite=True)
    folder.write("new", b"new")
    assert tree(final) == {"precious": b"old"}
    folder.commit()
    assert tree(tmp_path) == {"a/new": b"new"}
    assert list(tmp_path.iterdir()) == [final]


def test_a_folder_that_appears_during_the_run_is_kept(tmp_path: Path) -> None:
    folder = PartialFolder(tmp_path / "a")
    (tmp_path / "a").mkdir()
    with pytest.raises(SinkError, match="exists"):
        folder.commit()
    folder.abort()
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


@pytest.mark.parametrize("name", ["file", "file/a"])
def test_places_where_no_folder_can_be(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="a part of the path is a file, not a folder"):
        PartialFolder(tmp_path / name, overwrite=True)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize("length", [1, 236, 255])
def test_long_names(tmp_path: Path, length: int) -> None:
    PartialFolder(tmp_path / ("n" * length)).commit()
    assert (tmp_path / ("n" * length)).is_dir()


def test_leftovers_of_a_killed_run_go_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    code = HERE + (
        "f = PartialFolder(Path('a.flow')); f.write('x', b'half'); print('ready', flush=True); input()"
    )
    with child_of_atomic(code, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (living,) = tmp_path.iterdir()
        PartialFolder(tmp_path / "a.flow").abort()
        PartialFolder(tmp_path / "a").abort()  # whose name begins alike
        PartialFile(tmp_path / "a.flow").abort()
        assert tree(living) == {"x": b"half"}
        process.send_signal(signal.SIGKILL)
    PartialFolder(tmp_path / "a").abort()
    assert living.exists()
    PartialFolder(tmp_path / "a.flow").commit()
    assert [p.name for p in tmp_path.iterdir()] == ["a.flow"]


def fill_the_disk() -> None:
    """Write vectors until the system refuses; print the error. Runs in a child process."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    sink = FlowFileSink(Path("a.flow"))
    sink.open(SOURCE, FLOWER)
    try:
        sink.write(windowed_batches(flow(2))[0])
    except SinkError as error:
        print(json.dumps(str(error)))
    sink.abort()


def test_a_full_disk_is_told_and_nothing_stays(tmp_path: Path) -> None:
    with child_of_atomic(HERE + "fill_the_disk()", tmp_path) as process:
        out, _ = process.communicate()
    assert json.loads(out) == (
        "cannot write a.flow/000001.flo: the file is larger than this system allows (ulimit -f); choose another --out"
    )
    assert list(tmp_path.iterdir()) == []


def give_up_rights_and_open() -> None:
    """Make a folder in one of somebody else. Runs in a child process."""
    if os.geteuid() == 0:
        os.setuid(65534)
    try:
        PartialFolder(Path("a"))
    except SinkError as error:
        print(json.dumps(str(error)))


def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with child_of_atomic(HERE + "give_up_rights_and_open()", tmp_path) as process:
        out, _ = process.communicate()
    assert json.loads(out) == (
        "cannot create a: no permission; choose another --out or change the rights of its folder"
    )
    tmp_path.chmod(0o755)


def test_the_lock_outlives_many_files_and_ends_with_the_run(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    folder = PartialFolder(tmp_path / "a")
    for index in range(300):
        folder.write(f"{index}", np.arange(index, dtype=np.uint8).tobytes())
    folder.commit()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert len(tree(tmp_path / "a")) == 300
