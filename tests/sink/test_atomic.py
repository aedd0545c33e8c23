"""Complete or absent: what becomes of files when things go wrong, tried on real files and real processes."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from tests.sink.cases import DETECTOR, FORMATS, SOURCE, mixed_batches, objects
from vidinfer.errors import SinkError
from vidinfer.sink import label_sink, withdraw_report, write_report
from vidinfer.sink.atomic import PartialFile
from vidinfer.sink.jsonl import JsonLinesWriter
from vidinfer.sink.labels import LabelStreamSink


def test_commit_gives_the_name_and_abort_takes_the_file_away(tmp_path: Path) -> None:
    kept, dropped = PartialFile(tmp_path / "kept"), PartialFile(tmp_path / "dropped")
    for file in (kept, dropped):
        file.write(b"content")
        assert file.path.name.startswith(f".{file.final.name}.")
    kept.commit()
    dropped.abort()
    kept.abort()
    dropped.commit()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"kept": b"content"}


def test_a_library_may_write_to_the_path(tmp_path: Path) -> None:
    file = PartialFile(tmp_path / "a")
    file.path.write_bytes(b"by somebody else")
    file.commit()
    assert (tmp_path / "a").read_bytes() == b"by somebody else"


@pytest.mark.parametrize("length", [1, 200, 236, 255])
def test_long_names(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("n" * length)
    file = PartialFile(path)
    file.commit()
    assert path.exists()


def test_a_name_that_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="the name is too long"):
        PartialFile(tmp_path / ("n" * 256))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [("file/a", "a part of the path is a file, not a folder"), ("folder", "a folder has that name")],
)
def test_places_where_no_file_can_be(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(SinkError, match=message) as caught:
        PartialFile(tmp_path / name, overwrite=True)
    assert str(tmp_path / name) in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def child(code: str, folder: Path) -> subprocess.Popen[str]:
    """A Python process in ``folder``, with the root of the repository importable."""
    prelude = "import os, sys; from tests.sink.test_atomic import *; os.chdir(sys.argv[1]); "
    return subprocess.Popen(
        [sys.executable, "-c", prelude + code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def test_leftovers_of_a_killed_run_go_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    code = "f = PartialFile(Path('a.csv')); f.write(b'half'); f.flush(); print('ready', flush=True); input()"
    with child(code, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (living,) = tmp_path.iterdir()
        PartialFile(tmp_path / "a.csv").abort()
        PartialFile(tmp_path / "a").abort()  # whose name begins alike
        assert living.read_bytes() == b"half"
        process.send_signal(signal.SIGKILL)
    assert living.exists()
    assert not (tmp_path / "a.csv").exists()
    PartialFile(tmp_path / "a").abort()
    assert living.exists()
    PartialFile(tmp_path / "a.csv").commit()
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def fill_the_disk(name: str, limit: int) -> None:
    """Write labels until the system refuses; print the error. Runs in a child process."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sink = label_sink(name, Path("a"))
    sink.open(SOURCE, DETECTOR)
    try:
        for seed in range(400):
            sink.write(mixed_batches(objects([200] * 8, seed=seed))[0])
        sink.close()
    except SinkError as error:
        print(json.dumps(str(error)))
    sink.abort()


@pytest.mark.parametrize("limit", [0, 3_000_000])
@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_is_told_and_nothing_stays(tmp_path: Path, name: str, limit: int) -> None:
    with child(f"fill_the_disk({name!r}, {limit})", tmp_path) as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    assert json.loads(out) == (
        "cannot write a: the file is larger than this system allows (ulimit -f); choose another --out"
    )
    assert list(tmp_path.iterdir()) == []


def give_up_rights_and_write() -> None:
    """Write labels into a folder of somebody else. Runs in a child process."""
    if os.geteuid() == 0:
        os.setuid(65534)
    try:
        label_sink("jsonl", Path("a")).open(SOURCE, DETECTOR)
    except SinkError as error:
        print(json.dumps(str(error)))


def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with child("give_up_rights_and_write()", tmp_path) as process:
        out, _ = process.communicate()
    assert json.loads(out) == (
        "cannot create a: no permission; choose another --out or change the rights of its folder"
    )
    tmp_path.chmod(0o755)


def test_a_stream_onto_a_full_device_is_told() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        sink = LabelStreamSink("jsonl", JsonLinesWriter, stream=full)  # type: ignore[arg-type]
        sink.open(SOURCE, DETECTOR)
        with pytest.raises(SinkError, match="cannot write standard output: the disk is full"):
            sink.write(mixed_batches(objects([1]))[0])
        sink.abort()


def test_a_reader_that_goes_away_is_told_once_and_is_no_fault() -> None:
    reading, writing = os.pipe()
    calls: list[str] = []
    with os.fdopen(writing, "wb", buffering=0) as stream:
        sink = LabelStreamSink(
            "jsonl",
            JsonLinesWriter,
            stream=stream,
            on_reader_gone=lambda: calls.append("gone"),  # type: ignore[arg-type]
        )
        sink.open(SOURCE, DETECTOR)
        batch = mixed_batches(objects([1]))[0]
        sink.write(batch)
        lines = os.read(reading, 1 << 16).splitlines()
        assert [json.loads(line)["outcome"] for line in lines] == ["labelled", "corrupt", "gap"]
        os.close(reading)
        sink.write(batch)
        sink.write(batch)
        sink.close()
        assert calls == ["gone"]
        assert sink.facts() == {"format": "jsonl", "records": 3, "findings": 1, "reader_gone": True}


def test_the_report_is_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "a.run.json"
    document = {
        "rate": Fraction(30000, 1001),
        "path": Path("/x"),
        "share": float("nan"),
        "frames": {"decoded": 3, 4: (1, 2)},
        "name": b"caf\xe9".decode("utf-8", "surrogateescape"),
    }
    write_report(path, document)
    assert json.loads(path.read_text("utf-8")) == {
        "rate": "30000/1001",
        "path": "/x",
        "share": None,
        "frames": {"decoded": 3, "4": [1, 2]},
        "name": "caf\ufffd",
    }
    with pytest.raises(SinkError, match="exists"):
        write_report(path, {})
    write_report(path, {"new": True}, overwrite=True)
    with pytest.raises(SinkError, match=r"cannot replace .*not a folder"):
        withdraw_report(path / "below.run.json")
    assert json.loads(path.read_text()) == {"new": True}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    withdraw_report(path)
    withdraw_report(path)
    assert list(tmp_path.iterdir()) == []
