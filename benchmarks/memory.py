"""Peak memory of an hour against a minute: the same packets repeated, so only the length differs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.clips import repeated, scaled
from benchmarks.measure import run, vidinfer

MODEL = ("--model", "mobilenet_v3_small", "--weights", "none")
"""Small, so that the 108,000 frames of an hour, each one labelled, take minutes."""


def measure(minutes: int = 60, *, video: bool = False) -> dict[str, object]:
    """Peak resident memory of whole processes, in MiB, without or with the overlaid video."""
    clip = scaled(256, 144, 300)  # ten seconds
    peaks = {}
    with tempfile.TemporaryDirectory() as out:
        for name, times in (("minute", 6), ("hour", 6 * minutes)):
            command = vidinfer(repeated(clip, times), *MODEL, "--out", Path(out), "--overwrite", "-q")
            peaks[name] = run([*command, "--video"] if video else command).peak_mib
    return {
        "minute_mib": round(peaks["minute"], 1),
        "hour_mib": round(peaks["hour"], 1),
        "ratio": round(peaks["hour"] / peaks["minute"], 4),
        "bar": 1.05,
    }


def measure_with_video() -> dict[str, object]:
    """The same while the overlay is written."""
    return measure(video=True)
