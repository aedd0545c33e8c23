"""What is on the disk when a run ends badly: killed, out of space, out of permission."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import Runner, records, run_report
from tests.media import draw_colours, make_video

COMMAND = [sys.executable, "-m", "vidinfer"]


def start(*arguments: str | Path, limit: int | None = None) -> subprocess.Popen[str]:
    """``vidinfer`` as a user starts it; ``limit`` is the most bytes any of its files may have."""

    def restrict() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write then fails, as on a full disk

    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=restrict,
    )


def visible(folder: Path) -> list[str]:
    """Names that a user would take for results."""
    return sorted(p.name for p in folder.glob("*") if not p.name.startswith("."))


@pytest.mark.parametrize("outputs", [["--labels", "jsonl,csv"], ["--labels", "none", "--video"]])
def test_a_full_disk_leaves_no_half_file_and_says_so(tmp_path: Path, outputs: list[str]) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=50, size=(320, 240), draw=draw_colours)
    out = tmp_path / "out"
    process = start(clip, "--model", "demo", "--out", out, "--score-threshold", "0", *outputs, limit=8 * 1024)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1, errors
    assert "Traceback" not in errors
    assert str(out) in errors
    assert visible(out) == []
    assert list(out.glob("**/*")) == []  # nor a hidden one: the run cleans up behind itself


def test_kill_9_leaves_nothing_under_a_final_name_and_the_next_run_is_whole(
    tmp_path: Path, label_files: Runner
) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=200, size=(320, 240))
    out = tmp_path / "out"
    process = start(clip, "--model", "demo", "--video", "--out", out, "--log-json")
    assert process.stderr is not None
    for line in process.stderr:  # wait until it is under way
        if '"source_started"' in line or "started" in line:
            break
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert visible(out) == []
    assert label_files(clip, max_frames=20).exit_status == 0
    assert len(records(out / "clip.labels.jsonl")) == 20
    run_report(out / "clip.run.json")


def test_no_permission_to_write(tmp_path: Path) -> None:
    if os.geteuid() == 0:  # root may write anywhere but here
        out = Path("/proc/vidinfer-out")
    else:
        out = tmp_path / "locked"
        out.mkdir(mode=0o500)
    clip = make_video(tmp_path / "clip.mp4", frames=3)
    process = start(clip, "--model", "demo", "--out", out)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert str(out) in errors
    assert "Traceback" not in errors


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=1500, size=(320, 240))
    out = tmp_path / "out"
    process = start(clip, "--model", "demo", "--video", "--out", out, "--labels", "jsonl,-")
    assert process.stdout is not None
    for _ in range(20):  # twenty frames have been labelled
        assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    lines = records(out / "clip.labels.jsonl")
    report = run_report(out / "clip.run.json")
    assert 20 <= len(lines) < 1500
    assert [line["frame"] for line in lines] == list(range(len(lines)))
    assert report["status"] == "interrupted"
    assert report["frames"]["labelled"] == len(lines)
    import av

    with av.open(str(out / "clip.annotated.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == len(lines)
