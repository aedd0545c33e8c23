"""Labels in files that rotate: no record twice, none lost, whatever happens to clock, disk and process."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sink_live.cases import (
    CAM,
    MODEL,
    NOTHING,
    QUARTER_PAST_TEN,
    arrival,
    frames_of,
    gap,
    in_a_child,
    labelled,
    records,
)
from vidinfer.errors import SinkError, UsageError
from vidinfer.record import LabelledBatch
from vidinfer.sink import Keep, rotating_labels
from vidinfer.sink.jsonl import JsonLinesWriter
from vidinfer.sink.rotating import RotatingLabels
from vidinfer.testing import VirtualClock

MIDNIGHT = QUARTER_PAST_TEN + 13 * 3600 + 45 * 60


def opened(folder: Path, form: str = "jsonl", **options: Any) -> RotatingLabels:
    sink = rotating_labels(form, folder, "cam", VirtualClock(1000.0), **options)
    sink.open(CAM, MODEL)
    return sink


def test_files_rotate_across_midnight(tmp_path: Path) -> None:
    sink = opened(tmp_path)
    for i, wall in enumerate([MIDNIGHT - 3700, MIDNIGHT - 1, MIDNIGHT - 0.5, MIDNIGHT, MIDNIGHT + 1]):
        sink.write(labelled(i, arrival(wall=wall)))
    sink.close()
    assert frames_of(tmp_path) == {
        "cam.20261125T225820Z.labels.jsonl": [0],
        "cam.20261125T235959Z.labels.jsonl": [1, 2],
        "cam.20261126T000000Z.labels.jsonl": [3, 4],
    }
    assert sink.facts() == {
        "format": "jsonl",
        "records": 5,
        "findings": 0,
        "lost": 0,
        "files": {"completed": 3, "recovered": 0, "removed": 0},
    }


def test_a_batch_may_lie_across_the_end_of_a_file(tmp_path: Path) -> None:
    sink = opened(tmp_path)
    entries = [labelled(i, arrival(i, wall=MIDNIGHT - 2)).entries[0] for i in range(4)]
    sink.write(LabelledBatch(entries, NOTHING))
    sink.write(LabelledBatch([], NOTHING))
    sink.close()
    assert list(frames_of(tmp_path).values()) == [[0, 1], [2, 3]]


def test_a_clock_that_is_set_back(tmp_path: Path) -> None:
    sink = opened(tmp_path)
    walls = [0.0, 1.0, -600.0, 0.0, -4 * 3600.0, -4 * 3600.0 + 1]
    for i, wall in enumerate(walls):
        sink.write(labelled(i, arrival(wall=QUARTER_PAST_TEN + wall)))
    sink.write(labelled(6, arrival(wall=QUARTER_PAST_TEN)))
    sink.close()
    assert frames_of(tmp_path) == {
        "cam.20261125T061500Z.labels.jsonl": [4, 5],
        "cam.20261125T101500Z.labels.jsonl": [0, 1, 2, 3],
        "cam.20261125T101500Z_2.labels.jsonl": [6],
    }


@given(
    walls=st.lists(st.floats(-1e5, 1e5), max_size=40),
    batch=st.integers(1, 5),
    nbytes=st.sampled_from([None, 1, 300, 1000]),
)
def test_every_record_is_in_one_file_in_order(
    tmp_path_factory: pytest.TempPathFactory, walls: list[float], batch: int, nbytes: int | None
) -> None:
    folder = tmp_path_factory.mktemp("rotating")
    sink = opened(folder, nbytes=nbytes)
    entries = [labelled(i, arrival(wall=QUARTER_PAST_TEN + w)).entries[0] for i, w in enumerate(walls)]
    for i in range(0, len(entries), batch):
        sink.write(LabelledBatch(entries[i : i + batch], NOTHING))
    sink.close()
    files = frames_of(folder).values()
    assert sorted(frame for frames in files for frame in frames) == list(range(len(walls)))
    assert all(frames == list(range(frames[0], frames[-1] + 1)) for frames in files)


def test_files_rotate_by_size(tmp_path: Path) -> None:
    sink = opened(tmp_path, seconds=None, nbytes=500)
    for i in range(10):
        sink.write(labelled(i, arrival(i * 3600)))
    sink.close()
    sizes = [p.stat().st_size for p in sorted(tmp_path.iterdir())]
    assert len(sizes) > 2
    assert all(500 <= size < 1000 for size in sizes[:-1])
    assert sum(len(frames) for frames in frames_of(tmp_path).values()) == 10


def test_the_open_file_can_be_read_line_by_line(tmp_path: Path) -> None:
    sink = opened(tmp_path)
    for i in range(3):
        sink.write(labelled(i, arrival(i)))
        (growing,) = tmp_path.iterdir()
        assert growing.name.startswith(".cam.20261125T101500Z.labels.jsonl.")
        assert growing.name.endswith(".partial")
        assert len(records(growing)) == i + 1
    sink.close()
    sink.close()
    assert list(frames_of(tmp_path)) == ["cam.20261125T101500Z.labels.jsonl"]


def test_abort_keeps_what_was_written(tmp_path: Path) -> None:
    sink = opened(tmp_path)
    sink.write(labelled(0, arrival()))
    sink.abort()
    sink.abort()
    sink.close()
    assert list(frames_of(tmp_path).values()) == [[0]]
    with pytest.raises(SinkError, match="before they are opened"):
        sink.write(labelled(1, arrival()))


def test_without_a_record_there_is_no_file(tmp_path: Path) -> None:
    opened(tmp_path).close()
    opened(tmp_path).abort()
    assert list(tmp_path.iterdir()) == []


def test_another_size_begins_a_file(tmp_path: Path) -> None:
    sink = opened(tmp_path)
    sink.write(labelled(0, arrival()))
    sink.open(replace(CAM, width=32), MODEL)
    sink.write(labelled(1, arrival()))
    sink.close()
    assert list(frames_of(tmp_path).values()) == [[0], [1]]


def test_records_that_do_not_say_when_they_came(tmp_path: Path) -> None:
    sink = RotatingLabels(tmp_path, "cam", "jsonl", JsonLinesWriter, wall=lambda: MIDNIGHT)
    sink.open(CAM, MODEL)
    sink.write(gap(None))
    sink.write(labelled(0, None))
    sink.close()
    (file,) = tmp_path.iterdir()
    assert file.name == "cam.20261126T000000Z.labels.jsonl"
    assert [r["outcome"] for r in records(file)] == ["gap", "labelled"]


def test_each_csv_file_has_its_header(tmp_path: Path) -> None:
    sink = opened(tmp_path, "csv")
    for i, wall in enumerate([MIDNIGHT - 1, MIDNIGHT - 0.5, MIDNIGHT]):
        sink.write(labelled(i, arrival(wall=wall)))
    sink.close()
    rows = [p.read_text().splitlines() for p in sorted(tmp_path.iterdir())]
    assert [len(lines) for lines in rows] == [3, 2]
    assert all(lines[0].startswith("source,frame,") for lines in rows)


def test_only_the_last_files_are_kept(tmp_path: Path) -> None:
    sink = opened(tmp_path, keep=Keep(files=2))
    for i in range(5):
        sink.write(labelled(i, arrival(3600 * i)))
    sink.close()
    assert list(frames_of(tmp_path).values()) == [[3], [4]]


def test_formats_that_are_of_no_use_while_they_grow_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'parquet' of a live stream: expected one of jsonl, csv"):
        opened(tmp_path, "parquet")


def test_a_killed_run_loses_no_whole_record(tmp_path: Path) -> None:
    code = """
from tests.sink_live.test_rotating import *
sink = opened(Path("."))
for i in range(100):
    sink.write(labelled(i, arrival(i)))
sink._piece.append(b'{"half a line')
print("ready", flush=True)
input()
"""
    with in_a_child(code, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        opened(tmp_path).close()
        (growing,) = tmp_path.iterdir()
        assert growing.name.endswith(".partial"), "it belongs to a living process"
        process.send_signal(signal.SIGKILL)
    sink = opened(tmp_path)
    assert frames_of(tmp_path) == {"cam.20261125T101500Z.labels.jsonl": list(range(100))}
    sink.write(labelled(100, arrival(60)))
    sink.close()
    assert list(frames_of(tmp_path).values()) == [list(range(100)), [100]]


FULL = """
import resource
from tests.sink_live.test_rotating import *
def room(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
sink = opened(Path("."))
def write(frames):
    errors = []
    for i in frames:
        try:
            sink.write(labelled(i, arrival(i)))
        except SinkError as error:
            errors.append([i, str(error)])
    return errors
"""


def test_a_full_disk_is_told_and_writing_goes_on_when_there_is_room(tmp_path: Path) -> None:
    code = f"""{FULL}
room(1000)
errors = write(range(10))
(growing,) = Path(".").iterdir()
kept = [r["frame"] for r in records(growing)]
room(resource.RLIM_INFINITY)
assert write(range(10, 13)) == []
sink.close()
print(json.dumps([errors, kept, sink.facts()["lost"], sink.facts()["records"]]))
"""
    with in_a_child(code, tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert err == ""
    errors, kept, lost, written = json.loads(out)
    assert kept == list(range(len(kept)))
    assert 0 < len(kept) < 10
    assert [i for i, _ in errors] == list(range(len(kept), 10))
    assert errors[0][1].startswith("cannot write cam.20261125T101500Z.labels.jsonl: the file is larger than")
    assert (lost, written) == (len(errors), len(kept) + 3)
    assert frames_of(tmp_path) == {"cam.20261125T101500Z.labels.jsonl": [*kept, 10, 11, 12]}


def test_a_disk_that_is_full_from_the_start_leaves_nothing(tmp_path: Path) -> None:
    code = f"""{FULL}
room(0)
errors = write(range(3))
sink.abort()
print(json.dumps([len(errors), sink.facts()["lost"]]))
"""
    with in_a_child(code, tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert err == ""
    assert json.loads(out) == [3, 3]
    assert list(tmp_path.iterdir()) == []
