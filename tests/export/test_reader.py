"""One reader for three formats: the same records from each, and damage told instead of read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv

from tests.export.cases import DETECTOR, in_order, labels, many, report
from tests.media import make_video
from tests.sink import cases
from tests.sink.cases import CLASSIFIER, CLIPPER, FLOWER, FORMATS, MASKED, POSED, SEGMENTER, decode
from vidinfer.cli.main import main
from vidinfer.errors import LabelError
from vidinfer.export import open_labels
from vidinfer.export.facts import read_facts
from vidinfer.record import LabelledBatch, Outcome
from vidinfer.sink.csv import CsvWriter
from vidinfer.sink.rle import compress, expand, extent, pixels
from vidinfer.stages import ModelInfo

TASKS: dict[str, tuple[ModelInfo, Callable[[], list[LabelledBatch]]]] = {
    "boxes": (cases.DETECTOR, lambda: cases.mixed_batches(cases.objects([3, 0, 2]))),
    "masks": (MASKED, lambda: cases.mixed_batches(cases.masked([3, 0, 2]))),
    "keypoints": (POSED, lambda: cases.mixed_batches(cases.posed([3, 0, 2]))),
    "classes": (CLASSIFIER, lambda: cases.mixed_batches(cases.classes(3, 2))),
    "segments": (SEGMENTER, lambda: cases.mixed_batches(cases.segments(3))),
    "clips": (CLIPPER, lambda: cases.windowed_batches(cases.clips(3, 2))),
    "flow": (FLOWER, lambda: cases.windowed_batches(cases.flow(3))),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("task", TASKS)
def test_what_is_read_is_what_was_written(tmp_path: Path, task: str, form: str) -> None:
    model, make = TASKS[task]
    batches = in_order(make())
    rows = labels(tmp_path, form="csv", batches=batches, model=model).read_bytes()
    file = open_labels(labels(tmp_path, form=form, batches=batches, model=model))
    assert file.model.categories == model.categories
    text = BytesIO()
    writer = CsvWriter(text, file.source, file.model)
    for block in file.blocks():
        writer.write(LabelledBatch(block.entries, batches[0].results), block.found)
    assert text.getvalue() == rows


@pytest.mark.parametrize("form", FORMATS)
def test_a_frame_nobody_labelled_is_not_an_empty_one(tmp_path: Path, form: str) -> None:
    records = list(open_labels(labels(tmp_path, form=form)).records())
    assert [record.entry.outcome.value for record in records] == [
        *("labelled", "labelled", "corrupt", "gap", "labelled", "failed"),
    ]
    assert [record.labelled for record in records] == [True, True, False, False, True, False]
    assert [len(record.found) for record in records] == [2, 0, 0, 0, 1, 0]
    assert [record.stamp and record.stamp.pts for record in records] == [0, 512, 1024, None, 1536, 2048]
    assert records[2].entry.reason == "damaged data"
    assert records[3].entry.outcome is Outcome.GAP
    np.testing.assert_array_equal(records[0].boxes[0], [10, 20.5, 110, 220.25])


@pytest.mark.parametrize("form", FORMATS)
def test_blocks_join_up_however_long_the_file_is(tmp_path: Path, form: str) -> None:
    file = open_labels(labels(tmp_path, form=form, batches=many(4000)))
    blocks = [(len(block.entries), len(block.found)) for block in file.blocks()]
    assert len(blocks) > 1
    assert sum(entries for entries, _ in blocks) == 6 * 801
    assert sum(found for _, found in blocks) == 3 * 801


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9, 0.999])
def test_a_file_cut_short_is_told(tmp_path: Path, form: str, keep: float) -> None:
    path = labels(tmp_path, form=form, batches=many(100))
    report(tmp_path / "clip.run.json", DETECTOR, sinks=[{"files": [path.name], "records": 126}])
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(LabelError, match=r"clip\.labels\."):
        list(open_labels(path).records())


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_file_cut_between_lines_is_told_by_its_count(tmp_path: Path, form: str) -> None:
    path = labels(tmp_path, form=form)
    report(tmp_path / "clip.run.json", DETECTOR, sinks=[{"files": [path.name], "records": 6}])
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(LabelError, match=r"5 records, and its run\.json counts 6"):
        list(open_labels(path).records())


DAMAGES = {
    "no json": ("{", "line 2 is not a record"),
    "no object": ("[1]", "line 2 is no JSON object"),
    "no frame": ('{"outcome":"labelled","pts":0,"time_base":"1/9","objects":[]}', "no 'frame'"),
    "outcome": ('{"frame":1,"outcome":"guessed","pts":0,"time_base":"1/9","objects":[]}', "guessed"),
    "time base": ('{"frame":1,"outcome":"labelled","pts":0,"time_base":"1/0","objects":[]}', "line 2"),
    "box": (
        '{"frame":1,"outcome":"labelled","pts":0,"time_base":"1/9","objects":[{"label_id":1,"box":[1],"score":1}]}',
        "a box of 1 numbers",
    ),
    "label": (
        '{"frame":1,"outcome":"labelled","pts":0,"time_base":"1/9",'
        '"objects":[{"label_id":9,"label":"x","box":[1,2,3,4],"score":1}]}',
        "label 9",
    ),
    "order": ('{"frame":0,"outcome":"labelled","pts":0,"time_base":"1/9","objects":[]}', "behind frame 0"),
    "task": ('{"frame":1,"outcome":"labelled","pts":0,"time_base":"1/9","classes":[]}', "no 'objects'"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_names_the_file_and_the_place(tmp_path: Path, damage: str) -> None:
    line, words = DAMAGES[damage]
    path = labels(tmp_path)
    lines = path.read_text().splitlines()
    lines[1] = line
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(LabelError) as told:
        list(open_labels(path).records())
    assert words in str(told.value)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_broken_mask_is_told(tmp_path: Path) -> None:
    path = labels(tmp_path, batches=in_order(cases.mixed_batches(cases.masked([1]))), model=MASKED)
    record = json.loads(path.read_text().splitlines()[0])
    record["objects"][0]["mask"]["counts"] = "oops"
    rest = path.read_text().splitlines()[1:]
    path.write_text("\n".join([json.dumps(record), *rest]) + "\n")
    with pytest.raises(LabelError, match="a mask"):
        list(open_labels(path).records())


@pytest.mark.parametrize("place", [0.1, 0.2, 0.3, 0.4, 0.5])
def test_damage_inside_parquet_is_told_by_its_checksums(tmp_path: Path, place: float) -> None:
    path = labels(tmp_path, form="parquet", batches=many(3000))
    data = bytearray(path.read_bytes())
    at = int(place * len(data))
    data[at : at + 4] = bytes(255 - byte for byte in data[at : at + 4])
    path.write_bytes(data)
    with pytest.raises(LabelError, match="not a whole label file"):
        list(open_labels(path).records())


def test_labels_without_what_belongs_to_them(tmp_path: Path) -> None:
    path = labels(tmp_path)
    report(tmp_path / "clip.run.json", DETECTOR, labels_format=2)
    with pytest.raises(LabelError, match=r"labels of format 2, and this version reads up to 1"):
        open_labels(path)
    (tmp_path / "clip.run.json").write_text("{}")
    with pytest.raises(LabelError, match="not what a run of vidinfer writes"):
        open_labels(path)
    (tmp_path / "clip.run.json").unlink()
    with pytest.raises(LabelError, match=r"there is no clip\.run\.json beside it"):
        open_labels(path)
    parquet = labels(tmp_path, form="parquet")
    (tmp_path / "clip.run.json").unlink()
    assert open_labels(parquet).model.categories == DETECTOR.categories  # it holds the facts itself


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_names_of_a_run_that_did_not_write_them_down(tmp_path: Path, form: str) -> None:
    path = labels(tmp_path, form=form)
    report(tmp_path / "clip.run.json", ModelInfo("demo", "detection", ()))
    assert open_labels(path).classes() == {1: "person", 3: "car"}


def test_the_run_json_of_a_live_stream_is_that_of_its_name(tmp_path: Path) -> None:
    path = labels(tmp_path, "cam1.20261125T101500Z_2")
    (tmp_path / "cam1.20261125T101500Z_2.run.json").rename(tmp_path / "cam1.run.json")
    assert len(list(open_labels(path).records())) == 6


@given(st.integers(1, 40), st.integers(1, 40), st.randoms(use_true_random=False))
def test_masks_unpacked_are_the_masks_packed(width: int, height: int, random: object) -> None:
    seed = random.randint(0, 2**31)  # type: ignore[attr-defined]
    inside = np.random.default_rng(seed).random((height, width)) < 0.5
    flat = np.pad(inside.T.reshape(-1), 1).astype(np.int8)
    steps = np.diff(flat)
    counts = compress((np.flatnonzero(steps > 0), np.flatnonzero(steps < 0)), width, height)
    assert expand(counts, width, height).sum() == width * height
    np.testing.assert_array_equal(pixels(counts, width, height), inside)
    np.testing.assert_array_equal(decode(counts, width, height), inside)
    where = extent(counts, width, height)
    assert where.area == inside.sum()
    if where.area:
        ys, xs = np.nonzero(inside)
        assert (where.x, where.y) == (xs.min(), ys.min())
        assert (where.x + where.width, where.y + where.height) == (xs.max() + 1, ys.max() + 1)


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=20))
def test_broken_masks_are_refused_or_fit(counts: str) -> None:
    try:
        runs = expand(counts, 7, 5)
    except ValueError:
        return
    assert runs.sum() == 35
    assert runs.min() >= 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    batches = in_order(cases.mixed_batches(cases.masked([2, 1])))
    return {form: labels(folder, form=form, batches=batches, model=MASKED) for form in ("jsonl", "csv")}


@pytest.mark.parametrize("form", ["jsonl", "csv"])
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), times=st.integers(1, 3))
def test_any_damage_is_told_or_harmless(
    whole: dict[str, Path], form: str, place: float, byte: int, times: int
) -> None:
    data = bytearray(whole[form].read_bytes())
    at = int(place * len(data))
    data[at : at + times] = bytes([byte]) * times
    with TemporaryDirectory() as folder:
        damaged = Path(folder, whole[form].name)
        damaged.write_bytes(data)
        shutil.copy(whole[form].with_name("clip.run.json"), folder)
        with suppress(LabelError):  # nothing else is raised
            assert sum(1 for _ in open_labels(damaged).records()) > 0


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_columns_of_whose_the_findings_are_do_no_harm(tmp_path: Path, form: str) -> None:
    path = labels(tmp_path, form=form)
    table = pq.read_table(path) if form == "parquet" else csv.read_csv(path)
    at = table.column_names.index("first_pts")
    for name in ("from_pts", "from_frame", "by"):
        kind = pa.string() if name == "by" else pa.int64()
        table = table.add_column(at, pa.field(name, kind), pa.nulls(len(table), kind))
    if form == "parquet":
        pq.write_table(table, path)
    else:
        csv.write_csv(table, path)
    assert sum(len(record.found) for record in open_labels(path).records()) == 3


@pytest.mark.parametrize(
    ("options", "frames"),
    [((), 40), (("--end", "0.4"), 40), (("--max-frames", "3"), 40), (("--every", "7"), 40)],
)
def test_frames_are_those_of_the_video_however_few_the_run_read(
    tmp_path: Path, options: tuple[str, ...], frames: int
) -> None:
    """Other tools open the whole video: what is on the last labelled frame must end there."""
    clip = make_video(tmp_path / "clip.mp4", frames=40)
    words = ["--model", "demo", "--backend", "eager", "--precision", "fp32", "-q", "--out", str(tmp_path)]
    assert main([str(clip), *words, *options]) == 0
    facts = read_facts(tmp_path / "clip.labels.jsonl", "clip", None)
    assert facts.frames == frames
