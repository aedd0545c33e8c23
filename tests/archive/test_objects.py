"""Archive runs over objects in a store, against a real S3 server that can be made to fail in the midst."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.archive.conftest import InProcess, Runner, make_archive, outputs
from tests.archive.test_kill import OPTIONS, wait_for_commits
from tests.archive.test_run import Seen, manifest
from tests.media import make_video
from tests.source.test_part import noise
from tests.storage import s3
from vidinfer.archive.engine import Engine, EngineFactory
from vidinfer.archive.local import local_engine
from vidinfer.archive.look import look_over
from vidinfer.archive.planning import KnownFile
from vidinfer.archive.stores import SILENT
from vidinfer.archive.survey import survey
from vidinfer.archive.unit import Unit
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.errors import Interrupted, SourceError
from vidinfer.source import expand_sources
from vidinfer.storage import RemoteFile
from vidinfer.storage.remote import ask

BLOCK = 1 << 20
EXPIRED = b'<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>no longer</Message></Error>'


class Door:
    """In front of a store: lets everything through, until it is told to fail once ``big.avi`` is read in its midst."""

    def __init__(self, store: str) -> None:
        self.store = store.removeprefix("http://")
        self.armed: str | None = None
        """How it will fail: ``expired``, ``hung up`` or ``silent``."""
        self.failing: str | None = None
        self.over = threading.Event()
        self.company: threading.Barrier | None = None
        """Requests for the state of an object are let through so many at a time, and not before."""
        self.silenced = threading.Semaphore(0)
        """Raised by one for each request that is not answered."""

    def way(self, path: str, range_: str) -> str | None:
        """How this request fails; ``None``: it does not."""
        first = int(range_.removeprefix("bytes=").partition("-")[0] or 0) if range_ else 0
        if self.armed and path.endswith("big.avi") and BLOCK < first < 4 * BLOCK:
            self.failing = self.armed
        return self.failing


def handler_of(door: Door) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            way = door.way(self.path, self.headers.get("Range", ""))
            if way is None:
                if door.company is not None and self.command == "HEAD":
                    door.company.wait(60)
                return self._through()
            if way == "silent":
                door.silenced.release()
                door.over.wait()
            elif way == "expired":
                self.send_response(400)
                self.send_header("Content-Length", str(len(EXPIRED)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(EXPIRED)
                return None
            self.close_connection = True
            return None

        do_HEAD = do_GET

        def _through(self) -> None:
            behind = http.client.HTTPConnection(door.store)
            try:
                behind.request(self.command, self.path, headers=dict(self.headers))
                answer = behind.getresponse()
                body = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                        self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):  # whoever asked has called it off
                    self.wfile.write(body)
            finally:
                behind.close()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with s3.server() as (endpoint, _), s3.using(endpoint):
        yield endpoint


@pytest.fixture
def door(store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """The environment leads to it."""
    door = Door(store)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(door)) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            with s3.using(f"http://127.0.0.1:{server.server_port}"):
                yield door
        finally:
            door.over.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def bucket(door: Door, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """``big.avi`` of 11 MB, read first, as most is to do in it, and two small files."""
    name = "b" + "".join(c for c in request.node.name.lower() if c.isalnum())[-50:]
    client: Any = s3.client(f"http://{door.store}")
    client.mkdir(name)
    big = make_video(tmp_path / "big.avi", frames=100, size=(320, 240), codec="rawvideo")
    client.pipe(f"{name}/day/big.avi", big.read_bytes())
    for i, key in enumerate(("cam 1/a.mp4", "b#1.mkv")):
        clip = make_video(tmp_path / Path(key).name, frames=20, first_number=200 + i)
        client.pipe(f"{name}/day/{key}", clip.read_bytes())
    return name


def arming(door: Door, how: str, usual: EngineFactory) -> EngineFactory:
    """Fails once labelling has begun: what comes before reads in the midst of files, too."""

    def make(config: RunConfig, fallback: RunConfig | None, *, logs: Path, clock: Clock) -> Engine:
        engine = usual(config, fallback, logs=logs, clock=clock)
        submit = engine.submit

        def armed(unit: Unit, target: Path) -> None:
            door.armed = how
            submit(unit, target)

        engine.submit = armed  # type: ignore[method-assign]
        return engine

    return make


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is all that a store gets in this process, not a minute."""
    monkeypatch.setattr("vidinfer.storage.reader.LONGEST", 1.0)
    monkeypatch.setitem(ask.__kwdefaults__, "longest", 1.0)


def statuses(out: Path) -> dict[str, object]:
    return {name: row["status"] for name, row in manifest(out).items()}


def test_objects_and_files_in_one_run(bucket: str, tmp_path: Path, label_archive: Runner) -> None:
    local = make_archive(tmp_path / "in", clips=2)
    seen = Seen()
    sources = (f"s3://{bucket}/day/", local)
    report = label_archive(*sources, processes=True, observer=seen)
    assert report.exit_status == 0, [one.error for one in report.sources]
    names = {"big.avi", "cam 1/a.mp4", "b#1.mkv", "clip0.mp4", "cam/clip1.mp4"}
    assert statuses(tmp_path / "out") == dict.fromkeys(names, "complete")
    assert manifest(tmp_path / "out")["big.avi"]["decoded"] == 100
    assert manifest(tmp_path / "out")["big.avi"]["path"] == f"s3://{bucket}/day/big.avi"
    before = outputs(tmp_path / "out")
    # What lies in a store is labelled as the file is.
    label_archive(tmp_path / "big.avi", out=tmp_path / "file")
    name = "big.labels.jsonl"
    assert outputs(tmp_path / "file")[name] == before[name]

    seen = Seen()
    assert label_archive(*sources, observer=seen).exit_status == 0
    assert seen.todo == 0
    assert outputs(tmp_path / "out") == before


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("how", "why", "engine"),
    [
        ("expired", "have expired", local_engine),
        ("hung up", "answer", InProcess),
        ("silent", "no answer within 1 s", InProcess),
    ],
)
def test_a_store_that_is_lost_in_the_midst(
    bucket: str, door: Door, tmp_path: Path, label_archive: Runner, how: str, why: str, engine: EngineFactory
) -> None:
    """Its objects fail with the reason, files go on, nothing of half an object is kept, and the next run goes on."""
    local = make_archive(tmp_path / "in", clips=2)
    sources = (f"s3://{bucket}/day/", local)
    label_archive(*sources, out=tmp_path / "whole")
    report = label_archive(*sources, engine_factory=arming(door, how, engine))
    assert door.failing == how, "it never came to that"
    assert report.exit_status == 1
    rows = manifest(tmp_path / "out")
    assert rows["big.avi"]["status"] == "failed"
    assert why in str(rows["big.avi"]["error"])
    assert s3.SECRET not in str(rows)
    assert rows["clip0.mp4"]["status"] == rows["cam/clip1.mp4"]["status"] == "complete"
    assert not list((tmp_path / "out").rglob("big.labels*"))

    door.armed = door.failing = None
    seen = Seen()
    report = label_archive(*sources, observer=seen)
    assert report.exit_status == 0, [one.error for one in report.sources]
    failed = [name for name, row in rows.items() if row["status"] == "failed"]
    assert seen.todo == len(failed)
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def test_objects_are_identified_several_at_a_time(bucket: str, door: Door) -> None:
    """Or the door would stay shut."""
    config = RunConfig(sources=(f"s3://{bucket}/day/",))
    files = expand_sources(config.sources).files
    door.company = threading.Barrier(len(files))
    names = [one.name for one in look_over(files, config, lambda: False) if isinstance(one, KnownFile)]
    assert names == ["b#1.mkv", "big.avi", "cam 1/a.mp4"]
    assert not door.company.broken


def test_a_stop_ends_the_wait_for_every_object(
    bucket: str, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of which none would ever end by itself."""
    monkeypatch.setitem(ask.__kwdefaults__, "longest", float("inf"))
    config = RunConfig(sources=(f"s3://{bucket}/day/",))
    files = expand_sources(config.sources).files
    surveyed = survey(files, fingerprints="none")
    monkeypatch.setattr("vidinfer.archive.look.survey", lambda *_, **__: surveyed)
    door.failing = "silent"
    waiting = [0]

    def stopped() -> bool:
        waiting[0] += door.silenced.acquire(blocking=False)
        return waiting[0] >= len(files)

    with pytest.raises(Interrupted):
        list(look_over(files, config, stopped))


@pytest.mark.usefixtures("store")
def test_a_bucket_that_is_not_reached_at_all(tmp_path: Path, label_archive: Runner) -> None:
    local = make_archive(tmp_path / "in", clips=1)
    with s3.silent() as endpoint:
        pass  # closed again: its port refuses connections
    with s3.using(endpoint):
        report = label_archive("s3://bucket/day/", local)
        assert report.exit_status == 1
        assert statuses(tmp_path / "out") == {"s3://bucket/day/": "failed", "clip0.mp4": "complete"}
        assert "does not answer" in str(manifest(tmp_path / "out")["s3://bucket/day/"]["error"])
        with pytest.raises(SourceError, match="does not answer"):
            label_archive("s3://bucket/day/", out=tmp_path / "alone")


@pytest.mark.usefixtures("impatient")
def test_a_silent_store_is_not_waited_for_object_by_object(
    bucket: str, door: Door, tmp_path: Path, label_archive: Runner
) -> None:
    """Three in a row tell; files and other objects do not wait for a minute each."""
    client: Any = s3.client(f"http://{door.store}")
    for i in range(5):
        clip = make_video(tmp_path / f"more{i}.mp4", frames=2, first_number=300 + i)
        client.pipe(f"{bucket}/day/more{i}.mp4", clip.read_bytes())
    local = make_archive(tmp_path / "in", clips=2)
    sources = (f"s3://{bucket}/day/", local)
    asked = []

    class Asking(InProcess):
        def submit(self, unit: Unit, target: Path) -> None:
            if isinstance(unit.path, RemoteFile):
                door.failing = "silent"
                asked.append(unit)
            super().submit(unit, target)

    seen = Seen()
    report = label_archive(*sources, engine_factory=Asking, observer=seen)
    assert report.exit_status == 1
    assert len(asked) == SILENT
    rows = manifest(tmp_path / "out")
    failed = {name for name, row in rows.items() if row["status"] == "failed"}
    assert failed == {"big.avi", "cam 1/a.mp4", "b#1.mkv", *(f"more{i}.mp4" for i in range(5))}
    assert rows["clip0.mp4"]["status"] == rows["cam/clip1.mp4"]["status"] == "complete"
    (told,) = (text for text in seen.warnings if "in a row" in text)
    assert told.startswith(f"s3://{bucket}: no answer 3 times in a row")
    assert sum(row["error"] == told for row in rows.values()) == len(failed) - SILENT

    door.failing = None
    seen = Seen()
    assert label_archive(*sources, observer=seen).exit_status == 0
    assert seen.todo == len(failed)


@pytest.fixture
def long(door: Door, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The address of a clip of 100 frames that is also at ``tmp_path / "in/long.mp4"``."""
    name = "l" + "".join(c for c in request.node.name.lower() if c.isalnum())[-50:]
    client: Any = s3.client(f"http://{door.store}")
    client.mkdir(name)
    (tmp_path / "in").mkdir()
    clip = make_video(tmp_path / "in/long.mp4", frames=100, size=(320, 240), gop=10, b_frames=2, draw=noise)
    assert clip.stat().st_size > 4 * BLOCK
    client.pipe(f"{name}/long.mp4", clip.read_bytes())
    return f"s3://{name}/long.mp4"


@pytest.mark.parametrize(
    "options",
    [{}, {"every": 7}, {"start": Fraction(1), "end": Fraction(3)}, {"fps": Fraction(3), "max_frames": 9}],
)
def test_an_object_is_divided_and_gives_the_labels_of_the_file(
    long: str, tmp_path: Path, label_archive: Runner, options: dict[str, object]
) -> None:
    seen = Seen()
    report = label_archive(
        long, processes=True, workers=2, unit_frames=5 if "fps" in options else 20, observer=seen, **options
    )
    assert report.exit_status == 0, [one.error for one in report.sources]
    assert seen.todo is not None
    assert seen.todo > 1
    label_archive(tmp_path / "in", out=tmp_path / "file", **options)
    name = "long.labels.jsonl"
    assert outputs(tmp_path / "out")[name] == outputs(tmp_path / "file")[name]
    frames = [json.loads((tmp_path / of / "long.run.json").read_text())["frames"] for of in ("out", "file")]
    assert frames[0] == frames[1]

    seen = Seen()
    report = label_archive(long, unit_frames=5 if "fps" in options else 20, observer=seen, **options)
    assert report.exit_status == 0
    assert seen.todo == 0, "its parts are the same ones"


def test_credentials_that_expire_between_two_units_of_an_object(
    long: str, door: Door, tmp_path: Path, label_archive: Runner
) -> None:
    """Nothing is written of half an object; what was committed stays, and the next run labels the rest."""
    label_archive(long, out=tmp_path / "whole", unit_frames=20)
    submitted = []

    class Expiring(InProcess):
        def submit(self, unit: Unit, target: Path) -> None:
            submitted.append(unit)
            if len(submitted) == 3:
                door.failing = "expired"
            super().submit(unit, target)

    report = label_archive(long, engine_factory=Expiring, unit_frames=20)
    assert report.exit_status == 1
    assert len(submitted) == 5
    (row,) = manifest(tmp_path / "out").values()
    assert row["status"] == "failed"
    assert "have expired" in str(row["error"])
    assert not list((tmp_path / "out").rglob("long.labels*"))

    door.failing = None
    seen = Seen()
    assert label_archive(long, observer=seen, unit_frames=20).exit_status == 0
    assert seen.todo == 3
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def test_an_object_in_units_goes_on_after_being_killed(long: str, tmp_path: Path) -> None:
    first = command(long, tmp_path / "out")
    wait_for_commits(first, tmp_path / "out", 2)
    assert first.poll() is None, "it was over too soon"
    first.kill()
    first.communicate()
    kept = {path: path.stat().st_mtime_ns for path in units(tmp_path / "out")}
    assert kept
    for out in ("out", "whole"):
        process = command(long, tmp_path / out)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "labelled again"
    assert len(units(tmp_path / "out")) == 10


def command(source: str, out: Path) -> subprocess.Popen[str]:
    """An archive run with units of ten frames."""
    options = [text for pair in OPTIONS.items() for text in pair]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "vidinfer",
            source,
            "--out",
            out,
            "--workers",
            "1",
            "--unit-frames",
            "10",
            *options,
        ],
        stderr=subprocess.PIPE,
        text=True,
    )


def units(out: Path) -> list[Path]:
    """Committed so far."""
    return sorted((out / ".vidinfer/units").rglob("*.parquet"))
