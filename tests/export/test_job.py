"""Many label files at a time: names, refusals before anything is written, and outputs that are whole or absent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from tests.export.cases import detections, exported, in_order, labels, many
from tests.sink import cases
from tests.sink.cases import CLASSIFIER, FLOWER, SEGMENTER
from vidinfer.cli.main import main
from vidinfer.errors import UsageError
from vidinfer.export.registry import EXPORT_FORMATS
from vidinfer.record import LabelledBatch


def test_equal_names_stay_apart(tmp_path: Path) -> None:
    for base in ("a.mp4", "a.mov", "x/a", "y/a", "y/z/a"):
        (tmp_path / "labels" / base).parent.mkdir(parents=True, exist_ok=True)
        labels(tmp_path / "labels", base)
    labels(tmp_path / "labels", "x/a", form="csv")  # the same labels once more
    done = exported("csv", tmp_path / "tree", tmp_path / "labels")
    assert sorted(str(one.output.relative_to(tmp_path / "tree")) for one in done) == [
        *("a.mov.csv", "a.mp4.csv", "x/a.csv", "y/a.csv", "y/z/a.csv")
    ]
    files = [tmp_path / "labels" / name / "a.labels.jsonl" for name in ("x", "y")]
    done = exported("csv", tmp_path / "files", *files)
    assert sorted(str(one.output.relative_to(tmp_path / "files")) for one in done) == ["x/a.csv", "y/a.csv"]


@pytest.mark.parametrize(
    ("task", "to", "instead"),
    [
        ("classes", "mot", "labelstudio, webvtt, csv"),
        ("classes", "coco", "labelstudio, webvtt, csv"),
        ("segments", "yolo", "coco, cvat, csv"),
        ("flow", "webvtt", "csv"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_before_anything_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], task: str, to: str, instead: str
) -> None:
    model, results = {
        "classes": (CLASSIFIER, cases.classes(3, 2)),
        "segments": (SEGMENTER, cases.segments(3)),
        "flow": (FLOWER, cases.flow(3)),
    }[task]
    make = cases.windowed_batches if task == "flow" else cases.mixed_batches
    labels(tmp_path / "in", "a")
    labels(tmp_path / "in", "b", batches=in_order(make(results)), model=model)
    out = tmp_path / "out"
    assert main(["export", str(tmp_path / "in"), "--to", to, "--out", str(out)]) == 2
    error = capfd.readouterr().err
    assert f"--to {instead}" in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("to", EXPORT_FORMATS)
def test_outputs_are_not_replaced_by_accident_and_leave_nothing_else(tmp_path: Path, to: str) -> None:
    out = tmp_path / "out"
    path = labels(tmp_path / "in")
    (one,) = exported(to, out, path)
    before = one.output.stat().st_mtime_ns
    with pytest.raises(UsageError, match="output exists"):
        exported(to, out, path)
    assert one.output.stat().st_mtime_ns == before
    exported(to, out, path, overwrite=True)
    assert list(out.iterdir()) == [one.output]


@pytest.mark.parametrize("to", EXPORT_FORMATS)
def test_damage_found_on_the_way_leaves_no_output_and_the_rest_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], to: str
) -> None:
    damaged = labels(tmp_path / "in", "a", batches=many(300))
    damaged.write_bytes(damaged.read_bytes()[:-5])
    labels(tmp_path / "in", "b")
    out = tmp_path / "out"
    assert main(["export", str(tmp_path / "in"), "--to", to, "--out", str(out)]) == 1
    lines = capfd.readouterr().err.splitlines()
    assert sum("cut short" in line for line in lines) == 1
    assert [path.name.split(".")[0] for path in out.iterdir()] == ["b"]


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ([], 2, "no LABELS given"),
        (["{}"], 2, "no format given"),
        (["{}", "--to", "voc"], 2, "--to voc: expected one of coco"),
        (["{}", "--to", "coco", "--upside-down"], 2, "no such option"),
        (["{}/nowhere", "--to", "coco"], 1, "expected NAME.labels.jsonl"),
        (["{}/x.labels.jsonl", "--to", "coco"], 1, "no such file"),
        (["{}", "--to", "coco"], 1, "a folder without label files"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str], status: int, told: str
) -> None:
    assert main(["export", *(word.format(tmp_path) for word in words)]) == status
    error = capfd.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_killed_export_leaves_nothing_under_a_final_name(tmp_path: Path) -> None:
    labels(tmp_path, batches=many(6000))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "vidinfer", "export", str(tmp_path), "--to", "coco", "--out", str(out)]
    process = subprocess.Popen(command)
    while process.poll() is None and not list(out.glob(".*.partial")):
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(out.glob("[!.]*"))
    (one,) = exported("coco", out, tmp_path)
    assert list(out.iterdir()) == [one.output]


@pytest.mark.parametrize("to", ["coco", "cvat", "labelstudio", "mot"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, to: str) -> None:
    labelled = [[e for e in batch.entries if e.outcome == "labelled"] for batch in detections()]
    batches = [LabelledBatch(labelled[0], detections()[0].results)]
    peaks = []
    for frames in (200, 1600):
        path = labels(tmp_path, f"f{frames}", batches=in_order(batches * (frames // 3)))
        tracemalloc.start()
        exported(to, tmp_path / "out", path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + 200_000
