"""Whose the labels of a frame are is read from every format, counted, and handed on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.export.cases import BOXES, CATEGORIES, DETECTOR, exported, report
from tests.sink.cases import FORMATS, SOURCE, stamp
from vidinfer.cli.main import main
from vidinfer.detections import Objects, Results
from vidinfer.errors import LabelError
from vidinfer.export import open_labels
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.sink import label_sink

ENTRIES = [
    Entry(Outcome.LABELLED, stamp(0, 0), row=0, by="model"),
    Entry(Outcome.LABELLED, stamp(1, None), row=1, by="propagated", alike=stamp(0, 0)),
    Entry(Outcome.FAILED, stamp(2, 1024), reason="RuntimeError: no"),
    Entry(Outcome.LABELLED, stamp(3, 1536), row=2, by="model"),
    Entry(Outcome.LABELLED, stamp(4, 2048), row=3, by="propagated", alike=stamp(3, 1536)),
]
WHOSE = [
    ("model", None),
    ("propagated", stamp(0, 0)),
    (None, None),
    ("model", None),
    ("propagated", stamp(3, 1536)),
]


def labels(folder: Path, form: str) -> Path:
    """Two objects in frames 0 and 1, none in 3 and 4."""
    found = Objects(
        np.array([0, 2, 4, 4, 4]),
        BOXES[[0, 1, 0, 1]],
        np.array([0.9, 0.8, 0.9, 0.8], np.float32),
        np.array([3, 1, 3, 1]),
    )
    path = folder / f"clip.labels.{form}"
    sink = label_sink(form, path, overwrite=True, by=True)
    sink.open(SOURCE, DETECTOR)
    sink.write(LabelledBatch(ENTRIES, Results(4, CATEGORIES, objects=found)))
    sink.close()
    report(folder / "clip.run.json", DETECTOR)
    return path


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_tells(tmp_path: Path, form: str) -> None:
    records = list(open_labels(labels(tmp_path, form)).records())
    assert [(record.entry.by, record.entry.alike) for record in records] == WHOSE
    assert [record.propagated for record in records] == [False, True, False, False, True]
    assert [len(record.found) for record in records] == [2, 2, 0, 0, 0]


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_counts_them(
    tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = labels(tmp_path, form)
    (done,) = exported("coco", tmp_path / "out", path)
    assert (done.tally.labelled, done.tally.propagated) == (4, 2)
    images = json.loads(done.output.read_text())["images"]
    assert [(image["frame"], image["by"], image.get("from_frame")) for image in images] == [
        (0, "model", None),
        (1, "propagated", 0),
        (3, "model", None),
        (4, "propagated", 3),
    ]
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(path), "--to", "yolo", "--out", "yolo"]) == 0
    assert "4 labelled frames, 2 of them propagated, 4 entries, 1 failed" in capsys.readouterr().err


def test_labels_of_a_model_that_saw_every_frame_say_nothing_of_it(tmp_path: Path) -> None:
    from tests.export.cases import labels as seen

    (done,) = exported("coco", tmp_path / "out", seen(tmp_path))
    assert done.tally.propagated == 0
    assert all("by" not in image for image in json.loads(done.output.read_text())["images"])


@pytest.mark.parametrize(
    ("written", "instead", "says"),
    [
        (b'"by":"propagated"', b'"by":"guessed"', "guessed"),
        (b'"from_frame":0', b'"from_frame":"x"', "propagated from frame 'x'"),
        (b'"from_pts":0', b'"from_pts":0.5', "pts 0.5"),
    ],
)
def test_what_makes_no_sense_is_damage(tmp_path: Path, written: bytes, instead: bytes, says: str) -> None:
    path = labels(tmp_path, "jsonl")
    data = path.read_bytes()
    assert written in data
    path.write_bytes(data.replace(written, instead))
    with pytest.raises(LabelError, match=says):
        list(open_labels(path).records())


def test_a_table_without_the_origin_of_a_propagated_row_is_damaged(tmp_path: Path) -> None:
    path = labels(tmp_path, "csv")
    text = path.read_text()
    assert ",propagated,0,0," in text
    path.write_text(text.replace(",propagated,0,0,", ",propagated,,,"))
    with pytest.raises(LabelError, match="propagated from frame None"):
        list(open_labels(path).records())
