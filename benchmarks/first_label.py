"""From the command to the first label, beyond what importing torch takes anyway."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from benchmarks.clips import scaled
from benchmarks.measure import run, vidinfer
from benchmarks.rows import row
from benchmarks.weights import trained_like

MODEL = "ssdlite320_mobilenet_v3_large"
BAR = 2.0
"""Seconds."""


def measure(rounds: int = 5) -> dict[str, Any]:
    """Seconds, by turns: to the first JSON line on standard output, and until a bare ``import torch`` is done.

    The first round, which does not count, fills the caches: the system's of files, vidinfer's of graphs and choices.
    """
    ours, theirs = [], []
    for i in range(rounds + 1):
        seconds = _first_line(), run([sys.executable, "-c", "import os, torch; os._exit(0)"]).seconds
        if i:
            ours.append(seconds[0])
            theirs.append(seconds[1])
    beyond = [a - b for a, b in zip(ours, theirs, strict=True)]
    name = "import torch: seconds beyond it to the first label"
    return row(MODEL, name, ours, theirs, BAR, held=beyond)


def _first_line() -> float:
    clip = scaled(1920, 1080, 300)
    command = vidinfer(clip, "--model", MODEL, "--weights", trained_like(MODEL), "--labels", "-", "-q")
    started = time.perf_counter()
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - started
        process.stdout.read()
    if not line or process.returncode:
        raise RuntimeError(f"{command} exited with {process.returncode} and gave {line!r}")
    return seconds
