"""Frames that look like one before get its labels, and every output says so."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import vidinfer
from tests.integration.conftest import Runner, records, run_report
from tests.media import make_video
from vidinfer.batcher import OfflineBatcher
from vidinfer.cli.run import read_config
from vidinfer.clock import MonotonicClock
from vidinfer.config import RunConfig
from vidinfer.errors import UsageError
from vidinfer.frame import Frame, FrameStamp, Gap
from vidinfer.pipeline import Pipeline
from vidinfer.record import LabelledBatch
from vidinfer.sampling import Sampler, Sampling
from vidinfer.still import StillSettings
from vidinfer.testing import TIME_BASE, ArrayPicture, CollectSink, FakeModel, ScriptedSource

SCENES = [(0, 23), (60, 1), (120, 40), (200, 3)]
"""Grey levels and how many frames each is shown."""


def scenes() -> list[Frame]:
    random = np.random.default_rng(1)
    levels = [level for level, count in SCENES for _ in range(count)]
    frames = []
    for i, level in enumerate(levels):
        picture = np.full((24, 32, 3), level, np.uint8) + random.integers(0, 4, (24, 32, 1), np.uint8)
        picture[0, 0] = level + i % 3  # what the fake model tells of
        frames.append(Frame(FrameStamp(i, 512 * i, TIME_BASE, 512), ArrayPicture(picture)))
    return frames


def label(
    script: list[Frame | Gap], batch_size: int, entries: int, fail: Callable[[int], object] | None = None
) -> tuple[Pipeline, list[LabelledBatch]]:
    sink = CollectSink()
    sink.open(ScriptedSource([]).info, FakeModel().info)
    pipeline = Pipeline(
        ScriptedSource(script),
        FakeModel(fail),
        batcher=OfflineBatcher(),
        sampler=Sampler(Sampling()),
        clock=MonotonicClock(),
        batch_size=batch_size,
        batch_entries=entries,
        still=StillSettings(seconds=1.0, audited=0.1),
    )
    pipeline.run([sink], lambda _: None)
    return pipeline, sink.batches


def told(batches: list[LabelledBatch]) -> list[tuple[Any, ...]]:
    found = []
    for batch in batches:
        objects = batch.results.objects
        for entry in batch.entries:
            box = None
            if entry.row >= 0 and objects is not None:
                box = objects.rows(entry.row, entry.row + 1).boxes[0, 0].item()
            alike = entry.alike and entry.alike.index
            found.append((entry.at.index, entry.outcome, entry.by, alike, box))  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize(("batch_size", "entries"), [(1, 1), (1, 5), (3, 3), (8, 128)])
def test_batches_change_nothing(batch_size: int, entries: int) -> None:
    usual, pipeline = told(label([*scenes()], 4, 16)[1]), label([*scenes()], batch_size, entries)
    assert told(pipeline[1]) == usual
    assert [one[0] for one in usual] == list(range(67))
    ledger, done = pipeline[0].ledger.snapshot(), pipeline[0].propagation
    assert ledger.balanced
    assert ledger.labelled == 67
    assert done is not None
    assert ledger.propagated == done.propagated == sum(one[2] == "propagated" for one in usual)
    assert done.audit.audited > 0
    by_model = {one[0]: one[4] for one in usual if one[2] == "model"}
    assert {0, 23, 24, 54, 64} <= by_model.keys(), "each scene, and after a second anew"
    for _, _, by, alike, box in usual:
        assert by == "model" or box == by_model[alike]


def test_a_batch_that_fails_takes_its_still_frames_with_it() -> None:
    asked = iter(range(100))

    def fail(_: int) -> None:
        if next(asked) == 0:
            raise RuntimeError("no memory")

    pipeline, batches = label([*scenes()], 1, 4, fail)
    ledger = pipeline.ledger.snapshot()
    assert ledger.balanced
    assert ledger.failed > 5
    assert ledger.labelled > 30
    assert all(e.reason for batch in batches for e in batch.entries if e.outcome == "failed")


def still_video(path: Path) -> Path:
    """Ten frames of one picture, then ten of another."""

    def draw(number: int, width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        y, x = np.mgrid[0:height, 0:width]
        ramp = (x + y) % 200 if number < 10 else (x * 2 + y) % 200
        return np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8)

    return make_video(path, frames=20, size=(320, 240), draw=draw)


def test_every_output_says_whose_labels_these_are(label_files: Runner, tmp_path: Path) -> None:
    path = still_video(tmp_path / "clip.mp4")
    label_files(path, skip_static=True, labels="jsonl,csv,parquet", video=True, score_threshold=0.0)
    out = tmp_path / "out"
    lines = records(out / "clip.labels.jsonl")
    assert [
        (line["frame"], line["by"], line.get("from_frame")) for line in lines if line["frame"] in (0, 9, 10)
    ] == [
        (0, "model", None),
        (9, "propagated", 0),
        (10, "model", None),
    ]
    assert lines[9]["from_pts"] == lines[0]["pts"]
    assert lines[9]["objects"] == lines[0]["objects"] != lines[10]["objects"]
    with (out / "clip.labels.csv").open() as file:
        rows = {int(row["frame"]): row for row in csv.DictReader(file)}
    assert (rows[9]["by"], rows[9]["from_frame"], rows[0]["by"]) == ("propagated", "0", "model")
    table = pq.read_table(out / "clip.labels.parquet").to_pylist()
    assert {(row["frame"], row["by"], row["from_frame"]) for row in table} >= {
        (9, "propagated", 0),
        (0, "model", None),
    }
    report = run_report(out / "clip.run.json")
    still = report["skip_static"]
    assert report["frames"]["propagated"] == still["propagated"] >= 15
    assert still["audited"] + still["propagated"] == 18
    findings = sum(len(line["objects"]) for line in lines)
    assert {sink["findings"] for sink in report["sinks"] if "findings" in sink} == {findings}
    assert (out / "clip.annotated.mp4").stat().st_size


def test_without_the_option_nothing_is_said(label_files: Runner, tmp_path: Path) -> None:
    label_files(still_video(tmp_path / "clip.mp4"), labels="jsonl,csv")
    assert '"by"' not in (tmp_path / "out" / "clip.labels.jsonl").read_text()
    assert "from_frame" not in (tmp_path / "out" / "clip.labels.csv").read_text()
    report = run_report(tmp_path / "out" / "clip.run.json")
    assert "skip_static" not in report
    assert "propagated" not in report["frames"]


def test_python_is_told_too(tmp_path: Path) -> None:
    with vidinfer.label(still_video(tmp_path / "clip.mp4"), model="demo", skip_static=True) as frames:
        found = list(frames)
    assert [frame.index for frame in found] == list(range(20))
    assert (found[9].by, found[9].from_index, found[9].from_pts) == ("propagated", 0, 0)
    assert found[9].picture is not None
    assert (found[10].by, found[10].from_index) == ("model", None)


def _plain(_: int, width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.full((height, width, 3), 90, np.uint8)


def test_deep_and_odd_pictures_are_judged_too(label_files: Runner, tmp_path: Path) -> None:
    deep, odd = {"pix_fmt": "yuv420p10le"}, {"codec": "png", "pix_fmt": "rgb24"}
    for name, kind in (("deep.mkv", deep), ("rgb.mov", odd)):
        path = make_video(tmp_path / name, frames=6, size=(64, 48), draw=_plain, **kind)
        label_files(path, skip_static=20, overwrite=True)
        report = run_report(tmp_path / "out" / f"{path.stem}.run.json")
        assert report["frames"]["propagated"] + report["skip_static"]["audited"] == 5


def test_the_flag_may_stand_alone_before_a_source() -> None:
    assert read_config(["--skip-static", "clip.mp4"]).skip_static == 12
    config = read_config(["--skip-static=7.5", "clip.mp4"])
    assert (config.skip_static, config.sources) == (7.5, ("clip.mp4",))
    assert read_config(["clip.mp4"]).skip_static is None
    assert read_config(["--skip-static=off", "clip.mp4"]).skip_static is None
    assert RunConfig(skip_static=True).skip_static == 12  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="from 1 to 255, on or off"):
        read_config(["--skip-static=0", "clip.mp4"])
    with pytest.raises(UsageError, match="not played live"):
        read_config(["rtsp://x/", "--skip-static"]).require_live()


def test_models_of_several_frames_are_refused(label_files: Runner, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="looks at several frames at once"):
        label_files(still_video(tmp_path / "clip.mp4"), model="raft_small", weights="none", skip_static=True)
