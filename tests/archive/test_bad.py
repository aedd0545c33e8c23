"""Archive runs when things go wrong around them: disks, files that change, clocks, signals. As commands, mostly."""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.archive.conftest import InProcess, Runner, make_archive, outputs
from tests.archive.test_kill import OPTIONS
from tests.archive.test_run import Seen, manifest
from tests.media import make_video
from vidinfer.archive.engine import Event
from vidinfer.archive.inspect import inspect
from vidinfer.errors import ModelUnavailable, SinkError

ROOT = os.geteuid() == 0
PATIENTLY = ("--model", "tests.archive.models:patient", "--max-batch-size", "1")
"""0.2 s a frame, however fast the machine."""


def start(archive: Path, out: Path, *more: str, limit: int | None = None) -> subprocess.Popen[str]:
    """The command; ``limit``: the most bytes any of its files may have, as on a disk that is full."""

    def restrict() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write then fails

    options = [text for pair in OPTIONS.items() for text in pair]
    return subprocess.Popen(
        [sys.executable, "-m", "vidinfer", archive, "--out", out, *options, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=restrict,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and what it said; it must not hang, nor show a traceback."""
    try:
        _, errors = process.communicate(timeout=150)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert "Traceback" not in errors, errors
    return process.returncode, errors


def children(parent: int) -> list[int]:
    """Processes that ``parent`` started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def gone(pid: int) -> bool:
    """It has ended, or does within ten seconds."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 10)[0])
    finally:
        os.close(process)


def test_a_disk_that_is_full_half_way(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2, frames=12)
    make_video(archive / "long.mp4", frames=400)
    out = tmp_path / "out"
    status, errors = ended(start(archive, out, "--workers", "1", limit=40_000))
    assert status == 1
    assert "the file is larger than this system allows" in errors
    assert "run again to go on" in errors
    assert not list(out.rglob("long.labels*"))
    status, errors = ended(start(archive, out, "--workers", "1"))
    assert status == 0, errors
    label_archive(archive, labels="jsonl,csv,parquet", out=tmp_path / "whole")
    assert outputs(out) == outputs(tmp_path / "whole")
    assert not list(out.rglob("*.partial"))


SMALL_DISK = """
mount -t tmpfs -o size=64k tmpfs "$OUT" || exit 77
"$@"; echo "full: $?" >&2
mount -o remount,size=64m "$OUT" || exit 77
"$@"; echo "room: $?" >&2
mount -o remount,ro "$OUT" || exit 77
"$@"; echo "read-only: $?" >&2
"$PYTHON" -m vidinfer status "$OUT"; echo "status: $?" >&2
"""
"""Runs in mounts of its own, which end with its processes, whatever ends those."""


@pytest.mark.skipif(not ROOT or shutil.which("unshare") is None, reason="only root may mount a small disk")
def test_a_small_disk(tmp_path: Path) -> None:
    archive, out = make_archive(tmp_path / "in", clips=2, frames=200), tmp_path / "disk"
    out.mkdir()
    options = [text for pair in OPTIONS.items() for text in pair]
    command = [sys.executable, "-m", "vidinfer", archive, "--out", out, *options, "--workers", "1"]
    process = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", SMALL_DISK, "sh", *command],
        env={**os.environ, "OUT": str(out), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=200,
    )
    said = process.stderr
    if process.returncode == 77 or "unshare:" in said:
        pytest.skip(f"no small disk can be mounted here: {said.strip()}")
    assert "Traceback" not in said
    statuses = [
        line for line in said.splitlines() if line.split(":")[0] in ("full", "room", "read-only", "status")
    ]
    assert statuses == ["full: 1", "room: 0", "read-only: 1", "status: 0"], said
    assert "the disk is full" in said
    assert "tried again" not in said, "no file is to blame"
    assert f"--out {out}: {out} is on a read-only file system; choose a folder on another one" in said
    assert "complete" in process.stdout
    assert not out.is_mount()


def test_an_output_folder_that_cannot_be_made(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    out = Path("/proc/vidinfer-out") if ROOT else tmp_path / "locked/out"
    if not ROOT:
        (tmp_path / "locked").mkdir(mode=0o500)
    status, errors = ended(start(archive, out))
    assert status == 1
    assert str(out) in errors
    assert len(errors.splitlines()) == 1


def half_written(folder: Path) -> Iterable[tuple[str, Path]]:
    """What a run that was killed while it made its state folder may have left."""
    for name in ("journal.jsonl", "quarantine.jsonl", "status.json", "choice.json", "lock", "format"):
        yield name, folder / name


def test_a_state_folder_that_was_half_made(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    label_archive(archive, out=tmp_path / "whole")
    for name, _ in half_written(Path()):
        out = tmp_path / f"out-{name}"
        (out / ".vidinfer").mkdir(parents=True)
        (out / ".vidinfer" / name).write_text("" if name in ("lock", "format") else '{"unit": "x", "tr')
        assert label_archive(archive, out=out).exit_status == 0, name
        assert outputs(out) == outputs(tmp_path / "whole"), name


def test_lines_of_the_journal_that_make_no_sense(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    label_archive(archive)
    before = outputs(tmp_path / "out")
    for name in ("journal.jsonl", "quarantine.jsonl"):
        with (tmp_path / "out/.vidinfer" / name).open("ab") as file:
            file.write(b'\x00\xff\xfe\n[1]\n{"unit": 3}\n{"try": [1]}\n{"released": {}}\nnull\n{"failed"')
    seen = Seen()
    assert label_archive(archive, observer=seen).exit_status == 0
    assert seen.todo == 0
    assert outputs(tmp_path / "out") == before


def test_a_clock_that_was_set_back(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    label_archive(archive)
    before = outputs(tmp_path / "out")
    for path in [*archive.rglob("*.mp4"), *(tmp_path / "out").rglob("*")]:
        os.utime(path, (2**33, 2**33))  # the year 2242
    seen = Seen()
    assert label_archive(archive, observer=seen).exit_status == 0
    assert seen.todo == 0
    assert outputs(tmp_path / "out") == before


def test_files_of_others_among_the_labels_stay(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    mine = [
        tmp_path / "out" / name
        for name in ("notes.txt", "cam/clip1.labels.txt", ".hidden", ".clip0.x.partial")
    ]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    assert label_archive(archive).exit_status == 0
    assert label_archive(archive, top_k=2).exit_status == 0
    assert [path.read_text() for path in mine] == ["mine"] * 4


def test_outputs_inside_the_sources(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    for _ in range(2):
        report = label_archive(archive, out=archive / "labels", labels="jsonl,csv,parquet")
        assert len(report.sources) == 2
        assert report.exit_status == 0


class Slow(InProcess):
    """Counts units, and lets the budget end while the first is under way."""

    def wait(self, seconds: float) -> list[Event]:
        import threading

        if self._events:
            threading.Event().wait(0.3)
        return super().wait(seconds)


def test_a_budget_ends_at_the_border_of_a_unit(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=4)
    label_archive(archive, out=tmp_path / "whole")
    report = label_archive(archive, budget="0.2s", engine_factory=Slow)
    assert report.exit_status == 130
    statuses = [row["status"] for row in manifest(tmp_path / "out").values()]
    assert sorted(statuses) == ["complete", "interrupted", "interrupted", "interrupted"]
    assert len(list((tmp_path / "out/.vidinfer/units").rglob("*.parquet"))) == 1
    assert label_archive(archive).exit_status == 0
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def under_way(process: subprocess.Popen[str], out: Path) -> None:
    """Wait until a worker gets on with a unit."""
    assert process.stderr is not None
    for line in process.stderr:
        event = json.loads(line)
        if event["event"] == "archive" and any(one["decoded"] for one in event["workers"]):
            return
    raise AssertionError("it ended")


def test_ctrl_c_once_finishes_what_is_under_way(tmp_path: Path) -> None:
    archive = tmp_path / "in"
    archive.mkdir()
    for i in range(4):
        make_video(archive / f"clip{i}.mp4", frames=40, size=(64, 48), first_number=i)
    process = start(archive, tmp_path / "out", "--workers", "1", "--log-json", *PATIENTLY)
    under_way(process, tmp_path / "out")
    workers = children(process.pid)
    process.send_signal(signal.SIGINT)
    status, errors = ended(process)
    assert status == 130, errors
    rows = manifest(tmp_path / "out")
    statuses = sorted(str(row["status"]) for row in rows.values())
    assert statuses.count("complete") in (1, 2), "that which was under way, and perhaps one before it"
    assert statuses.count("interrupted") == 4 - statuses.count("complete")
    assert workers
    assert all(map(gone, workers))
    looked = subprocess.run(
        [sys.executable, "-m", "vidinfer", "status", tmp_path / "out"], capture_output=True, text=True
    )
    assert looked.returncode == 1
    assert "interrupted" in looked.stdout


def test_ctrl_c_twice_gives_up_at_once(tmp_path: Path) -> None:
    archive = tmp_path / "in"
    archive.mkdir()
    make_video(archive / "clip.mp4", frames=400, size=(64, 48), draw=_grey)
    process = start(archive, tmp_path / "out", "--workers", "1", "--log-json", *PATIENTLY)
    under_way(process, tmp_path / "out")
    workers = children(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line)["event"] == "stopping":
            break
    process.send_signal(signal.SIGINT)
    status, errors = ended(process)
    assert status == 130, errors
    assert {row["status"] for row in manifest(tmp_path / "out").values()} == {"interrupted"}
    assert workers
    assert all(map(gone, workers))
    assert not list((tmp_path / "out/.vidinfer/units").rglob("*.parquet"))


def _grey(number: int, width: int, height: int) -> object:
    import numpy as np

    return np.full((height, width, 3), number % 200, np.uint8)


def test_a_run_whose_state_cannot_be_written_says_so(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    label_archive(archive)
    shutil.rmtree(tmp_path / "out/.vidinfer/units")
    (tmp_path / "out/.vidinfer/units").write_text("")
    with pytest.raises(SinkError, match=r"units|\.vidinfer"):
        label_archive(archive)


@pytest.mark.parametrize("kills", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_a_worker_that_is_killed_while_it_loads_the_model(
    tmp_path: Path, label_archive: Runner, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    """Another one is started, so that a kernel short of memory does not end a night; not for ever, though."""
    archive = make_archive(tmp_path / "in", clips=1, frames=4)
    left = tmp_path / "kills"
    left.write_bytes(bytes(kills))
    options = {"model": "tests.archive.models:late", "processes": True}
    with monkeypatch.context() as patch:
        patch.setenv("VIDINFER_TEST_KILLS", str(left))
        if kills < 3:
            assert label_archive(archive, **options).exit_status == 0
        else:
            with pytest.raises(ModelUnavailable, match=r"3 worker .* the model was loaded: crashed: SIGKILL"):
                label_archive(archive, **options)
    assert left.read_bytes() == b""


NESTED = b"[" * 100_000


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("journal.jsonl", NESTED + b"\n"),
        ("journal.jsonl", b'{"try": ["a"]}\n{"failed": {}}\n{"done": null}\n7\n'),
        ("quarantine.jsonl", NESTED + b'\n{"released": ["a"]}\n{"unit": 5}\n'),
        ("whole.json", b"[1]"),
        ("status.json", NESTED),
        ("../clip0.run.json", NESTED),
    ],
)
def test_what_was_written_over_the_state_is_noticed_or_of_no_matter(
    tmp_path: Path, label_archive: Runner, name: str, data: bytes
) -> None:
    archive, out = make_archive(tmp_path / "in", clips=1, frames=4), tmp_path / "out"
    label_archive(archive)
    before, path = outputs(out), out / ".vidinfer" / name
    path.write_bytes(data)
    assert inspect(out).exit_status == int(name == "status.json")  # which says how it ended
    assert label_archive(archive).exit_status == 0
    assert outputs(out) == before


@pytest.mark.parametrize("name", ["journal.jsonl", "quarantine.jsonl", "format"])
def test_a_folder_in_the_place_of_a_state_file_is_told(
    tmp_path: Path, label_archive: Runner, name: str
) -> None:
    archive = make_archive(tmp_path / "in", clips=1, frames=4)
    path = tmp_path / "out/.vidinfer" / name
    path.mkdir(parents=True)
    with pytest.raises(SinkError, match=f"cannot read .*{name}: a folder has that name"):
        label_archive(archive)
