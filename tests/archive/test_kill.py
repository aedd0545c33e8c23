"""``kill -9`` at any instant, any number of times: the outputs equal those of a run that was never interrupted."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.archive.conftest import Runner, make_archive, outputs

OPTIONS = {
    "--model": "tests.archive.models:brightness",
    "--task": "classification",
    "--backend": "eager",
    "--precision": "fp32",
    "--engine": "local",
    "--labels": "jsonl,csv,parquet",
}


def start(archive: Path, out: Path, workers: int) -> subprocess.Popen[str]:
    """The command, in a session of its own."""
    options = [text for pair in OPTIONS.items() for text in pair]
    return subprocess.Popen(
        [sys.executable, "-m", "vidinfer", archive, "--out", out, "--workers", str(workers), *options],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def committed(out: Path) -> int:
    """Units, so far."""
    return len(list((out / ".vidinfer/units").rglob("*.parquet")))


def wait_for_commits(process: subprocess.Popen[str], out: Path, units: int) -> None:
    """Until there are so many, or the process has ended."""
    while process.poll() is None and committed(out) < units:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)


def run_until_it_ends(archive: Path, out: Path, *, workers: int, kills: int, longest: float) -> int:
    """Kill it ``kills`` times at most, and run it again. Returns how many kills there were.

    Each third time at any instant, else a moment after a few more units were committed: on a fast machine, too, it
    happens in the midst of the work.
    """
    rng = random.Random(7)
    for killed in range(kills + 1):
        process = start(archive, out, workers)
        patience = rng.uniform(0, longest) if killed < kills else 300
        if killed % 3 and killed < kills:
            wait_for_commits(process, out, committed(out) + rng.randint(0, 2))
            patience = rng.uniform(0, 0.2)
        try:
            _, errors = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL) if killed % 2 else process.kill()
            process.communicate()
            continue
        assert process.returncode == 0, errors
        return killed
    raise AssertionError("it never ended")


def check(tmp_path: Path, label_archive: Runner, *, clips: int, workers: int, kills: int) -> None:
    archive = make_archive(tmp_path / "in", clips=clips, frames=12)
    label_archive(archive, labels="jsonl,csv,parquet", out=tmp_path / "whole")
    killed = run_until_it_ends(archive, tmp_path / "out", workers=workers, kills=kills, longest=4)
    assert killed >= kills // 2
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")
    assert not list((tmp_path / "out").rglob("*.partial")), "leftovers"
    assert len(list((tmp_path / "out/.vidinfer/units").rglob("*.parquet"))) == clips


def test_killed_now_and_then(tmp_path: Path, label_archive: Runner) -> None:
    check(tmp_path, label_archive, clips=6, workers=1, kills=4)


@pytest.mark.slow
def test_killed_all_the_time(tmp_path: Path, label_archive: Runner) -> None:
    check(tmp_path, label_archive, clips=60, workers=2, kills=30)
