"""The program as users start it: outputs, pipes, signals, exit statuses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.media import make_video
from vidinfer.cli.main import main

MODEL = ("--model", "resnet18", "--weights", "none")
PATIENT = ("--model", "tests.archive.models:patient", "--task", "classification", "--backend", "eager")
"""Takes its time for each batch, and nothing else: much is under way whenever a signal comes."""


def start(arguments: Sequence[str | Path]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "vidinfer", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_video(tmp_path / "clip.mp4", frames=12, size=(96, 64))


def test_a_file_with_all_outputs(clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main([str(clip), *MODEL, "--labels", "jsonl,csv,parquet", "--video", "--out", str(out)]) == 0
    stdout, stderr = capfd.readouterr()
    assert stdout == ""
    frames, light = stderr.splitlines()
    assert frames.startswith("vidinfer: clip.mp4: 12 frames in ")
    assert "frames/s that this machine could do (decoding alone " in light
    labels = [f"clip.labels.{name}" for name in ("csv", "jsonl", "parquet")]
    assert names(out) == ["clip.annotated.mp4", *labels, "clip.run.json"]
    report = json.loads((out / "clip.run.json").read_text())
    assert report["command"][:2] == ["vidinfer", str(clip)]
    assert report["frames"]["labelled"] == 12
    assert [sink.get("format") for sink in report["sinks"]][:3] == ["jsonl", "csv", "parquet"]

    assert main([str(clip), *MODEL, "--out", str(out)]) == 2
    assert "output exists" in capfd.readouterr().err
    assert main([str(clip), *MODEL, "--out", str(out), "--resume"]) == 0
    assert "skipped: outputs were complete already" in capfd.readouterr().err


def test_one_bad_source_of_two(clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    out = tmp_path / "out"
    assert main([str(empty), str(clip), *MODEL, "--max-frames", "2", "--out", str(out)]) == 1
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if "empty.mp4" in line]
    assert lines[-1].startswith("vidinfer: 2 sources: 1 complete, 1 failed; ")
    assert names(out) == ["clip.labels.jsonl", "clip.run.json"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["missing.mp4", *MODEL], 1, "missing.mp4: no such file"),
        (["CLIP", "--model", "resnet5O"], 3, "did you mean resnet50"),
        (["CLIP", *MODEL, "--classes", "zebra,xylofon"], 2, "xylofon"),
        (["CLIP", *MODEL, "--device", "gpu"], 2, "gpu"),
        (["CLIP", *MODEL, "--backend", "warp"], 2, "warp"),
    ],
)
def test_what_cannot_be_run(
    arguments: list[str],
    status: int,
    message: str,
    clip: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    given = [str(clip) if argument == "CLIP" else argument for argument in arguments]
    assert main([*given, "--out", str(tmp_path / "out")]) == status
    out, err = capfd.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert names(tmp_path / "out") == []


def test_a_closed_pipe_ends_the_run_quietly(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "long.mp4", frames=600, size=(96, 64))
    arguments = [*MODEL, "--backend", "eager", "--max-batch-size", "4", "--labels", "-"]
    with start([clip, *arguments, "--out", tmp_path / "out"]) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = json.loads(process.stdout.readline())
        process.stdout.close()
        stderr = process.stderr.read()
    assert first["frame"] == 0
    assert stderr == ""
    assert process.returncode == 0


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "long.mp4", frames=900, size=(96, 64))
    out = tmp_path / "out"
    arguments = [clip, *MODEL, "--max-batch-size", "4", "--video", "--log-json", "--out", out]
    with start(arguments) as process:
        events = _until(process, "progress")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        events += [json.loads(line) for line in process.stderr]
    assert process.returncode == 130
    kinds = [event["event"] for event in events if event["event"] != "progress"]
    assert kinds == ["loading", "source_started", "stopping", "source_finished", "run_finished"]
    assert names(out) == ["long.annotated.mp4", "long.labels.jsonl", "long.run.json"]
    frames = json.loads((out / "long.run.json").read_text())["frames"]
    assert frames["decoded"] == frames["labelled"] + sum(frames["skipped"].values()) < 900
    assert len((out / "long.labels.jsonl").read_text().splitlines()) == frames["labelled"]


def test_a_second_signal_gives_up(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "long.mp4", frames=900, size=(96, 64))
    out = tmp_path / "out"
    with start([clip, *PATIENT, "--max-batch-size", "4", "--log-json", "--out", out]) as process:
        _until(process, "progress")
        process.send_signal(signal.SIGTERM)
        _until(process, "stopping")
        process.send_signal(signal.SIGTERM)
        _until(process, "stopping")
    assert process.returncode == 130
    assert names(out) == []


def test_ctrl_c_before_anything_is_begun(clip: Path, tmp_path: Path) -> None:
    with start([clip, *MODEL, "--log-json", "--out", tmp_path / "out"]) as process:
        _until(process, "loading")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        told = json.loads(process.stderr.read())
    assert told == {"event": "error", "text": "interrupted before anything was labelled", "exit_status": 130}
    assert process.returncode == 130
    assert names(tmp_path / "out") == []


def _until(process: subprocess.Popen[str], event: str) -> list[dict[str, object]]:
    """Events read up to the first of that name."""
    assert process.stderr is not None
    events: list[dict[str, object]] = []
    for line in process.stderr:
        events.append(json.loads(line))
        if events[-1]["event"] == event:
            return events
    raise AssertionError(f"no {event} among {events}")


def test_a_standard_error_that_nobody_reads_does_not_change_the_exit_status(tmp_path: Path) -> None:
    with start([tmp_path / "missing.mp4", *MODEL, "--out", tmp_path / "out"]) as process:
        assert process.stderr is not None
        process.stderr.close()
    assert process.returncode == 1


def test_what_a_full_disk_took_of_a_live_run_is_told_at_once_and_by_the_status(
    clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "vidinfer", str(clip), *MODEL, "--mode", "live", "--labels", "-,jsonl"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*command, "--out", str(out)], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1, done.stderr
    assert "clip stdout: cannot write standard output: the disk is full" in done.stderr
    report = json.loads((out / "clip.run.json").read_text())
    labels, lines = report["sinks"]
    assert report["status"] == "damaged"
    assert (labels["written"], labels["dropped"]) == (12, 0)
    assert (lines["written"], lines["dropped"]) == (0, 12)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(clip: Path, tmp_path: Path, closed: str) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "vidinfer", str(clip), *MODEL, "--out", str(out)]
    done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *command], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert ("12 frames" in done.stderr) == ("2" not in closed)
    assert names(out) == ["clip.labels.jsonl", "clip.run.json"]
    assert all(json.loads(line) for line in (out / "clip.labels.jsonl").read_text().splitlines())


def test_labels_on_a_closed_standard_output_are_refused(clip: Path) -> None:
    command = [sys.executable, "-m", "vidinfer", str(clip), *MODEL, "--labels", "-"]
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("vidinfer: labels -: standard output is closed; ")
    assert done.stderr.count("\n") == 1
