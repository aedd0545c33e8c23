"""The contract of every label sink, and that all formats hold the same."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sink.cases import (
    CATEGORIES,
    CLASSIFIER,
    CLIPPER,
    DETECTOR,
    FLOWER,
    FORMATS,
    MASKED,
    POSED,
    SEGMENTER,
    SOURCE,
    TIME_BASE,
    classes,
    clips,
    flow,
    masked,
    mixed_batches,
    objects,
    posed,
    read,
    segments,
    stamp,
    windowed_batches,
    write,
)
from vidinfer.detections import Objects, Results
from vidinfer.errors import SinkError, UsageError
from vidinfer.frame import SourceInfo
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.sink import label_sink
from vidinfer.stages import ModelInfo

every_format = pytest.mark.parametrize("name", FORMATS)


@every_format
def test_nothing_stands_under_the_final_name_before_close(name: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / f"a.{name}"
    sink = label_sink(name, path)
    assert sink.paths == (path,)
    sink.open(SOURCE, DETECTOR)
    sink.write(mixed_batches(objects([2, 0]))[0])
    assert not path.exists()
    sink.close()
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    content = path.read_bytes()
    sink.close()
    sink.abort()
    assert path.read_bytes() == content


@every_format
def test_abort_leaves_nothing(name: str, tmp_path: Path) -> None:
    sink = label_sink(name, tmp_path / "a")
    sink.abort()
    sink.open(SOURCE, DETECTOR)
    sink.write(mixed_batches(objects([2, 0]))[0])
    sink.abort()
    sink.abort()
    sink.close()
    assert list(tmp_path.iterdir()) == []


@every_format
def test_an_output_that_exists_is_kept_unless_told_otherwise(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("precious")
    with pytest.raises(SinkError, match=r"exists; give --overwrite"):
        label_sink(name, path).open(SOURCE, DETECTOR)
    sink = label_sink(name, path, overwrite=True)
    sink.open(SOURCE, DETECTOR)
    sink.abort()
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


@every_format
def test_an_output_that_appears_during_the_run_is_kept(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    sink = label_sink(name, path)
    sink.open(SOURCE, DETECTOR)
    path.write_text("precious")
    with pytest.raises(SinkError, match="exists"):
        sink.close()
    sink.abort()
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


@every_format
def test_a_source_without_frames_gives_a_readable_file(name: str, tmp_path: Path) -> None:
    assert read(name, write(name, tmp_path / "a", [])) == []


@every_format
def test_all_outcomes_come_back(name: str, tmp_path: Path) -> None:
    records = read(name, write(name, tmp_path / "a", mixed_batches(objects([2, 0, 1]))))
    assert [r["outcome"] for r in records] == ["labelled", "corrupt", "labelled", "labelled", "gap", "failed"]
    assert [len(r["objects"]) for r in records if r["outcome"] != "gap"] == [2, 0, 0, 1, 0]
    assert records[1] == {
        "source": "cam/clip, 1.mp4",
        "frame": 3,
        "pts": None,
        "time_base": "1/15360",
        "time": None,
        "outcome": "corrupt",
        "reason": 'damaged "data", in part',
        "objects": [],
    }
    assert records[4] == {
        "source": "cam/clip, 1.mp4",
        "time_base": "1/15360",
        "outcome": "gap",
        "reason": "lost\npackets",
        "first_pts": 10,
        "last_pts": None,
        "packets": 3,
    }
    assert records[5]["time"] == -512 / 15360


counts = st.lists(st.integers(0, 5), min_size=1, max_size=6)
TASKS = {
    "objects": (DETECTOR, lambda size, seed: mixed_batches(objects(size, seed))),
    "masks": (MASKED, lambda size, seed: mixed_batches(masked(size, seed))),
    "keypoints": (POSED, lambda size, seed: mixed_batches(posed(size, seed))),
    "classes": (CLASSIFIER, lambda size, seed: mixed_batches(classes(len(size), size[0], seed))),
    "segments": (SEGMENTER, lambda size, seed: mixed_batches(segments(len(size), seed))),
    "clip": (CLIPPER, lambda size, seed: windowed_batches(clips(len(size), size[0] + 1, seed))),
    "flow": (FLOWER, lambda size, seed: windowed_batches(flow(len(size), seed))),
}


@pytest.mark.parametrize("task", TASKS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(sizes=st.lists(counts, max_size=3))
def test_all_formats_hold_the_same(tmp_path_factory: pytest.TempPathFactory, task: str, sizes) -> None:
    folder = tmp_path_factory.mktemp("same")
    model, make = TASKS[task]
    batches = [batch for i, size in enumerate(sizes) for batch in make(size, i)]
    jsonl, csv, parquet = (read(name, write(name, folder / name, batches, model)) for name in FORMATS)
    assert jsonl == csv
    assert jsonl == parquet
    assert len(jsonl) == sum(len(batch.entries) for batch in batches)


@every_format
def test_values_are_those_of_the_model_rounded(name: str, tmp_path: Path) -> None:
    results = objects([3, 2])
    found = results.objects
    assert found is not None
    records = read(name, write(name, tmp_path / "a", mixed_batches(results)))
    written = [o for r in records for o in r.get("objects", [])]
    assert np.abs(np.array([o["box"] for o in written]) - found.boxes).max() <= 0.0051
    assert np.abs(np.array([o["score"] for o in written]) - found.scores).max() <= 0.0000051
    assert [o["label_id"] for o in written] == found.labels.tolist()
    assert [o["label"] for o in written] == [CATEGORIES[i] for i in found.labels]


@every_format
def test_rows_may_come_in_any_order(name: str, tmp_path: Path) -> None:
    results = objects([1, 2, 3])
    entries = [Entry(Outcome.LABELLED, stamp(i, i), row=2 - i) for i in range(3)]
    records = read(name, write(name, tmp_path / "a", [LabelledBatch(entries, results)]))
    assert [len(r["objects"]) for r in records] == [3, 2, 1]
    assert results.objects is not None
    assert [o["label_id"] for o in records[0]["objects"]] == results.objects.labels[3:].tolist()


@every_format
def test_what_is_no_number_is_written_as_missing_and_told(name: str, tmp_path: Path) -> None:
    found = Objects(
        np.array([0, 1]),
        np.array([[1, np.nan, np.inf, -0.001]], np.float32),
        np.array([0.5], np.float32),
        np.array([1]),
    )
    batch = LabelledBatch(
        [Entry(Outcome.LABELLED, stamp(0, 0), row=0)], Results(1, CATEGORIES, objects=found)
    )
    sink = label_sink(name, tmp_path / "a")
    sink.open(SOURCE, DETECTOR)
    sink.write(batch)
    sink.close()
    (finding,) = read(name, tmp_path / "a")[0]["objects"]
    assert finding["box"] == [1, None, None, 0]
    assert math.copysign(1, finding["box"][3]) == 1
    assert sink.facts()["warnings"] == [
        "2 coordinates or scores were not finite; they are written as missing"
    ]


@every_format
def test_names_that_utf8_cannot_hold(name: str, tmp_path: Path) -> None:
    source = SourceInfo(b"caf\xe9.mp4".decode("utf-8", "surrogateescape"), 4, 4, TIME_BASE)
    sink = label_sink(name, tmp_path / "a")
    sink.open(source, DETECTOR)
    sink.write(mixed_batches(objects([1]))[0])
    sink.close()
    assert read(name, tmp_path / "a")[0]["source"] == "caf\ufffd.mp4"


@every_format
def test_labels_beyond_the_categories_are_refused(name: str, tmp_path: Path) -> None:
    sink = label_sink(name, tmp_path / "a")
    sink.open(SOURCE, DETECTOR)
    found = Objects(np.array([0, 1]), np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.array([4]))
    entry = Entry(Outcome.LABELLED, stamp(0, 0), row=0)
    with pytest.raises(SinkError, match="labels 4 to 4, expected 0 to 3"):
        sink.write(LabelledBatch([entry], Results(1, CATEGORIES, objects=found)))
    with pytest.raises(SinkError, match="gave no objects"):
        sink.write(LabelledBatch([entry], classes(1, 2)))
    sink.abort()
    assert list(tmp_path.iterdir()) == []


@every_format
def test_a_task_without_a_record_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="labels of a depth model cannot be written"):
        label_sink(name, tmp_path / "a").open(SOURCE, ModelInfo("midas", "depth", CATEGORIES))
    assert list(tmp_path.iterdir()) == []


def test_the_exact_text_of_a_json_line(tmp_path: Path) -> None:
    found = Objects(
        np.array([0, 1]),
        np.array([[412.1, 220.5, 498.0, 301.7]], np.float32),
        np.array([0.98], np.float32),
        np.array([1]),
    )
    entry = Entry(Outcome.LABELLED, stamp(12, 6144), row=0)
    path = write("jsonl", tmp_path / "a", [LabelledBatch([entry], Results(1, CATEGORIES, objects=found))])
    assert path.read_text() == (
        '{"source":"cam/clip, 1.mp4","frame":12,"pts":6144,"time_base":"1/15360","time":0.4,"outcome":"labelled",'
        '"objects":[{"label":"car","label_id":1,"score":0.98,"box":[412.1,220.5,498.0,301.7]}]}\n'
    )


def test_the_columns_of_csv(tmp_path: Path) -> None:
    head = "source,frame,pts,time_base,time,outcome,reason,label,label_id,score,"
    tail = "first_pts,last_pts,packets\n"
    assert write("csv", tmp_path / "d", []).read_text() == f"{head}x1,y1,x2,y2,{tail}"
    assert write("csv", tmp_path / "c", [], CLASSIFIER).read_text() == head + tail


def test_parquet_is_typed_and_says_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidinfer.sink.parquet.ROW_GROUP", 20)
    batches = [batch for i in range(10) for batch in mixed_batches(objects([5, 5], seed=i), first=i * 4)]
    file = pq.ParquetFile(write("parquet", tmp_path / "a", batches))
    assert file.metadata.num_row_groups > 3
    assert max(file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)) <= 20
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert types["pts"] == types["frame"] == "int64"
    assert types["score"] == types["x1"] == "float"
    assert types["label"] == "dictionary<values=string, indices=int32, ordered=0>"
    facts = json.loads(file.schema_arrow.metadata[b"vidinfer"])
    assert facts["source"] == {"name": SOURCE.name, "width": 640, "height": 360, "time_base": "1/15360"}
    assert facts["model"]["categories"] == list(CATEGORIES)


def test_formats_that_do_not_exist_or_cannot_be_streamed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'xml': expected one of jsonl, csv, parquet"):
        label_sink("xml", tmp_path / "a")
    with pytest.raises(UsageError, match="only jsonl can be streamed"):
        label_sink("csv", None)
