"""Archive runs against the same files one by one in one process, and two workers against one.

Whole processes, start and end included, in turns; the figures are ratios of their times.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.clips import scaled

ROUNDS = 3
MODEL = ("--model", "demo", "--backend", "openvino", "--precision", "fp32", "--labels", "jsonl", "-q")


def measure() -> list[dict[str, object]]:
    """Long files (600 frames) and short ones (2 s), 360p: seconds by way of running, and ratios of medians."""
    with tempfile.TemporaryDirectory(prefix="vidinfer-") as folder:
        root = Path(folder)
        long = _copies(scaled(640, 360, 600), root / "long", 4)
        short = _copies(scaled(640, 360, 60), root / "short", 40)
        return [_compared("long files", long, root), _compared("short files", short, root)]


def _copies(clip: Path, folder: Path, count: int) -> Path:
    """So many files of other content: an empty box of its own at the end of each."""
    folder.mkdir()
    data = clip.read_bytes()
    for i in range(count):
        (folder / f"{i:03d}.mp4").write_bytes(data + (16).to_bytes(4) + b"free" + i.to_bytes(8))
    return folder


def _compared(name: str, archive: Path, root: Path) -> dict[str, object]:
    ways = {
        "one by one": ("--engine", "none"),
        "two workers": ("--engine", "local", "--workers", "2"),
        "one worker of one core": ("--engine", "local", "--workers", "1"),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, options in ways.items():
            pinned = ("taskset", "-c", "0") if way.endswith("core") else ()
            seconds[way].append(_seconds(archive, root, (*pinned, sys.executable, "-m", "vidinfer"), options))
    middle = {way: statistics.median(times) for way, times in seconds.items()}
    return {
        "archive": name,
        "seconds": {way: [round(one, 1) for one in times] for way, times in seconds.items()},
        "two_workers_against_one_by_one": round(middle["one by one"] / middle["two workers"], 3),
        "two_workers_against_one": round(middle["one worker of one core"] / middle["two workers"], 3),
    }


def _seconds(archive: Path, root: Path, command: tuple[str, ...], options: tuple[str, ...]) -> float:
    with tempfile.TemporaryDirectory(dir=root) as out:
        began = time.monotonic()
        subprocess.run([*command, archive, "--out", out, *MODEL, *options], check=True)
        return time.monotonic() - began
