"""Archives by one process after the other file, by workers, and by Ray: times in turns, and memory.

``python -m benchmarks.archive [PART...]``; whole processes, start and end included, so that what counts are ratios of
one run. Ray only where it is installed.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.clips import repeated, scaled

ROUNDS = 2
MODEL = ("--model", "demo", "--backend", "openvino", "--precision", "fp32")
LIGHT = ("--model", "mobilenet_v3_small", "--weights", "none", "--backend", "openvino", "--precision", "fp32")
ONE_BY_ONE, WORKERS = ("--engine", "none"), ("--engine", "local", "--workers", "2")
WORKER = ("--engine", "local", "--workers", "1")
RAY = ("--engine", "ray", "--workers", "2")
PINNED = ("taskset", "-c", "0")
"""One core for a worker, as each of two has."""


def measure() -> dict[str, object]:
    """Every part."""
    return {name: part() for name, part in PARTS.items()}


def long_files() -> dict[str, object]:
    """Six of 1,200 frames, 360p, against the same ones in one process with all it has."""
    with tempfile.TemporaryDirectory(prefix="vidinfer-") as folder:
        archive = _copies(scaled(640, 360, 1200), Path(folder) / "in", 6)
        return _in_turns(archive, {"one by one": ((), ONE_BY_ONE), "workers": ((), WORKERS)})


def short_files() -> dict[str, object]:
    """Eighty of two seconds."""
    with tempfile.TemporaryDirectory(prefix="vidinfer-") as folder:
        archive = _copies(scaled(640, 360, 60), Path(folder) / "in", 80)
        return _in_turns(archive, {"one by one": ((), ONE_BY_ONE), "workers": ((), WORKERS)})


def two_workers() -> dict[str, object]:
    """Against one, each on one core."""
    with tempfile.TemporaryDirectory(prefix="vidinfer-") as folder:
        archive = _copies(scaled(640, 360, 1200), Path(folder) / "in", 4)
        return _in_turns(archive, {"one worker": (PINNED, WORKER), "workers": ((), WORKERS)})


def ray() -> dict[str, object]:
    """Two actors against two workers; for minutes, as Ray takes seconds to start and to end."""
    if importlib.util.find_spec("ray") is None:
        return {"left out": "Ray is not installed"}
    with tempfile.TemporaryDirectory(prefix="vidinfer-") as folder:
        archive = _copies(scaled(640, 360, 1200), Path(folder) / "in", 20)
        return _in_turns(archive, {"workers": ((), WORKERS), "ray": ((), RAY)})


def peaks() -> dict[str, object]:
    """Most resident memory of the run's own process and of its worker: few files and many, a short and a long one."""
    with tempfile.TemporaryDirectory(prefix="vidinfer-") as folder:
        root, clip = Path(folder), scaled(256, 144, 300)
        tiny = scaled(128, 96, 4)
        archives = {
            "20 files": _copies(tiny, root / "few", 20),
            "1000 files": _copies(tiny, root / "many", 1000),
            "1 minute": _copies(repeated(clip, 6), root / "minute", 1),
            "1 hour": _copies(repeated(clip, 360), root / "hour", 1),
        }
        found = {name: _peaks(archive, root) for name, archive in archives.items()}
    ratios = {
        f"{what}, {many} to {few}": round(found[many][what] / found[few][what], 3)
        for what in ("run", "worker")
        for few, many in (("20 files", "1000 files"), ("1 minute", "1 hour"))
    }
    return {"mib": found, "ratios": ratios}


PARTS: dict[str, Callable[[], dict[str, object]]] = {
    "long": long_files,
    "short": short_files,
    "two": two_workers,
    "ray": ray,
    "memory": peaks,
}


def _copies(clip: Path, folder: Path, count: int) -> Path:
    """So many files of other content: an empty box of its own at the end of each."""
    folder.mkdir()
    data = clip.read_bytes()
    for i in range(count):
        (folder / f"{i:04d}.mp4").write_bytes(data + (16).to_bytes(4) + b"free" + i.to_bytes(8))
    return folder


def _in_turns(archive: Path, ways: Mapping[str, tuple[Sequence[str], Sequence[str]]]) -> dict[str, object]:
    """Seconds of each way, and how many times as fast the last is as the first, by round and by medians."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    labelling: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(ROUNDS):
        for way in list(ways)[:: 1 if turn % 2 == 0 else -1]:
            pinned, options = ways[way]
            whole, planned = _seconds(archive, pinned, options)
            seconds[way].append(whole)
            labelling[way] += [] if planned is None else [planned]
    first, last = seconds[next(iter(ways))], seconds[list(ways)[-1]]
    return {
        "seconds": _rounded(seconds),
        "of_these_from_the_plan_on": _rounded(labelling),
        "times_as_fast": round(statistics.median(first) / statistics.median(last), 3),
        "by_round": [round(one / other, 3) for one, other in zip(first, last, strict=True)],
    }


def _command(archive: Path, out: Path, model: Sequence[str], options: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "vidinfer", str(archive), "--out", str(out), *model, *options, "-q"]


def _seconds(archive: Path, pinned: Sequence[str], options: Sequence[str]) -> tuple[float, float | None]:
    """Of the whole process, and from when the units were planned to the end, where the run tells that."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as out:
        began = time.monotonic()
        subprocess.run([*pinned, *_command(archive, Path(out), MODEL, options)], check=True)
        whole = time.monotonic() - began
        status = Path(out, ".vidinfer/status.json")
        return whole, json.loads(status.read_text())["seconds"] if status.is_file() else None


def _rounded(seconds: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    return {way: [round(one, 1) for one in times] for way, times in seconds.items()}


def _peaks(archive: Path, root: Path) -> dict[str, float]:
    """MiB of the run's process and of its largest child, each by the kernel's own high-water mark."""
    with tempfile.TemporaryDirectory(dir=root) as out:
        process = subprocess.Popen(_command(archive, Path(out), LIGHT, WORKER))
        most = {"run": 0.0, "worker": 0.0}
        while process.poll() is None:
            most["run"] = max(most["run"], _high_water(process.pid))
            most["worker"] = max([most["worker"], *map(_high_water, _children(process.pid))])
            time.sleep(0.1)
        if process.returncode:
            raise RuntimeError(f"{process.args} exited with {process.returncode}")
    return {who: round(mib, 1) for who, mib in most.items()}


def _high_water(pid: int) -> float:
    """0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []


if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        print(json.dumps({name: PARTS[name]()}), flush=True)
