"""Peak memory of an hour against a minute: the same packets repeated, so only the length differs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.clips import repeated, scaled
from benchmarks.measure import run, vidinfer


def measure(minutes: int = 60) -> dict[str, object]:
    """Peak resident memory of whole processes, in MiB. Small pictures keep the hour of video short to label."""
    clip = scaled(256, 144, 300)  # ten seconds
    peaks = {}
    with tempfile.TemporaryDirectory() as out:
        for name, times in (("minute", 6), ("hour", 6 * minutes)):
            command = vidinfer(
                repeated(clip, times), "--model", "demo", "--out", Path(out), "--overwrite", "-q"
            )
            peaks[name] = run([*command, "--every", "30"]).peak_mib
    return {
        "minute_mib": round(peaks["minute"], 1),
        "hour_mib": round(peaks["hour"], 1),
        "ratio": round(peaks["hour"] / peaks["minute"], 4),
        "bar": 1.05,
    }
