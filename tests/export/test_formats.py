"""Each format read back by the library of its own tool, where there is one that a test can have."""

from __future__ import annotations

import configparser
import csv
import json
import os
import shlex
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from tests.export.cases import BOXES, detections, exported, foreign, in_order, labels
from tests.media import make_video, read_number
from tests.sink import cases
from tests.sink.cases import CLASSIFIER, CLIPPER, MASKED, POSED, SEGMENTER, decode
from vidinfer.export.registry import EXPORT_FORMATS
from vidinfer.record import LabelledBatch

WIDTH, HEIGHT = 640, 360
CUT = np.clip(BOXES.astype(np.float64), 0, [WIDTH, HEIGHT] * 2)


def coco_of(path: Path) -> Any:
    from pycocotools.coco import COCO

    with foreign(), redirect_stdout(StringIO()):
        return COCO(str(path))


def test_coco_is_read_by_pycocotools_and_scores_itself(tmp_path: Path) -> None:
    from pycocotools.cocoeval import COCOeval

    (one,) = exported("coco", tmp_path, labels(tmp_path))
    truth = coco_of(one.output)
    assert [image["id"] for image in truth.dataset["images"]] == [1, 2, 3]
    assert [image["frame"] for image in truth.dataset["images"]] == [0, 1, 3]
    assert [image["pts"] for image in truth.dataset["images"]] == [0, 512, 1536]
    assert truth.dataset["images"][2]["file_name"] == "clip/000003.jpg"
    assert truth.dataset["images"][0]["width"] == WIDTH
    assert [one["outcome"] for one in truth.dataset["not_labelled"]] == ["corrupt", "gap", "failed"]
    assert {c["id"]: c["name"] for c in truth.loadCats(truth.getCatIds())} == {1: "person", 3: "car"}
    x, y, w, h = truth.loadAnns(truth.getAnnIds(imgIds=[1], catIds=[3]))[0]["bbox"]
    np.testing.assert_allclose([x, y, x + w, y + h], BOXES[0])
    assert truth.getAnnIds(imgIds=[2]) == []
    with foreign(), redirect_stdout(StringIO()):
        found = truth.loadRes(truth.dataset["annotations"])
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def figures(count: int) -> list[LabelledBatch]:
    """So many objects with keypoints, in boxes that lie in the picture at least in part."""
    results = cases.posed([count])
    assert results.objects is not None
    objects = replace(results.objects, boxes=BOXES[:count], labels=np.array([1, 2, 3])[:count])
    return in_order(cases.mixed_batches(replace(results, objects=objects)))


def known_objects(path: Path) -> list[Any]:
    """Of the first frame, but for those of the background class, which no format has."""
    objects = json.loads(path.read_text().splitlines()[0])["objects"]
    return [one for one in objects if one["label_id"]]


def in_picture(box: list[float]) -> bool:
    return box[0] < WIDTH and box[1] < HEIGHT and box[2] > 0 and box[3] > 0


def test_coco_masks_are_those_of_the_labels(tmp_path: Path) -> None:
    batches = in_order(cases.mixed_batches(cases.masked([5, 1])))
    path = labels(tmp_path, batches=batches, model=MASKED)
    (one,) = exported("coco", tmp_path, path)
    truth = coco_of(one.output)
    first = known_objects(path)
    for annotation, wanted in zip(truth.loadAnns(truth.getAnnIds(imgIds=[1])), first, strict=True):
        with foreign():
            pixels = truth.annToMask(annotation)
        np.testing.assert_array_equal(pixels, decode(wanted["mask"]["counts"], WIDTH, HEIGHT))
        assert annotation["area"] == pixels.sum()


def test_coco_segments_and_keypoints(tmp_path: Path) -> None:
    path = labels(tmp_path, batches=in_order(cases.mixed_batches(cases.segments(2))), model=SEGMENTER)
    (one,) = exported("coco", tmp_path / "s", path)
    truth = coco_of(one.output)
    with foreign():
        masks = [truth.annToMask(a) for a in truth.loadAnns(truth.getAnnIds(imgIds=[1]))]
    assert np.sum(masks, axis=0).max() == 1  # segments do not overlap
    path = labels(tmp_path, batches=figures(1), model=POSED)
    (one,) = exported("coco", tmp_path / "k", path)
    truth = coco_of(one.output)
    assert truth.dataset["categories"][0]["skeleton"] == [[1, 2], [1, 3]]
    (annotation,) = truth.dataset["annotations"]
    shown = json.loads(path.read_text().splitlines()[0])["objects"][0]["keypoints"]
    assert annotation["num_keypoints"] == sum(score > 0 for _, _, score in shown) > 0
    assert [annotation["keypoints"][3 * i] for i, p in enumerate(shown) if p[2] > 0] == [
        p[0] for p in shown if p[2] > 0
    ]


def test_yolo_is_read_by_supervision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 0)  # its bars would leave a thread behind
    with foreign():
        import supervision as sv

    (one,) = exported("yolo", tmp_path, labels(tmp_path))
    assert sorted(p.name for p in (one.output / "labels").iterdir()) == [
        f"clip_{frame:06d}.txt" for frame in (0, 1, 3)
    ]
    assert (one.output / "labels" / "clip_000001.txt").read_bytes() == b""
    images = one.output / "images"
    images.mkdir()
    for frame in (0, 1, 3):
        cv2.imwrite(str(images / f"clip_{frame:06d}.jpg"), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    with foreign():
        data = sv.DetectionDataset.from_yolo(
            str(images), str(one.output / "labels"), str(one.output / "data.yaml")
        )
        assert data.classes == ["person", "car"]
        found = {Path(name).stem: detections for name, _, detections in data}
    np.testing.assert_allclose(found["clip_000000"].xyxy, CUT[:2], atol=0.006)
    assert found["clip_000000"].class_id.tolist() == [1, 0]
    assert len(found["clip_000001"]) == 0
    with (one.output / "not_labelled.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["outcome"]) for row in rows] == [
        ("2", "corrupt"),
        ("", "gap"),
        ("4", "failed"),
    ]


@pytest.mark.parametrize("turned", [0, 90])
def test_yolo_pictures_made_as_documented_are_those_that_were_labelled(tmp_path: Path, turned: int) -> None:
    """FFmpeg's command in ``docs/export.md``, on a variable rate with frames far closer together than the mean."""
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    (command,) = (line for line in page.splitlines() if line.startswith("    ffmpeg "))
    pts = [int(sum((20, 25, 100, 7)[i % 4] for i in range(n))) for n in range(40)]
    make_video(
        tmp_path / "clip.mp4", frames=40, pts=pts, time_base=Fraction(1, 600), rotation=turned, b_frames=2
    )
    images = tmp_path / "clip.yolo" / "images"
    images.mkdir(parents=True)
    done = subprocess.run(
        [*shlex.split(command), "-v", "error", "-nostdin"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    pictures = {path.name: cv2.imread(str(path)) for path in sorted(images.iterdir())}
    assert list(pictures) == [f"clip_{frame:06d}.jpg" for frame in range(40)]
    for frame, picture in enumerate(pictures.values()):
        assert picture is not None
        assert read_number(picture) == frame


def test_yolo_keypoints_follow_the_published_form(tmp_path: Path) -> None:
    path = labels(tmp_path, batches=figures(3), model=POSED)
    (one,) = exported("yolo", tmp_path, path)
    data = yaml.safe_load((one.output / "data.yaml").read_text())
    assert data["kpt_shape"] == [3, 3]
    assert data["nc"] == len(data["names"]) == 3
    assert one.tally.findings == 3
    for file in (one.output / "labels").iterdir():
        for line in file.read_text().splitlines():
            number, *values = line.split(" ")
            assert 0 <= int(number) < 3
            assert len(values) == 4 + 3 * 3
            where = np.array(values, np.float64)
            assert (where[:4] >= 0).all()
            assert (where[:4] <= 1).all()
            assert set(where[6::3]) <= {0, 2}
    assert one.leaves_out == ("scores",)


def test_mot_is_read_by_motmetrics(tmp_path: Path) -> None:
    with foreign():
        import motmetrics

    (one,) = exported("mot", tmp_path, labels(tmp_path))
    with foreign():
        table = motmetrics.io.loadtxt(str(one.output / "det" / "det.txt"), fmt="mot15-2D").reset_index()
    assert table["FrameId"].tolist() == [1, 1, 4]  # vidinfer's 0, 0 and 3
    assert table["Id"].tolist() == [-1, -1, -1]
    corners = table[["X", "Y", "Width", "Height"]].to_numpy()
    corners[:, 2:] += corners[:, :2]
    np.testing.assert_allclose(corners, BOXES, atol=0.006)  # it takes the 1 off again
    assert table["Confidence"].tolist() == [0.9, 0.8, 0.75]
    assert table["ClassId"].tolist() == [2, 1, 1]
    assert (one.output / "labels.txt").read_text() == "person\ncar\n"
    sequence = (one.output / "seqinfo.ini").read_text()
    assert "frameRate=30\nseqLength=5\nimWidth=640\nimHeight=360\n" in sequence


def test_cvat_tracks_last_one_frame(tmp_path: Path) -> None:
    (one,) = exported("cvat", tmp_path, labels(tmp_path))
    root = ET.parse(one.output).getroot()
    assert root.findtext("version") == "1.1"
    assert root.findtext("meta/task/size") == "5"
    assert [name.text for name in root.findall("meta/task/labels/label/name")] == ["person", "car"]
    tracks = root.findall("track")
    assert [track.get("label") for track in tracks] == ["car", "person", "person"]
    shown = [[(b.get("frame"), b.get("outside")) for b in track.findall("box")] for track in tracks]
    assert shown == [[("0", "0"), ("1", "1")]] * 2 + [[("3", "0"), ("4", "1")]]
    corners = [[float(track[0].get(key, "")) for key in ("xtl", "ytl", "xbr", "ybr")] for track in tracks]
    np.testing.assert_allclose(corners, CUT, atol=0.006)
    assert tracks[0].findtext("box/attribute") == "0.90000"
    assert one.output.read_text().count("<!-- not labelled: outcome ") == 3


def test_cvat_objects_end_with_their_frame_where_the_run_ended_before_the_video(tmp_path: Path) -> None:
    (whole,) = detections()
    batches = [replace(whole, entries=whole.entries[:-1])]  # up to frame 3
    path = labels(tmp_path, batches=batches)
    run = tmp_path / "clip.run.json"
    told = json.loads(run.read_text()) | {"status": "complete", "frames": {"decoded": 4}}
    told["source"] |= {"frames_claimed": 60, "found": {"frames": 5}}
    run.write_text(json.dumps(told))
    (one,) = exported("cvat", tmp_path, path)
    root = ET.parse(one.output).getroot()
    assert root.findtext("meta/task/size") == "60"
    (last,) = [track for track in root.findall("track") if track[0].get("frame") == "3"]
    assert [(box.get("frame"), box.get("outside")) for box in last.findall("box")] == [("3", "0"), ("4", "1")]


def test_cvat_masks_and_keypoints(tmp_path: Path) -> None:
    path = labels(tmp_path, batches=in_order(cases.mixed_batches(cases.masked([9]))), model=MASKED)
    (one,) = exported("cvat", tmp_path / "m", path)
    wanted = [m["mask"]["counts"] for m in known_objects(path) if in_picture(m["box"])]
    masks = [decode(counts, WIDTH, HEIGHT) for counts in wanted]
    tracks = ET.parse(one.output).getroot().findall("track")
    found = [track[0] for track in tracks if track[0].tag == "mask"]
    assert len(found) == sum(mask.any() for mask in masks) > 0
    for element, mask in zip(found, (mask for mask in masks if mask.any()), strict=True):
        left, top, width, height = (int(element.get(k, "")) for k in ("left", "top", "width", "height"))
        runs = [int(run) for run in element.get("rle", "").split(", ")]
        inside = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width)
        whole = np.zeros_like(mask)
        whole[top : top + height, left : left + width] = inside
        np.testing.assert_array_equal(whole, mask)
    path = labels(tmp_path, batches=figures(1), model=POSED)
    (one,) = exported("cvat", tmp_path / "k", path)
    tracks = ET.parse(one.output).getroot().findall("track")
    assert [track[0].tag for track in tracks] == ["box", "points"]
    assert len({track.get("group_id") for track in tracks}) == 1


def test_label_studio_regions(tmp_path: Path) -> None:
    (one,) = exported("labelstudio", tmp_path, labels(tmp_path))
    (task,) = json.loads(one.output.read_text())
    regions = task["predictions"][0]["result"]
    assert {(r["type"], r["from_name"], r["to_name"]) for r in regions} == {
        ("videorectangle", "box", "video")
    }
    assert len({region["id"] for region in regions}) == 3
    spots = [region["value"]["sequence"] for region in regions]
    assert [[(s["frame"], s["enabled"], s["time"]) for s in spot] for spot in spots] == [
        [(1, False, 0.0)],
        [(1, False, 0.0)],
        [(4, False, 0.1)],
    ]
    shares = np.array([[s[0][k] for k in ("x", "y", "width", "height")] for s in spots]) / 100
    shares[:, 2:] += shares[:, :2]
    np.testing.assert_allclose(shares * np.tile([WIDTH, HEIGHT], 2), CUT, atol=0.006)
    assert regions[0]["value"]["labels"] == ["car"]
    assert regions[0]["value"]["framesCount"] == 5
    assert task["data"]["fps"] == 30
    assert [other["outcome"] for other in task["data"]["not_labelled"]] == ["corrupt", "gap", "failed"]


def cues(path: Path) -> list[tuple[str, str, str]]:
    with foreign():
        import webvtt

        return [(cue.start, cue.end, cue.text) for cue in webvtt.read(str(path))]


def test_webvtt_is_read_by_webvtt_py(tmp_path: Path) -> None:
    (one,) = exported("webvtt", tmp_path, labels(tmp_path))
    # Frame 1 has no objects, 2 is damaged, and the gap begins at pts 1300.
    assert cues(one.output) == [
        ("00:00:00.000", "00:00:00.033", "1 car, 1 person"),
        ("00:00:00.100", "00:00:00.133", "1 person"),
    ]
    assert one.output.read_text().count("NOTE not labelled: ") == 3


def test_classes_and_clips_have_times(tmp_path: Path) -> None:
    batches = in_order(cases.mixed_batches(cases.classes(4, 2, seed=3)))
    path = labels(tmp_path, batches=batches, model=CLASSIFIER)
    best = [
        r["classes"][0]["label"] for r in map(json.loads, path.read_text().splitlines()) if r.get("classes")
    ]
    (one,) = exported("webvtt", tmp_path / "c", path)
    assert {text for _, _, text in cues(one.output)} <= set(best)
    (one,) = exported("labelstudio", tmp_path / "c", path)
    (task,) = json.loads(one.output.read_text())
    runs = [region["value"] for region in task["predictions"][0]["result"]]
    named = [
        name
        for run in runs
        for _ in range(run["ranges"][0]["end"] - run["ranges"][0]["start"] + 1)
        for name in run["timelinelabels"]
    ]
    assert named == best
    path = labels(tmp_path, batches=in_order(cases.windowed_batches(cases.clips(2, 2))), model=CLIPPER)
    (one,) = exported("webvtt", tmp_path / "v", path)
    assert one.tally.left_out or cues(one.output)


def test_csv_is_what_the_run_would_have_written(tmp_path: Path) -> None:
    (one,) = exported("csv", tmp_path / "out", labels(tmp_path, form="parquet"))
    assert one.output.read_bytes() == labels(tmp_path, form="csv").read_bytes()


BOXED: dict[str, Callable[[Path], int]] = {
    "coco": lambda path: len(json.loads(path.read_text())["annotations"]),
    "yolo": lambda path: sum(len(p.read_text().splitlines()) for p in path.glob("labels/*")),
    "mot": lambda path: len((path / "det" / "det.txt").read_text().splitlines()),
    "cvat": lambda path: len(ET.parse(path).getroot().findall("track")),
    "labelstudio": lambda path: len(json.loads(path.read_text())[0]["predictions"][0]["result"]),
}


@pytest.mark.parametrize("to", BOXED)
def test_a_box_that_is_none_is_counted_and_left_out(tmp_path: Path, to: str) -> None:
    path = labels(tmp_path)
    text = path.read_text().replace("[10.0,20.5,110.0,220.25]", "[null,20.5,110.0,220.25]")
    assert "null,20.5" in text
    path.write_text(text)
    (one,) = exported(to, tmp_path / "out", path)
    assert one.tally.left_out == {"without finite coordinates": 1}
    assert BOXED[to](one.output) == one.tally.findings == 2


@pytest.mark.parametrize("to", sorted(EXPORT_FORMATS))
def test_names_that_are_no_text(tmp_path: Path, to: str) -> None:
    """Bytes in no encoding, a line's end, a command for terminals: each is in the name of the output alone."""
    base = os.fsdecode(b"caf\xe9\n\x1b[31m=#<&>\"'")
    (one,) = exported(to, tmp_path / "out", labels(tmp_path, base))
    assert one.output.name.startswith(base)
    if to in ("coco", "labelstudio"):
        json.loads(one.output.read_text("utf-8"))
    elif to == "cvat":
        ET.fromstring(one.output.read_text("utf-8"))
    elif to == "mot":
        ini = configparser.ConfigParser(interpolation=None)
        ini.read(one.output / "seqinfo.ini", "utf-8")
        assert ini["Sequence"]["name"] == "caf\ufffd??[31m=#<&>\"'"
        assert ini["Sequence"]["imWidth"] == str(WIDTH)
    elif to == "webvtt":
        import webvtt

        assert len(webvtt.read(str(one.output))) == 2
