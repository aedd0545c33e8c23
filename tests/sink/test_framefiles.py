"""Class maps and vectors as files, read back by other people's readers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.sink.cases import (
    CATEGORIES,
    FLOWER,
    SEGMENTER,
    SOURCE,
    flow,
    mixed_batches,
    objects,
    segments,
    stamp,
    windowed_batches,
)
from vidinfer.detections import Flow, Results, Segments
from vidinfer.errors import SinkError
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.sink import ClassMapSink, FlowFileSink
from vidinfer.sink.png import voc_colours
from vidinfer.stages import ModelInfo

SINKS = {
    "classmaps": (ClassMapSink, SEGMENTER, mixed_batches(segments(3))),
    "flow": (FlowFileSink, FLOWER, windowed_batches(flow(3))),
}
every_sink = pytest.mark.parametrize("kind", SINKS)


def run(sink: ClassMapSink | FlowFileSink, model: ModelInfo, batches: list[LabelledBatch]) -> Path:
    sink.open(SOURCE, model)
    for batch in batches:
        sink.write(batch)
    sink.close()
    return sink.paths[0]


def read_flo(path: Path) -> NDArray[np.float32]:
    data = path.read_bytes()
    assert np.frombuffer(data, "<f4", 1)[0] == np.float32(202021.25)
    width, height = np.frombuffer(data, "<i4", 2, 4)
    assert len(data) == 12 + 8 * width * height
    return np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2)


@every_sink
def test_one_file_per_labelled_frame_complete_or_absent(kind: str, tmp_path: Path) -> None:
    make, model, batches = SINKS[kind]
    sink = make(tmp_path / "out" / f"clip.{kind}")
    assert sink.paths == (tmp_path / "out" / f"clip.{kind}",)
    assert not sink.needs_pictures
    with pytest.raises(SinkError, match="before it is opened"):
        sink.write(batches[0])
    sink.open(SOURCE, model)
    sink.write(batches[0])
    assert not sink.paths[0].exists()
    sink.write(batches[1])
    sink.close()
    sink.close()
    sink.abort()
    labelled = [e.at.index for b in batches for e in b.entries if e.row >= 0]  # type: ignore[union-attr]
    names = sorted(p.name for p in sink.paths[0].iterdir())
    assert [int(Path(name).stem) for name in names] == labelled
    assert [f"clip.{kind}/{name}" for name in names] == [sink.name_of(i) for i in labelled]
    assert sink.facts() == {"format": {"classmaps": "png", "flow": "flo"}[kind], "frames": 3}
    assert [p.name for p in sink.paths[0].parent.iterdir()] == [f"clip.{kind}"]


@every_sink
def test_abort_leaves_nothing_and_what_was_there(kind: str, tmp_path: Path) -> None:
    make, model, batches = SINKS[kind]
    final = tmp_path / "a"
    final.mkdir()
    (final / "precious").touch()
    with pytest.raises(SinkError, match="exists; give --overwrite"):
        make(final).open(SOURCE, model)
    sink = make(final, overwrite=True)
    sink.abort()
    sink.open(SOURCE, model)
    sink.write(batches[0])
    sink.abort()
    sink.abort()
    sink.close()
    assert list(tmp_path.iterdir()) == [final]
    assert [p.name for p in final.iterdir()] == ["precious"]
    run(make(final, overwrite=True), model, batches)
    assert len(list(final.iterdir())) == 3
    assert list(tmp_path.iterdir()) == [final]


@every_sink
def test_models_and_results_of_another_task_are_refused(kind: str, tmp_path: Path) -> None:
    make, model, _ = SINKS[kind]
    sink = make(tmp_path / "a")
    with pytest.raises(SinkError, match="but demo does detection"):
        sink.open(SOURCE, ModelInfo("demo", "detection", CATEGORIES))
    assert list(tmp_path.iterdir()) == []
    sink.open(SOURCE, model)
    with pytest.raises(SinkError, match="which its task promises"):
        sink.write(mixed_batches(objects([1]))[0])
    sink.abort()
    assert list(tmp_path.iterdir()) == []


def test_class_maps_are_indexed_png_of_the_displayed_size(tmp_path: Path) -> None:
    found = Results(1, CATEGORIES, segments=Segments(np.array([[[0, 3, 1], [255, 2, 2]]], np.uint8)))
    entry = Entry(Outcome.LABELLED, stamp(1_234_567, 0), row=0)
    folder = run(ClassMapSink(tmp_path / "a"), SEGMENTER, [LabelledBatch([entry], found)])
    with Image.open(folder / "1234567.png") as image:
        assert (image.mode, image.size) == ("P", (640, 360))
        pixels = np.array(image)
        colours = np.array(image.getpalette()).reshape(-1, 3)
    rows, columns = (np.arange(360) * 2 + 1) * 2 // 720, (np.arange(640) * 2 + 1) * 3 // 1280
    assert found.segments is not None
    assert np.array_equal(pixels, found.segments.class_maps[0][rows][:, columns])
    assert np.array_equal(colours, voc_colours())
    seen = cv2.imread(str(folder / "1234567.png"))
    assert seen[0, 0].tolist() == [0, 0, 0]
    assert seen[0, -1].tolist() == [0, 0, 128]


def test_the_palette_is_that_of_pascal_voc() -> None:
    colours = voc_colours().tolist()
    assert colours[:5] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert colours[15] == [192, 128, 128]  # person
    assert colours[20] == [0, 64, 128]  # tv monitor
    assert colours[255] == [224, 224, 192]  # the border of VOC's own annotations
    assert len({tuple(colour) for colour in colours}) == 256


def one_field(field: NDArray[np.float32]) -> list[LabelledBatch]:
    zero = np.zeros(1, np.float32)
    results = Results(1, (), flow=Flow(zero, zero, zero, zero, field[None]))
    return [LabelledBatch([Entry(Outcome.LABELLED, stamp(7, 0), row=0)], results)]


def test_flo_holds_the_stretched_field(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    small = rng.normal(0, 3, (45, 80, 2)).astype(np.float32)
    field = read_flo(run(FlowFileSink(tmp_path / "a"), FLOWER, one_field(small)) / "000007.flo")
    assert field.shape == (360, 640, 2)
    assert np.abs(field - cv2.resize(small, (640, 360), interpolation=cv2.INTER_LINEAR)).max() < 1e-3
    full = rng.normal(0, 3, (360, 640, 2)).astype(np.float32)
    field = read_flo(run(FlowFileSink(tmp_path / "b"), FLOWER, one_field(full)) / "000007.flo")
    assert np.array_equal(field, full)
    assert np.array_equal(cv2.readOpticalFlow(str(tmp_path / "b" / "000007.flo")), full)


def test_png_is_that_of_kitti(tmp_path: Path) -> None:
    field = np.random.default_rng(0).normal(0, 3, (360, 640, 2)).astype(np.float32)
    field[0, 0] = [600, -1]
    field[0, 1] = [-512, 511.98]
    field[0, 2] = [np.nan, 1]
    field[0, 3] = [1, np.inf]
    sink = FlowFileSink(tmp_path / "a", kind="png")
    with np.errstate(all="raise"):
        folder = run(sink, FLOWER, one_field(field))
    blue, green, red = np.moveaxis(cv2.imread(str(folder / "000007.png"), cv2.IMREAD_UNCHANGED), 2, 0)
    assert red.dtype == np.uint16
    assert (red[0, 0], green[0, 0], blue[0, 0]) == (65535, 32768 - 64, 1)
    assert (red[0, 1], green[0, 1], blue[0, 1]) == (0, 65535, 1)
    assert [(c[0, 2], c[0, 3]) for c in (red, green, blue)] == [(0, 0)] * 3
    assert blue[1:].min() == blue[1:].max() == 1
    back = np.stack([red, green], axis=2)[1:].astype(np.float64) / 64 - 512
    assert np.abs(back - field[1:]).max() <= 1 / 128
    assert sink.facts() == {
        "format": "png",
        "frames": 1,
        "warnings": ["1 vectors were longer than the format holds; they are cut at 512 pixels"],
    }
    assert sink.name_of(7) == "a/000007.png"
