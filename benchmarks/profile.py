"""Python's own share of a run: how much of the processor's time it spends holding the interpreter's lock.

py-spy looks at the process from outside, 200 times a second, and counts the moments in which a thread holds the GIL.
FFmpeg, OpenVINO, torch, OpenCV and most of NumPy give it up while they work, so what is counted is Python's bytecode
and such calls into C as are too short to give it up: an upper bound of Python's own share. (Thread processor time, the
other way, cannot tell the two apart; a sampler inside the process needs the lock itself and sees only the moments in
which it was to be had.)

Only the pipeline's threads count, so neither imports nor loading. A thread also keeps the lock while the system lets
others run on its core, and on busy cores that is often; so its moments are weighed by the part of its runnable time
that it really ran, which the system keeps count of in ``/proc``. What py-spy misses is found with a loop of nothing but
Python. The share is that of all the processor's time that the process took meanwhile: what would be won if Python cost
nothing. Linux only.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.beside import NotInstalled, folder_of
from benchmarks.clips import scaled
from benchmarks.measure import median, report_of, vidinfer
from benchmarks.rows import row
from benchmarks.weights import trained_like

RATE = 200
SECONDS = 3
BAR = 0.1
STAGES = ("decode", "infer", "write")
"""The pipeline's threads."""
_SAMPLE = re.compile(r"thread \((?P<id>\d+)\): vidinfer-(?P<stage>\w+)[; ].*?(?P<count>\d+)$")


@dataclass
class Watched:
    """One process, seen from outside."""

    holding: Counter[str] = field(default_factory=Counter)
    """Moments in which each stage's thread held the lock; under ``all`` those of any thread."""
    threads: dict[str, int] = field(default_factory=dict)
    """Each stage's thread."""
    ran: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By thread: nanoseconds that it ran on a core, and that it waited for one."""
    taken: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By thread: nanoseconds that the whole process had run when the thread was first seen, and last."""


def python_share(clip: Path, model: str, weights: Path, rounds: int) -> dict[str, Any]:
    """As a row of the table."""
    name = "Python's own share of the processor's time"
    try:
        seen = _watch([sys.executable, "-c", _busy()]).holding["all"] / (RATE * SECONDS)
    except NotInstalled as reason:
        return {"model": model, "against": name, "error": str(reason)}
    found = [_run(clip, model, weights, seen) for _ in range(rounds)]
    shares = [share for share, _, _ in found]
    spent = {stage: round(median([parts[stage] for _, parts, _ in found]), 3) for stage in STAGES}
    wall = median([sum(parts.values()) / frame for _, parts, frame in found])
    more = {"milliseconds_per_frame": spent, "of_wall_time": round(wall, 4), "py_spy_sees": round(seen, 3)}
    return row(model, name, shares, None, BAR, held=shares) | more


def _run(clip: Path, model: str, weights: Path, seen: float) -> tuple[float, dict[str, float], float]:
    """Python's share of the processor's time, its milliseconds per frame by stage, and those of the wall clock."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        watched = _watch(vidinfer(clip, "--model", model, "--weights", weights, "--out", out, "-q"))
        report: Any = report_of(out, clip.stem)
    frames, python = report["frames"]["decoded"], {}
    for stage in STAGES:
        ran, waited = watched.ran.get(
            watched.threads.get(stage, -1), (0, 0)
        )  # a thread that never held it: none
        python[stage] = watched.holding[stage] / RATE / seen * ran / max(1, ran + waited)
    first, last = watched.taken[watched.threads["decode"]]
    share = sum(python.values()) / ((last - first) / 1e9)
    return (
        share,
        {s: 1e3 * t / frames for s, t in python.items()},
        1e3 * report["timings"]["seconds"] / frames,
    )


def _busy() -> str:
    return f"import time\nt = time.monotonic()\nwhile time.monotonic() - t < {SECONDS}: pass"


def _watch(command: Sequence[str | Path]) -> Watched:
    """Run ``command`` below py-spy to its end."""
    watched = Watched()
    with tempfile.NamedTemporaryFile(suffix=".txt") as raw:
        spy = [folder_of("py-spy") / "bin" / "py-spy", "record", "--gil", "--threads", "--nonblocking"]
        whole = [*spy, "-r", RATE, "-f", "raw", "-o", raw.name, "--", *command]
        with subprocess.Popen(
            [str(part) for part in whole], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            while process.poll() is None:
                with suppress(OSError, ValueError):  # a process or a thread that has just ended
                    _look(process.pid, watched)
                time.sleep(0.02)
            said = process.stderr.read().decode() if process.stderr else ""
        if process.returncode:
            raise RuntimeError(f"py-spy exited with {process.returncode}: {said}")
        for line in Path(raw.name).read_text().splitlines():
            watched.holding["all"] += int(line.rpartition(" ")[2])
            if sample := _SAMPLE.match(line):
                watched.holding[sample["stage"]] += int(sample["count"])
                watched.threads[sample["stage"]] = int(sample["id"])
    return watched


def _look(spy: int, watched: Watched) -> None:
    """What the system has counted of the threads of py-spy's child so far."""
    children = [
        int(c) for own in Path(f"/proc/{spy}/task").iterdir() for c in (own / "children").read_text().split()
    ]
    if not children:
        return
    now = {}
    for task in Path(f"/proc/{children[0]}/task").iterdir():
        with suppress(OSError):
            ran, waited, _ = (int(part) for part in (task / "schedstat").read_text().split())
            now[int(task.name)] = (ran, waited)
    watched.ran |= now
    total = sum(ran for ran, _ in watched.ran.values())  # of those that have ended, too
    for task_id in now:
        watched.taken[task_id] = (watched.taken.get(task_id, (total, total))[0], total)


def measure(rounds: int = 5) -> dict[str, Any]:
    """ssdlite on a 1080p clip."""
    model = "ssdlite320_mobilenet_v3_large"
    return python_share(scaled(1920, 1080, 600), model, trained_like(model), rounds)
