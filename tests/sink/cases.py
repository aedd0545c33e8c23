"""Batches with everything in them that a record can hold, and readers that bring each format back to one form."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from vidinfer.detections import Classes, Objects, Results
from vidinfer.frame import FrameStamp, Gap, SourceInfo
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.stages import ModelInfo

TIME_BASE = Fraction(1, 15360)
CATEGORIES = ("background", "car", 'a "quoted", name', "vélo")
SOURCE = SourceInfo("cam/clip, 1.mp4", 640, 360, TIME_BASE)
DETECTOR = ModelInfo("demo", "detection", CATEGORIES)
CLASSIFIER = ModelInfo("resnet18", "classification", CATEGORIES)
FORMATS = ("jsonl", "csv", "parquet")
BOX = ("x1", "y1", "x2", "y2")


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


def classes(frames: int, k: int, seed: int = 0) -> Results:
    rng = np.random.default_rng(seed)
    return Results(
        frames,
        CATEGORIES,
        classes=Classes(
            rng.integers(0, len(CATEGORIES), (frames, k)), rng.uniform(0, 1, (frames, k)).astype(np.float32)
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
    return [LabelledBatch(entries, results), LabelledBatch(failed, Results(0, CATEGORIES))]


def read(name: str, path: Path) -> list[dict[str, Any]]:
    """The records of a label file in the form of JSON lines; scores and boxes as 32-bit floats."""
    if name == "jsonl":
        return [_narrow(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    return _gather(_rows_of_csv(path) if name == "csv" else pq.read_table(path).to_pylist())


def _rows_of_csv(path: Path) -> list[dict[str, Any]]:
    integers = {"frame", "pts", "label_id", "first_pts", "last_pts", "packets"}
    reals = {"time", "score", *BOX}
    rows: list[dict[str, Any]] = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows.append(
                {
                    k: None if v == "" else int(v) if k in integers else float(v) if k in reals else v
                    for k, v in row.items()
                }
            )
    return rows


def _gather(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One record per frame or gap out of flat rows."""
    records: list[dict[str, Any]] = []
    for row in rows:
        kind = "objects" if "x1" in row else "classes"
        if row["frame"] is None:
            names = ("source", "time_base", "outcome", "reason", "first_pts", "last_pts", "packets")
            records.append({name: row[name] for name in names})
            continue
        if not records or records[-1].get("frame") != row["frame"]:
            names = ("source", "frame", "pts", "time_base", "time", "outcome", "reason")
            records.append({n: row[n] for n in names if n != "reason" or row[n] is not None} | {kind: []})
        if row["label"] is not None:
            finding = {name: row[name] for name in ("label", "label_id", "score")}
            if kind == "objects":
                finding["box"] = [row[name] for name in BOX]
            records[-1][kind].append(finding)
    return [_narrow(record) for record in records]


def _narrow(record: dict[str, Any]) -> dict[str, Any]:
    for finding in record.get("objects", record.get("classes", [])):
        finding["score"] = _float32(finding["score"])
        if "box" in finding:
            finding["box"] = [_float32(value) for value in finding["box"]]
    return record


def _float32(value: float | None) -> float | None:
    return None if value is None else float(np.float32(value))
