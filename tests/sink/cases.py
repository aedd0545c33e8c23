"""Batches with everything in them that a record can hold, and readers that bring each format back to one form."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pycocotools.mask as coco
from numpy.typing import NDArray

from vidinfer.detections import Classes, Flow, Objects, Results, Segments
from vidinfer.frame import FrameStamp, Gap, SourceInfo
from vidinfer.record import Entry, LabelledBatch, Outcome, Span
from vidinfer.sink import label_sink
from vidinfer.stages import ModelInfo

TIME_BASE = Fraction(1, 15360)
CATEGORIES = ("__background__", "car", 'a "quoted", name', "vélo")
POINTS = ("nose", "left_eye", "right_eye")
SOURCE = SourceInfo("cam/clip, 1.mp4", 640, 360, TIME_BASE)
DETECTOR = ModelInfo("demo", "detection", CATEGORIES)
MASKED = ModelInfo("maskrcnn", "detection", CATEGORIES, details={"masks": True})
POSED = ModelInfo("keypointrcnn", "detection", CATEGORIES, keypoints=POINTS, skeleton=((0, 1), (0, 2)))
CLASSIFIER = ModelInfo("resnet18", "classification", CATEGORIES)
SEGMENTER = ModelInfo("fcn", "segmentation", CATEGORIES)
CLIPPER = ModelInfo("r3d_18", "video", CATEGORIES)
FLOWER = ModelInfo("raft_small", "optical_flow", ())
FORMATS = ("jsonl", "csv", "parquet")
BOX = ("x1", "y1", "x2", "y2")
FLOW = ("mean", "max", "direction", "moving", "seconds")
CLIP = ("first_pts", "last_pts", "frames", "padded")


def stamp(index: int, pts: int | None) -> FrameStamp:
    return FrameStamp(index, pts, TIME_BASE)


def objects(counts: Sequence[int], seed: int = 0) -> Results:
    """Random objects, ``counts[i]`` of them in frame ``i``."""
    rng = np.random.default_rng(seed)
    m = sum(counts)
    return Results(
        len(counts),
        CATEGORIES,
        objects=Objects(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            rng.uniform(-1, 700, (m, 4)).astype(np.float32),
            rng.uniform(0, 1, m).astype(np.float32),
            rng.integers(0, len(CATEGORIES), m),
        ),
    )


def masked(counts: Sequence[int], seed: int = 0) -> Results:
    """Objects with masks, in boxes that lie in the picture, partly outside or quite."""
    results = objects(counts, seed)
    assert results.objects is not None
    rng = np.random.default_rng(seed)
    m = len(results.objects)
    boxes = np.sort(rng.uniform(-100, 700, (m, 2, 2)), axis=1).reshape(m, 4).astype(np.float32)
    masks = rng.uniform(0, 1, (m, 28, 28)).astype(np.float32)
    return replace(results, objects=replace(results.objects, boxes=boxes, masks=masks))


def posed(counts: Sequence[int], seed: int = 0) -> Results:
    """Objects with keypoints."""
    results = objects(counts, seed)
    assert results.objects is not None
    rng = np.random.default_rng(seed)
    points = rng.uniform(-5, 700, (len(results.objects), len(POINTS), 3)).astype(np.float32)
    return replace(results, objects=replace(results.objects, keypoints=points))


def classes(frames: int, k: int, seed: int = 0) -> Results:
    rng = np.random.default_rng(seed)
    return Results(
        frames,
        CATEGORIES,
        classes=Classes(
            rng.integers(0, len(CATEGORIES), (frames, k)), rng.uniform(0, 1, (frames, k)).astype(np.float32)
        ),
    )


def clips(windows: int, k: int, seed: int = 0) -> Results:
    found = classes(windows, k, seed)
    return replace(found, classes=None, clips=found.classes)


def segments(frames: int, seed: int = 0) -> Results:
    """Class maps of 9 x 16 blocks of all classes and 255."""
    rng = np.random.default_rng(seed)
    maps = rng.choice(np.array([*range(len(CATEGORIES)), 255], np.uint8), (frames, 3, 4))
    return Results(frames, CATEGORIES, segments=Segments(maps.repeat(3, axis=1).repeat(4, axis=2)))


def flow(pairs: int, seed: int = 0) -> Results:
    rng = np.random.default_rng(seed)
    fields = rng.normal(0, 3, (pairs, 45, 80, 2)).astype(np.float32)
    length = np.hypot(fields[..., 0], fields[..., 1])
    mean = fields.mean(axis=(1, 2))
    return Results(
        pairs,
        (),
        flow=Flow(
            length.mean(axis=(1, 2)),
            length.max(axis=(1, 2)),
            (np.degrees(np.arctan2(mean[:, 1], mean[:, 0])) % 360).astype(np.float32),
            (length >= 0.5).mean(axis=(1, 2)).astype(np.float32),
            fields,
        ),
    )


def mixed_batches(results: Results, *, first: int = 0) -> list[LabelledBatch]:
    """All outcomes around the frames of ``results``: a corrupt frame, a gap, a frame without pts, a failed batch."""
    n = results.frames
    entries = [Entry(Outcome.LABELLED, stamp(first + i, (first + i) * 512), row=i) for i in range(n)]
    entries.insert(1, Entry(Outcome.CORRUPT, stamp(first + n, None), reason='damaged "data", in part'))
    gap = Gap(10, None, TIME_BASE, 3, "lost\npackets")
    entries.append(Entry(Outcome.GAP, gap, reason=gap.reason))
    failed = [Entry(Outcome.FAILED, stamp(first + n + 1, -512), reason="RuntimeError: no")]
    return [LabelledBatch(entries, results), LabelledBatch(failed, Results(0, results.categories))]


def windowed_batches(results: Results, *, first: int = 0) -> list[LabelledBatch]:
    """:func:`mixed_batches` of windows; a frame that closes none comes first, and one window knows no times."""
    batches = mixed_batches(results, first=first + 1)
    entries = [
        replace(
            entry,
            span=Span(entry.row, entry.row + 2, 2, (1 + entry.row) / 25, padded=entry.row == 1)
            if entry.row != 2
            else Span(None, None, 2, None),
        )
        if entry.row >= 0
        else entry
        for entry in batches[0].entries
    ]
    alone = Entry(Outcome.LABELLED, stamp(first, None))
    return [LabelledBatch([alone, *entries], results), batches[1]]


def write(name: str, path: Path, batches: list[LabelledBatch], model: ModelInfo = DETECTOR) -> Path:
    """A complete label file of ``SOURCE``."""
    sink = label_sink(name, path, overwrite=True)
    sink.open(SOURCE, model)
    for batch in batches:
        sink.write(batch)
    sink.close()
    return path


def decode(counts: str | None, width: int, height: int) -> NDArray[np.uint8]:
    """The pixels ``(height, width)`` of a mask, by COCO's own decoder."""
    assert counts is not None
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # pycocotools and numpy 2 disagree about __array__
        mask: NDArray[np.uint8] = coco.decode({"size": [height, width], "counts": counts.encode()})
    return mask


def read(name: str, path: Path) -> list[dict[str, Any]]:
    """The records of a label file in the form of JSON lines; numbers as 32-bit floats, masks as their counts."""
    if name == "jsonl":
        return [_narrow(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    return _gather(_rows_of_csv(path) if name == "csv" else pq.read_table(path).to_pylist())


def _rows_of_csv(path: Path) -> list[dict[str, Any]]:
    integers = ("frame", "pts", "label_id", "first_pts", "last_pts", "packets")
    clip = ("clip_first_pts", "clip_last_pts", "clip_frames")
    reals = ("time", "score", *BOX, "area", *(f"flow_{name}" for name in FLOW))
    types: dict[str, Any] = dict.fromkeys((*integers, *clip), int) | dict.fromkeys(reals, float)
    types |= {"keypoints": json.loads, "clip_padded": json.loads}
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {k: None if v == "" else types.get(k, str)(v) for k, v in row.items()}
            for row in csv.DictReader(file)
        ]


def _kind_of(row: dict[str, Any]) -> str:
    signs = {"x1": "objects", "area": "segments", "clip_frames": "clip", "flow_mean": "flow"}
    return next((kind for column, kind in signs.items() if column in row), "classes")


def _gather(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One record per frame or gap out of flat rows."""
    records: list[dict[str, Any]] = []
    for row in rows:
        kind = _kind_of(row)
        if row["frame"] is None:
            names = ("source", "time_base", "outcome", "reason", "first_pts", "last_pts", "packets")
            records.append({name: row[name] for name in names})
            continue
        if not records or records[-1].get("frame") != row["frame"]:
            names = ("source", "frame", "pts", "time_base", "time", "outcome", "reason")
            records.append({n: row[n] for n in names if n != "reason" or row[n] is not None})
            records[-1] |= {} if kind in ("clip", "flow") else {kind: []}
        if kind == "flow":
            if row["flow_moving"] is not None:
                records[-1]["flow"] = {name: row[f"flow_{name}"] for name in FLOW}
        elif row["label"] is not None:
            finding = {
                n: row[n] for n in ("label", "label_id", "score", "area", "mask", "keypoints") if n in row
            }
            if kind == "objects":
                finding["box"] = [row[name] for name in BOX]
            if kind == "clip":
                clip = {name: row[f"clip_{name}"] for name in CLIP} | {"classes": []}
                records[-1].setdefault("clip", clip)["classes"].append(finding)
            else:
                records[-1][kind].append(finding)
    return [_narrow(record) for record in records]


def _narrow(record: dict[str, Any]) -> dict[str, Any]:
    findings = next((record[k] for k in ("objects", "classes", "segments") if k in record), [])
    for finding in record.get("clip", {}).get("classes", findings):
        if "rle" in finding:
            finding["mask"] = finding.pop("rle")
        if isinstance(mask := finding.get("mask"), dict):
            assert mask["size"] == [SOURCE.height, SOURCE.width]
            finding["mask"] = mask["counts"]
        for name in ("score", "area", "box", "keypoints"):
            if name in finding:
                finding[name] = _float32(finding[name])
    if "flow" in record:
        record["flow"] |= {name: _float32(record["flow"][name]) for name in FLOW if name != "seconds"}
    return record


def _float32(value: Any) -> Any:
    if isinstance(value, list):
        return [_float32(item) for item in value]
    return None if value is None else float(np.float32(value))
