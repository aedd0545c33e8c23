"""Every task, from a file to labels in every format and the overlaid video, through the whole program."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

import vidinfer
from tests.integration.conftest import Runner, records, run_report
from tests.media import draw_colours, make_video
from vidinfer.errors import UsageError

FRAMES = 40
OWN = "tests.model.own_models"
MODELS: dict[str, dict[str, Any]] = {
    "segmentation": {
        "model": "lraspp_mobilenet_v3_large",
        "weights": "none",
        "class_maps": True,
        "max_frames": 6,
    },
    "clips": {"model": "r3d_18", "weights": "none"},
    "flow": {"model": "raft_small", "weights": "none", "flow_files": "flo", "max_frames": 4},
    "quantized": {"model": "quantized_shufflenet_v2_x0_5", "weights": "none"},
    "masks": {"model": f"{OWN}:small_maskrcnn", "score_threshold": 0.2, "max_frames": 6},
    "keypoints": {"model": f"{OWN}:small_keypointrcnn", "score_threshold": 0.2, "max_frames": 6},
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    return make_video(path, frames=FRAMES, size=(160, 96), rate=30, draw=draw_colours)


@pytest.mark.parametrize("task", MODELS)
def test_from_file_to_labels_and_video(tmp_path: Path, clip: Path, label_files: Runner, task: str) -> None:
    options = MODELS[task]
    report = label_files(clip, labels="jsonl,csv,parquet", video=True, **options)
    assert report.exit_status == 0, report
    out = tmp_path / "out"
    count = options.get("max_frames", FRAMES)
    facts = run_report(out / "clip.run.json")
    assert facts["frames"]["labelled"] == count
    lines = records(out / "clip.labels.jsonl")
    assert [line["frame"] for line in lines] == list(range(count))
    with av.open(str(out / "clip.annotated.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == count
    rows = list(csv.DictReader(io.StringIO((out / "clip.labels.csv").read_text("utf-8"))))
    table = pq.read_table(out / "clip.labels.parquet").to_pylist()
    assert len(rows) == len(table) >= count
    LOOKS[task](lines, rows, facts, out)


def _segments(lines: list[Any], rows: list[Any], facts: Any, out: Path) -> None:
    for line in lines:
        assert 0 < sum(segment["area"] for segment in line["segments"]) <= 1.0001
        assert all(segment["rle"]["size"] == [96, 160] for segment in line["segments"])
    assert len(list((out / "clip.classmaps").glob("*.png"))) == len(lines)


def _clips(lines: list[Any], rows: list[Any], facts: Any, out: Path) -> None:
    clips = {line["frame"]: line["clip"] for line in lines if "clip" in line}
    assert list(clips) == [30, FRAMES - 1]  # one second and a bit, and what is left
    assert [found["padded"] for found in clips.values()] == [False, True]
    assert clips[30]["first_pts"] == lines[0]["pts"]
    assert clips[30]["last_pts"] == lines[30]["pts"]
    assert all(len(found["classes"]) == 5 for found in clips.values())
    assert facts["model"]["clip"]["stride_seconds"] == pytest.approx(16 / 15)


def _flow(lines: list[Any], rows: list[Any], facts: Any, out: Path) -> None:
    assert "flow" not in lines[0]
    for line in lines[1:]:
        assert line["flow"]["seconds"] == pytest.approx(1 / 30)
        assert line["flow"]["max"] >= line["flow"]["mean"] > 0
        assert (out / line["flow"]["file"]).stat().st_size == 12 + 160 * 96 * 8


def _quantized(lines: list[Any], rows: list[Any], facts: Any, out: Path) -> None:
    assert all(len(line["classes"]) == 5 for line in lines)
    assert facts["model"]["precision"] == "int8"


def _masks(lines: list[Any], rows: list[Any], facts: Any, out: Path) -> None:
    found = [one for line in lines for one in line["objects"]]
    assert found
    assert all(one["mask"]["size"] == [96, 160] and one["mask"]["counts"] for one in found)
    assert {row["mask"] for row in rows if row["label"]} == {one["mask"]["counts"] for one in found}


def _keypoints(lines: list[Any], rows: list[Any], facts: Any, out: Path) -> None:
    found = [one for line in lines for one in line["objects"]]
    assert found
    assert all(np.array(one["keypoints"]).shape == (17, 3) for one in found)
    assert facts["model"]["keypoints"][:2] == ["nose", "left_eye"]
    assert len(facts["model"]["skeleton"]) == 19
    assert {len(json.loads(row["keypoints"])) for row in rows if row["label"]} == {17}


LOOKS = {
    "segmentation": _segments,
    "clips": _clips,
    "flow": _flow,
    "quantized": _quantized,
    "masks": _masks,
    "keypoints": _keypoints,
}


@pytest.mark.parametrize("task", ["segmentation", "clips", "flow", "masks"])
def test_batch_sizes_give_the_same_labels(tmp_path: Path, clip: Path, label_files: Runner, task: str) -> None:
    options = MODELS[task] | {"class_maps": False, "flow_files": None}
    found = {}
    for size in (1, 4, 16):  # one by one, the last batch smaller than the others, all at once
        report = label_files(clip, max_batch_size=size, out=tmp_path / str(size), **options)
        assert report.exit_status == 0
        found[size] = records(tmp_path / str(size) / "clip.labels.jsonl")
    for size in (4, 16):
        for one, other in zip(found[1], found[size], strict=True):
            assert_close(one, other)


def assert_close(one: Any, other: Any, key: str = "") -> None:
    """Equal but for numbers: scores within 1e-4, pixels within 0.05; run lengths are compared by their areas."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            assert_close(one[name], other[name], name)
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_close(a, b, key)
    elif isinstance(one, float):
        bound = {"box": 0.06, "direction": 0.5, "mean": 0.5, "max": 2.0}.get(
            key, 1.1e-4
        )  # and their rounding
        assert one == pytest.approx(other, abs=bound), key
    elif key != "counts":
        assert one == other, key


@pytest.mark.parametrize(("task", "key"), [("clips", "clip"), ("flow", "flow")])
def test_a_video_of_one_frame(tmp_path: Path, label_files: Runner, task: str, key: str) -> None:
    clip = make_video(tmp_path / "one.mp4", frames=1)
    report = label_files(clip, video=True, model=MODELS[task]["model"], weights="none")
    assert report.exit_status == 0
    (line,) = records(tmp_path / "out" / "one.labels.jsonl")
    assert line["outcome"] == "labelled"
    if key == "clip":
        assert (line["clip"]["frames"], line["clip"]["padded"]) == (1, True)
    else:
        assert "flow" not in line, "there is nothing to compare it with"


def test_outputs_that_a_model_does_not_have_are_refused(clip: Path, label_files: Runner) -> None:
    for option in ({"class_maps": True}, {"flow_files": "flo"}, {"clip_stride": "1"}):
        with pytest.raises(UsageError, match="demo is for detection, and this goes with"):
            label_files(clip, **option)


def test_folders_are_outputs_like_files(tmp_path: Path, clip: Path, label_files: Runner) -> None:
    options = MODELS["segmentation"] | {"max_frames": 2}
    label_files(clip, **options)
    with pytest.raises(UsageError, match="output exists"):
        label_files(clip, **options)
    assert [r.status for r in label_files(clip, resume=True, **options).sources] == ["skipped"]
    label_files(clip, overwrite=True, **(options | {"max_frames": 1}))
    assert [p.name for p in (tmp_path / "out" / "clip.classmaps").iterdir()] == ["000000.png"]


def test_from_python(clip: Path) -> None:
    with vidinfer.label(clip, model="lraspp_mobilenet_v3_large", weights="none", max_frames=2) as frames:
        first = next(frames)
    assert first.segments is not None
    assert first.segments.class_map.shape == (520, 866)
    clips = [f.clip for f in vidinfer.label(clip, model="r3d_18", weights="none", clip_stride=0.5)]
    assert sum(found is not None for found in clips) >= 2
    flows = [f.flow for f in vidinfer.label(clip, model="raft_small", weights="none", max_frames=2)]
    assert flows[0] is None
    assert flows[1] is not None
    assert flows[1].shape[2] == 2


def test_a_network_that_fails_on_a_batch_costs_those_frames(
    tmp_path: Path, clip: Path, label_files: Runner
) -> None:
    report = label_files(clip, model=f"{OWN}:gives_nan", max_batch_size=20)
    assert report.exit_status == 1
    frames = run_report(tmp_path / "out" / "clip.run.json")["frames"]
    assert frames["failed"] == FRAMES
    assert "not finite" in records(tmp_path / "out" / "clip.labels.jsonl")[0]["reason"]
