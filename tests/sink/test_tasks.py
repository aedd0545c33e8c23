"""The exact form of what each task writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sink.cases import (
    CATEGORIES,
    CLIPPER,
    DETECTOR,
    FLOWER,
    FORMATS,
    MASKED,
    POSED,
    SEGMENTER,
    SOURCE,
    clips,
    decode,
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
from vidinfer.detections import Classes, Flow, Objects, Results, Segments
from vidinfer.errors import SinkError
from vidinfer.record import Entry, LabelledBatch, Outcome, Span
from vidinfer.sink import label_sink
from vidinfer.stages import ModelInfo

every_format = pytest.mark.parametrize("name", FORMATS)
HEAD = (
    '{"source":"cam/clip, 1.mp4","frame":12,"pts":6144,"time_base":"1/15360","time":0.4,"outcome":"labelled"'
)
COLUMNS = "source,frame,pts,time_base,time,outcome,reason,"
GAP = "first_pts,last_pts,packets\n"


def one(results: Results, span: Span | None = None) -> list[LabelledBatch]:
    return [LabelledBatch([Entry(Outcome.LABELLED, stamp(12, 6144), row=0, span=span)], results)]


def json_text(path: Path, results: Results, model: ModelInfo, span: Span | None = None) -> str:
    """What stands in the record of one frame after its outcome."""
    text = write("jsonl", path / "a", one(results, span), model).read_text()
    assert text.startswith(HEAD)
    assert text.endswith("}\n")
    return text[len(HEAD) : -2]


def test_masks_and_keypoints_in_json(tmp_path: Path) -> None:
    found = Objects(
        np.array([0, 1]),
        np.array([[0, 0, 639, 359]], np.float32),
        np.array([0.98], np.float32),
        np.array([1]),
        np.ones((1, 28, 28), np.float32),
        np.array([[[1.234, 2.5, 0.987654], [3, np.nan, -1.5]]], np.float32),
    )
    text = json_text(tmp_path, Results(1, CATEGORIES, objects=found), MASKED)
    record = json.loads("{" + text[1:] + "}")
    mask = record["objects"][0]["mask"]
    assert decode(mask["counts"], 640, 360).mean() > 0.9
    assert text == (
        ',"objects":[{"label":"car","label_id":1,"score":0.98,"box":[0.0,0.0,639.0,359.0],'
        f'"mask":{{"size":[360,640],"counts":{json.dumps(mask["counts"])}}},'
        '"keypoints":[[1.23,2.5,0.98765],[3.0,null,-1.5]]}]'
    )


@every_format
def test_masks_come_back_whatever_characters_they_hold(name: str, tmp_path: Path) -> None:
    results = masked([40, 3], seed=1)
    assert results.objects is not None
    records = read(name, write(name, tmp_path / "a", mixed_batches(results), MASKED))
    counts = [o["mask"] for r in records for o in r.get("objects", [])]
    assert any("\\" in text for text in counts)
    for text, box in zip(counts, results.objects.boxes, strict=True):
        rows, columns = np.nonzero(decode(text, 640, 360))
        if len(rows):
            margin = (box[2:] - box[:2]) / 28 + 1
            assert (box[:2] - margin <= [columns.min(), rows.min()]).all()
            assert (box[2:] + margin >= [columns.max(), rows.max()]).all()


@every_format
def test_a_model_with_masks_may_give_none(name: str, tmp_path: Path) -> None:
    records = read(name, write(name, tmp_path / "a", mixed_batches(objects([2])), MASKED))
    assert [o.get("mask") for o in records[0]["objects"]] == [None, None]


@every_format
def test_a_mask_without_a_place_is_missing(name: str, tmp_path: Path) -> None:
    results = masked([2])
    assert results.objects is not None
    results.objects.boxes[0, 1] = np.nan
    first, second = read(name, write(name, tmp_path / "a", mixed_batches(results), MASKED))[0]["objects"]
    assert first["mask"] is None
    assert second["mask"]


def test_segments_in_json(tmp_path: Path) -> None:
    class_map = np.array([[[0, 3, 3, 3], [0, 2, 1, 255]]], np.uint8)
    text = json_text(tmp_path, Results(1, CATEGORIES, segments=Segments(class_map)), SEGMENTER)
    parts = json.loads("{" + text[1:] + "}")["segments"]
    assert [(p["label"], p["label_id"], p["area"]) for p in parts] == [
        ("vélo", 3, 0.375),
        ("car", 1, 0.125),
        ('a "quoted", name', 2, 0.125),
    ]
    assert [list(part) for part in parts] == [["label", "label_id", "area", "rle"]] * 3
    assert parts[0]["rle"]["size"] == [360, 640]
    pixels = decode(parts[0]["rle"]["counts"], 640, 360)
    assert pixels.shape == (360, 640)
    assert pixels[:180, 160:].all()
    assert pixels.sum() == 180 * 480


@every_format
def test_a_picture_of_background_alone_has_no_segment(name: str, tmp_path: Path) -> None:
    results = Results(1, CATEGORIES, segments=Segments(np.zeros((1, 4, 4), np.uint8)))
    (record,) = read(name, write(name, tmp_path / "a", one(results), SEGMENTER))
    assert record["segments"] == []


@every_format
def test_a_class_map_beyond_the_categories_is_refused(name: str, tmp_path: Path) -> None:
    sink = label_sink(name, tmp_path / "a")
    sink.open(SOURCE, SEGMENTER)
    with pytest.raises(SinkError, match="labels 1 to 4, expected 0 to 3"):
        sink.write(one(Results(1, CATEGORIES, segments=Segments(np.array([[[1, 4]]], np.uint8))))[0])
    sink.abort()


def test_a_clip_in_json(tmp_path: Path) -> None:
    found = Classes(np.array([[1, 3]]), np.array([[0.75, 0.125]], np.float32))
    span = Span(1024, 6144, 11, 1 / 3, padded=True)
    assert json_text(tmp_path, Results(1, CATEGORIES, clips=found), CLIPPER, span) == (
        ',"clip":{"first_pts":1024,"last_pts":6144,"frames":11,"padded":true,"classes":['
        '{"label":"car","label_id":1,"score":0.75},{"label":"vélo","label_id":3,"score":0.125}]}'
    )
    span = Span(None, None, 16, None)
    assert '"clip":{"first_pts":null,"last_pts":null,"frames":16,"padded":false,' in json_text(
        tmp_path, Results(1, CATEGORIES, clips=found), CLIPPER, span
    )


@every_format
def test_only_frames_that_close_a_window_say_so(name: str, tmp_path: Path) -> None:
    for key, model, results in (("clip", CLIPPER, clips(2, 2)), ("flow", FLOWER, flow(2))):
        records = read(name, write(name, tmp_path / key, windowed_batches(results), model))
        assert [r["outcome"] for r in records] == ["labelled"] * 2 + ["corrupt", "labelled", "gap", "failed"]
        assert [key in r for r in records] == [False, True, False, True, False, False]
        assert not any(other in r for r in records for other in ("objects", "classes", "segments"))


def one_flow(mean: float = 3.2, direction: float = 271.44) -> Results:
    values = (np.array([value], np.float32) for value in (mean, 8.0, direction, 0.25))
    return Results(1, (), flow=Flow(*values, np.zeros((1, 2, 2, 2), np.float32)))


def test_flow_in_json_is_per_second(tmp_path: Path) -> None:
    assert json_text(tmp_path, one_flow(), FLOWER, Span(5632, 6144, 2, 0.04)) == (
        ',"flow":{"mean":80.0,"max":200.0,"direction":271.4,"moving":0.25,"seconds":0.04}'
    )


@pytest.mark.parametrize(("seconds", "written"), [(None, "null"), (0.0, "0.0"), (-0.5, "-0.5")])
def test_flow_over_an_unknown_time_has_no_speed(tmp_path: Path, seconds: float | None, written: str) -> None:
    text = json_text(tmp_path, one_flow(direction=np.nan), FLOWER, Span(None, 6144, 2, seconds))
    assert text == (f',"flow":{{"mean":null,"max":null,"direction":null,"moving":0.25,"seconds":{written}}}')


def test_a_direction_never_rounds_up_to_a_full_turn(tmp_path: Path) -> None:
    text = json_text(tmp_path, one_flow(direction=359.97), FLOWER, Span(0, 1, 2, 0.1))
    assert '"direction":0.0,' in text


@every_format
def test_flow_that_is_no_number_is_told(name: str, tmp_path: Path) -> None:
    sink = label_sink(name, tmp_path / "a")
    sink.open(SOURCE, FLOWER)
    sink.write(one(one_flow(direction=np.nan), Span(0, 1, 2, None))[0])
    assert sink.facts() == {"format": name, "records": 1, "findings": 1}
    sink.write(one(one_flow(mean=np.nan), Span(0, 1, 2, 0.1))[0])
    sink.close()
    assert sink.facts()["warnings"] == [
        "1 coordinates or scores were not finite; they are written as missing"
    ]


def test_json_names_the_file_of_the_vectors(tmp_path: Path) -> None:
    sink = label_sink("jsonl", tmp_path / "a", flow_files=lambda index: f"clip.flow/{index:06d}.flo")
    sink.open(SOURCE, FLOWER)
    for batch in windowed_batches(flow(2), first=11):
        sink.write(batch)
    sink.close()
    records = [json.loads(line) for line in (tmp_path / "a").read_text().splitlines()]
    named = {r["frame"]: r["flow"]["file"] for r in records if "flow" in r}
    assert named == {12: "clip.flow/000012.flo", 13: "clip.flow/000013.flo"}


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (DETECTOR, "label,label_id,score,x1,y1,x2,y2,"),
        (MASKED, "label,label_id,score,x1,y1,x2,y2,mask,"),
        (POSED, "label,label_id,score,x1,y1,x2,y2,keypoints,"),
        (SEGMENTER, "label,label_id,area,mask,"),
        (CLIPPER, "label,label_id,score,clip_first_pts,clip_last_pts,clip_frames,clip_padded,"),
        (FLOWER, "flow_mean,flow_max,flow_direction,flow_moving,flow_seconds,"),
    ],
    ids=["detection", "masks", "keypoints", "segmentation", "video", "flow"],
)
def test_columns(tmp_path: Path, model: ModelInfo, columns: str) -> None:
    expected = COLUMNS + columns + GAP
    assert write("csv", tmp_path / "csv", [], model).read_text() == expected
    assert pq.read_schema(write("parquet", tmp_path / "pq", [], model)).names == expected.strip().split(",")


def test_a_row_of_csv(tmp_path: Path) -> None:
    found = posed([1])
    assert found.objects is not None
    found.objects.boxes[:] = [1, 2, 3, 4]
    found.objects.scores[:] = 0.5
    found.objects.labels[:] = 1
    assert found.objects.keypoints is not None
    found.objects.keypoints[:] = [[1.5, 2, 0.25], [3, 4, np.nan], [5, 6.125, 1]]
    text = write("csv", tmp_path / "a", one(found), POSED).read_text()
    assert text.splitlines()[1] == (
        '"cam/clip, 1.mp4",12,6144,1/15360,0.4,labelled,,car,1,0.5,1.0,2.0,3.0,4.0,'
        '"[[1.5,2.0,0.25],[3.0,4.0,null],[5.0,6.12,1.0]]",,,'
    )


def test_types_and_facts_of_parquet(tmp_path: Path) -> None:
    schema = pq.read_schema(write("parquet", tmp_path / "a", mixed_batches(posed([2])), POSED))
    assert schema.field("keypoints").type == pa.list_(pa.list_(pa.float32()))
    facts = json.loads(schema.metadata[b"vidinfer"])
    assert facts["model"]["keypoints"] == ["nose", "left_eye", "right_eye"]
    assert facts["model"]["skeleton"] == [[0, 1], [0, 2]]
    assert (facts["source"]["width"], facts["source"]["height"]) == (640, 360)
    schema = pq.read_schema(write("parquet", tmp_path / "b", mixed_batches(segments(2)), SEGMENTER))
    assert (schema.field("mask").type, schema.field("area").type) == (pa.string(), pa.float32())
    schema = pq.read_schema(write("parquet", tmp_path / "c", windowed_batches(clips(2, 1)), CLIPPER))
    assert (schema.field("clip_padded").type, schema.field("clip_first_pts").type) == (pa.bool_(), pa.int64())
    schema = pq.read_schema(write("parquet", tmp_path / "d", windowed_batches(flow(2)), FLOWER))
    assert (schema.field("flow_mean").type, schema.field("flow_seconds").type) == (pa.float32(), pa.float64())


def test_long_masks_do_not_pile_up_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidinfer.sink.parquet.ROW_GROUP_BYTES", 100_000)
    batches = [batch for seed in range(6) for batch in mixed_batches(masked([20], seed), first=4 * seed)]
    file = pq.ParquetFile(write("parquet", tmp_path / "a", batches, MASKED))
    assert file.metadata.num_row_groups > 3
    assert file.metadata.num_rows == 6 * 23


@every_format
@pytest.mark.parametrize("model", [SEGMENTER, CLIPPER, FLOWER], ids=["segments", "clip", "flow"])
def test_results_of_another_task_are_refused(name: str, model: ModelInfo, tmp_path: Path) -> None:
    sink = label_sink(name, tmp_path / "a")
    sink.open(SOURCE, model)
    with pytest.raises(SinkError, match=r"gave no (segments|clip|flow) for its frames"):
        sink.write(mixed_batches(objects([1]))[0])
    sink.abort()
    assert list(tmp_path.iterdir()) == []
