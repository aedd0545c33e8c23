"""``python -m benchmarks [NAME...] [--quick] [--json]``: run the benchmarks and print their figures as JSON lines.

``python -m benchmarks live [SCENARIO...] [options]`` and ``python -m benchmarks cluster [options]`` are by themselves,
with options of their own.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from benchmarks import (
    against_plain_loop,
    archive,
    first_label,
    memory,
    overlay,
    preparing,
    profile,
    sampling,
    speed,
    startup,
    still,
)

BENCHMARKS: dict[str, Callable[[], Any]] = {
    "startup": startup.measure,
    "first-label": first_label.measure,
    "python-share": profile.measure,
    "plain-loop": against_plain_loop.measure,
    "memory": memory.measure,
    "memory-video": memory.measure_with_video,
    "overlay": overlay.measure,
    "preparing": preparing.measure,
    "sampling": sampling.measure_decoding,
    "still": still.measure_still,
    "archive": archive.measure,
    "speed": speed.measure,
}


def main() -> int:
    """Run what is named, or all but ``live`` and ``cluster``."""
    if sys.argv[1:2] == ["live"]:
        from benchmarks import live

        return live.main(sys.argv[2:])
    if sys.argv[1:2] == ["cluster"]:
        from benchmarks.measure import script

        return subprocess.call(script("cluster", *sys.argv[2:]))  # by itself, for its memory is told
    flags = [one for one in sys.argv[1:] if one.startswith("--")]
    names = [one for one in sys.argv[1:] if not one.startswith("--")] or list(BENCHMARKS)
    unknown = [one for one in names if one not in BENCHMARKS] + [
        f for f in flags if f not in ("--quick", "--json")
    ]
    if unknown:
        print(f"no such benchmark or flag: {unknown[0]}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    machine = {"machine": platform.processor() or platform.machine(), "python": platform.python_version()}
    print(json.dumps(machine), flush=True)
    for name in names:
        if name == "speed":
            _speed(quick="--quick" in flags, as_json="--json" in flags)
        else:
            print(json.dumps({name: BENCHMARKS[name]()}), flush=True)
    return 0


def _speed(*, quick: bool, as_json: bool) -> None:
    """Each row as it is known, for they take long; then the table, unless it is not for people."""
    rows = []
    for row in speed.measure(quick=quick):
        rows.append(row)
        print(json.dumps({"speed": row}), flush=True)
    if not as_json:
        print(speed.table(rows), flush=True)


if __name__ == "__main__":
    sys.exit(main())
