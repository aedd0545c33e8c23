"""The time left that an archive run tells, each second, against what it then took: ``python -m benchmarks.forecast``.

A real run of two to three minutes over files of three sizes and of one second to a minute, in no order; two workers.
``vidinfer status`` shows what is read here (``status.json``). The truth is when the command ended, so report and
manifest are part of what has to be foretold. Nobody can foretell what other programs will take of the machine: how
many cores they had is told, too, and the figures hold for a machine on which that is little.
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.clips import scaled

SIZES = ((256, 144), (640, 360), (1280, 720))
LENGTHS = (30, 90, 240, 600, 1800)
COMMAND = (
    "--model",
    "demo",
    "--backend",
    "openvino",
    "--precision",
    "fp32",
    "--engine",
    "local",
    "--workers",
    "2",
)
FILES = 150
WITHIN = 0.10


@dataclass(frozen=True, slots=True)
class Said:
    """What the run told at one moment."""

    at: float
    share: float
    left: float | None
    """Seconds."""


def measure(files: int = FILES) -> dict[str, object]:
    """Shares of the moments at which the time left was right within a tenth, and the errors."""
    with tempfile.TemporaryDirectory(prefix="vidinfer-") as folder:
        root = Path(folder)
        frames = _fill(root / "in", files)
        began, busy = time.monotonic(), _busy() - _ours()
        said, ended = _watch(root / "in", root / "out")
        others = (_busy() - _ours() - busy) / (ended - began)
    return {
        "files": files,
        "frames": frames,
        "seconds": round(ended - said[0].at, 1),
        "cores_of_others": round(others, 2),
        **_judged(said, ended),
    }


def _busy() -> float:
    """Seconds that all cores have worked, for whomever."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _ours() -> float:
    """Of them, those of this process and of what it started that has ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _fill(folder: Path, files: int) -> int:
    """Files of a content of their own each. Returns how many frames they have."""
    folder.mkdir()
    rng, frames = random.Random(1), 0
    for i in range(files):
        size, length = rng.choice(SIZES), rng.choices(LENGTHS, weights=[1 / n for n in LENGTHS])[0]
        data = scaled(*size, length).read_bytes()
        (folder / f"{i:04d}.mp4").write_bytes(data + (16).to_bytes(4) + b"free" + i.to_bytes(8))
        frames += length
    return frames


def _watch(archive: Path, out: Path) -> tuple[list[Said], float]:
    """Run it; what was told, by our clock, and when it ended."""
    command = [sys.executable, "-m", "vidinfer", str(archive), "--out", str(out), *COMMAND, "-q"]
    process, said = subprocess.Popen(command), list[Said]()
    while process.poll() is None:
        told = _status(out / ".vidinfer" / "status.json")
        if "share_done" in told:
            said.append(Said(time.monotonic(), told["share_done"], told["seconds_left"]))
        time.sleep(1.0)
    if process.returncode:
        raise RuntimeError(f"{command} exited with {process.returncode}")
    return said, time.monotonic()


def _status(path: Path) -> dict[str, float]:
    try:
        found: dict[str, float] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return found


def _judged(said: Sequence[Said], ended: float) -> dict[str, object]:
    of = {
        name: [one for one in said if low <= one.share < high]
        for name, low, high in (("10 to 50 %", 0.1, 0.5), ("50 to 90 %", 0.5, 0.9), ("90 to 100 %", 0.9, 1.0))
    }
    found: dict[str, object] = {
        name: {
            "moments": len(moments),
            "unknown": sum(one.left is None for one in moments),
            "right": sum(abs(_error(one, ended)) <= WITHIN for one in moments),
            "median_error": round(statistics.median(_error(one, ended) for one in moments), 3),
            "lowest": round(min(_error(one, ended) for one in moments), 3),
            "highest": round(max(_error(one, ended) for one in moments), 3),
            "off_by_seconds": round(max(abs(_error(one, ended)) * (ended - one.at) for one in moments), 1),
        }
        for name, moments in of.items()
        if moments
    }
    every = max(1, len(said) // 25)
    found["course"] = [[round(one.share, 3), one.left, round(ended - one.at, 1)] for one in said[::every]]
    return found


def _error(one: Said, ended: float) -> float:
    """Of the true time left; above 0: it was said to be longer."""
    left = ended - one.at
    return float("inf") if one.left is None else (one.left - left) / left


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:2]))))
