"""Whole processes, timed and weighed from outside."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """One finished process."""

    seconds: float
    """Wall time from start to exit."""
    peak_mib: float
    """Largest resident memory."""
    output: str


def run(
    command: Sequence[str | Path], *, ok: Sequence[int] = (0,), env: Mapping[str, str] | None = None
) -> Measured:
    """Run ``command`` to its end.

    Args:
        env: its environment; ``None``: this one.

    Raises:
        RuntimeError: it exited otherwise than ``ok``.
    """
    started = time.perf_counter()
    with subprocess.Popen(
        [str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        output = process.stdout.read().decode()  # what these commands print fits a pipe
        errors = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in ok:
        raise RuntimeError(f"{command} exited with {process.returncode}: {errors}")
    return Measured(time.perf_counter() - started, usage.ru_maxrss / 1024, output)


def script(name: str, *arguments: str | Path) -> list[str | Path]:
    """The command line that runs another module of the benchmarks."""
    return [sys.executable, "-W", "ignore", "-m", f"benchmarks.{name}", *arguments]


def rate_of(measured: Measured) -> float:
    """Frames per second, of a script whose last line says ``frames`` and ``seconds``."""
    said = json.loads(measured.output.splitlines()[-1])
    return float(said["frames"] / said["seconds"])


def vidinfer(*arguments: str | Path) -> list[str | Path]:
    """The command line that runs vidinfer in this environment."""
    return [sys.executable, "-m", "vidinfer", *arguments]


def report_of(out: Path, stem: str) -> dict[str, object]:
    """``run.json`` of a finished run."""
    found: dict[str, object] = json.loads((out / f"{stem}.run.json").read_text())
    return found


def median(values: Sequence[float]) -> float:
    """Of an odd number of runs, the middle one."""
    return statistics.median(values)
