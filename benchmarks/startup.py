"""What it costs to ask for help, and to import."""

from __future__ import annotations

import sys

from benchmarks.measure import median, run, vidinfer


def measure(runs: int = 7) -> dict[str, object]:
    """Median wall seconds of whole processes; the bare interpreter for comparison."""
    return {
        "help_seconds": round(median([run(vidinfer("--help")).seconds for _ in range(runs)]), 3),
        "import_seconds": round(
            median([run([sys.executable, "-c", "import vidinfer"]).seconds for _ in range(runs)]), 3
        ),
        "python_seconds": round(median([run([sys.executable, "-c", ""]).seconds for _ in range(runs)]), 3),
        "bar_help": 0.5,
    }
