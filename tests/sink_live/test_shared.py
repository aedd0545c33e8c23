"""Several streams on one standard output, and a reader that stops reading."""

from __future__ import annotations

import fcntl
import json
import os
import select
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.sink_live.cases import CAM, MODEL, arrival, in_a_child, labelled
from vidinfer.errors import SinkError
from vidinfer.sink import SharedStream, label_sink
from vidinfer.sink.labels import LabelStreamSink

LONG = b'{"x":"' + b"x" * 20_000 + b'"}\n'


def never() -> bool:
    return False


@contextmanager
def pipe() -> Iterator[tuple[int, BinaryIO]]:
    """A pipe of the least size there is: what reads, and what writes."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(writing, "wb", buffering=0) as stream:
        try:
            yield reading, stream  # type: ignore[misc] # unbuffered
        finally:
            os.close(reading)


def read_all(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += os.read(descriptor, 1 << 16)
    return data


def drain(descriptor: int) -> bytes:
    """What is in the pipe now."""
    data = b""
    while select.select([descriptor], [], [], 0)[0]:
        data += os.read(descriptor, 1 << 16)
    return data


def stopped_at_once() -> bool:
    return True


def test_lines_of_several_writers_are_whole() -> None:
    lines = [
        b"".join(b'{"writer":%d,"line":%d,"x":"%s"}\n' % (w, i, b"x" * 3000) for i in range(20))
        for w in range(4)
    ]
    with pipe() as (reading, stream), ThreadPoolExecutor(4) as pool:
        shared = SharedStream(stream)
        writing = [pool.submit(shared.write, part, never) for part in lines]
        data = read_all(reading, sum(map(len, lines)))
        for one in writing:
            one.result()
    found = [json.loads(line) for line in data.splitlines()]
    for w in range(4):
        assert [r["line"] for r in found if r["writer"] == w] == list(range(20))


def test_a_line_that_was_cut_is_completed_before_anything_else() -> None:
    with pipe() as (reading, stream):
        shared = SharedStream(stream)
        with pytest.raises(SinkError, match="its reader does not read"):
            shared.write(LONG + b"never\n", stopped_at_once)
        first = drain(reading)
        assert 0 < len(first) < len(LONG)
        with pytest.raises(SinkError):
            shared.write(b"never\n", stopped_at_once)
        middle = drain(reading)
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(shared.write, b"next\n", never)
            rest = read_all(reading, len(LONG) + 5 - len(first) - len(middle))
            writing.result()
    assert first + middle + rest == LONG + b"next\n"


def test_whoever_waits_for_another_writer_can_be_stopped() -> None:
    with pipe() as (reading, stream), ThreadPoolExecutor(1) as pool:
        shared = SharedStream(stream)
        first = pool.submit(shared.write, LONG, never)
        assert select.select([reading], [], [], 20)[0], "the first one writes"
        with pytest.raises(SinkError):
            shared.write(b"second\n", stopped_at_once)
        assert read_all(reading, len(LONG)) == LONG
        first.result()


def test_a_sink_whose_reader_stopped_reading_can_be_interrupted() -> None:
    with pipe() as (reading, stream), ThreadPoolExecutor(1) as pool:
        sink = label_sink("jsonl", None, stream=SharedStream(stream))
        assert isinstance(sink, LabelStreamSink)
        sink.open(CAM, MODEL)

        def write_on() -> None:
            for i in range(1000):
                sink.write(labelled(i, arrival(i)))

        writing = pool.submit(write_on)
        assert select.select([reading], [], [], 20)[0]
        sink.interrupt()
        with pytest.raises(SinkError, match="its reader does not read"):
            writing.result(timeout=20)
        frames = [json.loads(line)["frame"] for line in drain(reading).splitlines()[:-1]]
        assert frames == list(range(len(frames)))
        sink.abort()


def test_it_does_not_change_the_stream_of_others() -> None:
    with pipe() as (reading, stream):
        before = fcntl.fcntl(stream.fileno(), fcntl.F_GETFL)
        SharedStream(stream).write(b"{}\n", never)
        assert fcntl.fcntl(stream.fileno(), fcntl.F_GETFL) == before
        assert drain(reading) == b"{}\n"


def test_a_stream_that_does_not_block_anyway() -> None:
    with pipe() as (reading, stream), ThreadPoolExecutor(1) as pool:
        os.set_blocking(stream.fileno(), False)
        writing = pool.submit(SharedStream(stream).write, LONG, never)
        assert read_all(reading, len(LONG)) == LONG
        writing.result()


def test_a_file_and_a_stream_in_memory(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.write(b"before\n")
        SharedStream(file).write(LONG, never)
        assert (tmp_path / "a").read_bytes() == b"before\n" + LONG
    memory = BytesIO()
    SharedStream(memory).write(LONG, never)
    assert memory.getvalue() == LONG


def test_a_full_disk_leaves_whole_lines_once_there_is_room(tmp_path: Path) -> None:
    code = """
import resource
from tests.sink_live.test_shared import *
with open("a", "wb") as file:
    shared = SharedStream(file)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    try:
        shared.write(LONG, never)
    except OSError as error:
        print(error.strerror)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    shared.write(b"next\\n", never)
"""
    with in_a_child(code, tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert (out, err) == ("File too large\n", "")
    assert (tmp_path / "a").read_bytes() == LONG + b"next\n"
