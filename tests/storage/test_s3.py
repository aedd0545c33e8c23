"""Sources in object storage, against a real S3 server on loopback."""

from __future__ import annotations

import io
import json
import random
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import av
import pytest

from tests.media import make_video, read_number
from tests.storage import s3
from tests.storage.conftest import Put
from vidinfer.archive.fingerprint import fingerprint
from vidinfer.cli.main import main
from vidinfer.config import RunConfig
from vidinfer.errors import Interrupted, SourceError, SourceRefused, SourceUnreachable, UsageError
from vidinfer.frame import Frame
from vidinfer.progress import SilentObserver, StopSignal
from vidinfer.run import run
from vidinfer.source import expand_sources, open_source
from vidinfer.storage import RangeReader, RemoteFile
from vidinfer.storage.reader import BLOCK, KEPT
from vidinfer.storage.remote import ask, filesystem


def names(*specs: str) -> list[str]:
    return [str(file.name) for file in expand_sources(specs).files]


def error_of(spec: str) -> SourceError:
    expanded = expand_sources([spec])
    assert expanded.files == ()
    ((_, error),) = expanded.errors
    assert "\n" not in str(error)
    assert s3.SECRET not in str(error)
    return error


def numbers(url: str) -> list[int]:
    (file,) = expand_sources([url]).files
    source = open_source(file.path, name=str(file.name), threads=1)
    try:
        return [read_number(item.picture.rgb()) for item in source if isinstance(item, Frame)]
    finally:
        source.close()


def test_names_mirror_what_lies_below_the_prefix(put: Put) -> None:
    keys = ("day/a.mp4", "day/cam 1/b#1.mkv", "day/cam 1/notes.txt", "day/.hidden.mp4", "other/c.mp4")
    bucket = put(dict.fromkeys(keys, b"x"))
    assert names(f"s3://{bucket}/day/") == ["a.mp4", "cam 1/b#1.mkv"]
    assert names(f"s3://{bucket}/day") == ["a.mp4", "cam 1/b#1.mkv"]
    assert names(f"s3://{bucket}/") == ["day/a.mp4", "day/cam 1/b#1.mkv", "other/c.mp4"]
    assert names(f"s3://{bucket}/*/*.mp4") == ["day/a.mp4", "other/c.mp4"]
    assert names(f"s3://{bucket}/**/*.mkv") == ["day/cam 1/b#1.mkv"]
    assert names(f"s3://{bucket}/day/cam 1/notes.txt") == ["notes.txt"]
    assert names(f"s3://{bucket}/day/a.mp4", f"s3://{bucket}/other/c.mp4", f"s3://{bucket}/day/a.mp4") == [
        "a.mp4",
        "c.mp4",
    ]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts", "clip.avi"])
def test_each_frame_as_from_a_file(put: Put, tmp_path: Path, name: str) -> None:
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    clip = make_video(tmp_path / name, frames=40, codec=codec)
    bucket = put({name: clip.read_bytes()})
    assert numbers(f"s3://{bucket}/{name}") == list(range(40))


def test_a_list_may_name_objects(put: Put, tmp_path: Path) -> None:
    bucket = put({"a.mp4": b"x", "sub/b.mp4": b"x"})
    (tmp_path / "list.txt").write_text(f"s3://{bucket}/a.mp4\ns3://{bucket}/sub/\n")
    assert names(f"@{tmp_path}/list.txt") == ["a.mp4", "b.mp4"]


def test_reading_anywhere_is_right_and_memory_is_bounded(put: Put) -> None:
    data = random.Random(1).randbytes(KEPT * BLOCK + 5 * BLOCK + 123)
    bucket = put({"big.bin": data})
    file = RemoteFile(f"s3://{bucket}/big.bin")
    chance = random.Random(2)
    with file.open() as reader:
        assert isinstance(reader, RangeReader)
        for _ in range(25):
            at, size = chance.randrange(len(data) + 10), chance.choice([1, 100, BLOCK, 3 * BLOCK])
            reader.seek(at)
            assert reader.read(size) == data[at : at + size]
            assert len(reader._blocks) <= KEPT
        reader.seek(-7, io.SEEK_END)
        assert reader.read() == data[-7:]
        assert reader.read() == b""


def test_reading_on_fetches_each_byte_once(put: Put) -> None:
    data = random.Random(3).randbytes(40 * BLOCK + 1)
    bucket = put({"big.bin": data})
    with RemoteFile(f"s3://{bucket}/big.bin").open() as reader:
        got = b"".join(iter(lambda: reader.read(32768), b""))
        assert got == data
        assert reader.fetched == len(data)


def test_a_look_at_the_head_does_not_fetch_the_rest(put: Put) -> None:
    bucket = put({"big.bin": bytes(8_000_000)})
    with RemoteFile(f"s3://{bucket}/big.bin").open() as reader:
        reader.read(1000)
        assert reader.fetched <= 2 * BLOCK


def test_what_is_overwritten_while_it_is_read_is_not_mixed(put: Put) -> None:
    bucket = put({"big.bin": bytes(10 * BLOCK)})
    with RemoteFile(f"s3://{bucket}/big.bin").open() as reader:
        reader.read(10)
        put({"big.bin": b"\1" * (10 * BLOCK)})
        reader.seek(8 * BLOCK)
        with pytest.raises(SourceError, match="changed while it was read"):
            reader.read(10)


def test_a_vanished_object_is_one_line(put: Put, store: Any, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=5)
    bucket = put({"clip.mp4": clip.read_bytes()})
    (file,) = expand_sources([f"s3://{bucket}/clip.mp4"]).files
    store.rm(f"{bucket}/clip.mp4")
    with pytest.raises(SourceError, match=r"clip\.mp4: no such object") as caught:
        open_source(file.path, name="clip.mp4", threads=1)
    assert "\n" not in str(caught.value)


def test_what_is_not_there(put: Put) -> None:
    bucket = put({"a.txt": b"x"})
    assert "no media object below it" in str(error_of(f"s3://{bucket}/gone.mp4"))
    assert "no media object below it" in str(error_of(f"s3://{bucket}/"))
    assert "no media object matches" in str(error_of(f"s3://{bucket}/*.mp4"))
    assert "no such bucket" in str(error_of("s3://nobody-has-this-bucket/x/"))
    assert "no bucket" in str(error_of("s3://"))


def test_an_empty_object_and_text(put: Put) -> None:
    bucket = put({"empty.mp4": b"", "text.mp4": b"this is no video"})
    for key, says in (("empty.mp4", "empty"), ("text.mp4", "not media")):
        (file,) = expand_sources([f"s3://{bucket}/{key}"]).files
        with pytest.raises(SourceError, match=says):
            open_source(file.path, name=key, threads=1)


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (400, "ExpiredToken", "have expired"),
        (403, "InvalidAccessKeyId", "access key is not known"),
        (403, "SignatureDoesNotMatch", "secret key does not belong"),
        (403, "AccessDenied", "access denied"),
        (404, "NoSuchBucket", "no such bucket"),
        (400, "SomethingNew", "SomethingNew"),
    ],
)
def test_refusals_say_what_to_do_and_no_secret(status: int, code: str, says: str) -> None:
    with s3.answering(status, code) as endpoint, s3.using(endpoint):
        error = error_of("s3://bucket/prefix/")
    assert says in str(error)
    assert isinstance(error, SourceRefused) or code == "SomethingNew"


def test_no_credentials() -> None:
    with s3.using("http://127.0.0.1:9", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None):
        assert "no credentials found" in str(error_of("s3://bucket/prefix/"))


def test_nobody_there() -> None:
    with s3.silent() as endpoint:
        pass  # closed again: its port refuses connections
    with s3.using(endpoint):
        error = error_of("s3://bucket/prefix/")
    assert isinstance(error, SourceUnreachable)
    assert "does not answer" in str(error)


def test_a_store_that_says_nothing_is_not_waited_for_for_ever() -> None:
    with s3.silent() as endpoint, s3.using(endpoint):
        fs, path = filesystem("s3://bucket/key")
        with pytest.raises(SourceUnreachable, match=r"no answer within 0\.4 s"):
            ask("s3://bucket/key", fs, "info", path, longest=0.4)
        with pytest.raises(Interrupted):
            ask("s3://bucket/key", fs, "info", path, stopped=lambda: True)


def test_a_store_that_stalls_in_the_midst_does_not_hold_up_a_stop(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.avi", frames=150, size=(320, 240), codec="rawvideo")
    with s3.server() as (endpoint, process), s3.using(endpoint):
        store: Any = s3.client(endpoint)
        store.mkdir("bucket")
        store.pipe("bucket/clip.avi", clip.read_bytes())
        (file,) = expand_sources(["s3://bucket/clip.avi"]).files
        source = open_source(file.path, name="clip.avi", threads=1)
        process.send_signal(signal.SIGSTOP)
        stop = threading.Timer(0.7, source.interrupt)
        stop.start()
        try:
            items = list(source)
        finally:
            stop.join()
            source.close()
    assert len(items) < 150
    assert all(isinstance(item, Frame) for item in items)


@pytest.mark.parametrize(("scheme", "package"), [("gs", "gcsfs"), ("az", "adlfs")])
def test_a_store_whose_package_is_missing(scheme: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf"needs the package {package}; pip install 'vidinfer\[cloud\]'"):
        expand_sources([f"{scheme}://bucket/x/"])


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        expand_sources([f"s3://user:{s3.SECRET}@bucket/a.mp4"])
    assert s3.SECRET not in str(caught.value)


def test_memory_is_a_store_too() -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/videos/x/a.mp4", b"12345")
    try:
        (file,) = expand_sources(["memory://videos/"]).files
        assert str(file.name) == "x/a.mp4"
        assert isinstance(file.path, RemoteFile)
        with file.path.open() as reader:
            assert reader.read() == b"12345"
    finally:
        memory.store.clear()


def test_a_whole_run_and_a_plan_over_a_bucket(
    put: Put, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=20, audio="aac")
    whole = clip.read_bytes()
    bucket = put({"day/cam/a.mp4": whole, "day/same.mp4": whole, "day/cut.mp4": whole[: len(whole) // 2]})
    config = RunConfig(
        sources=(f"s3://{bucket}/day/",),
        model="demo",
        backend="eager",
        precision="fp32",
        out=tmp_path / "out",
        video=True,
    )
    report = run(config, observer=SilentObserver(), stop=StopSignal())
    statuses = {one.source: one.status for one in report.sources}
    assert statuses == {"cam/a.mp4": "complete", "same.mp4": "complete", "cut.mp4": "failed"}
    lines = (tmp_path / "out" / "cam" / "a.labels.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == list(range(20))
    with av.open(str(tmp_path / "out" / "cam" / "a.annotated.mp4")) as video:
        assert [stream.type for stream in video.streams] == ["video", "audio"]
    assert main(["plan", f"s3://{bucket}/day/", "--no-sample", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert {kind: one["files"] for kind, one in told["kinds"].items() if one["files"]} == {
        "video": 1,
        "duplicate": 1,
        "broken": 1,
    }


def test_the_fingerprint_of_an_object(put: Put) -> None:
    data = random.Random(9).randbytes(3 * 2**20)
    bucket = put({"a.bin": data, "b.bin": data})
    first = fingerprint(f"s3://{bucket}/a.bin")
    assert (first.mode, first.size) == ("object", len(data))
    assert first == fingerprint(f"s3://{bucket}/b.bin")
    put({"b.bin": data[:-1] + b"\0"})
    assert first != fingerprint(f"s3://{bucket}/b.bin")
