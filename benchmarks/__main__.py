"""``python -m benchmarks [NAME...]``: run the benchmarks and print their figures as JSON lines."""

from __future__ import annotations

import json
import platform
import sys

from benchmarks import against_plain_loop, memory, startup

BENCHMARKS = {
    "startup": startup.measure,
    "plain-loop": against_plain_loop.measure,
    "memory": memory.measure,
    "memory-video": memory.measure_with_video,
}


def main() -> int:
    """Run what is named, or all."""
    names = sys.argv[1:] or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        print(f"no such benchmark: {unknown[0]}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    print(
        json.dumps(
            {"machine": platform.processor() or platform.machine(), "python": platform.python_version()}
        )
    )
    for name in names:
        print(json.dumps({name: BENCHMARKS[name]()}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
