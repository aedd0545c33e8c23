"""vidinfer against the plain loop: same file, same network, same weights, same backend, fp32, in pairs.

ssdlite finds nothing here, which is the plain loop's best case: its post-processing is a Python loop over 90 classes
that costs more the more boxes there are.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.clips import scaled
from benchmarks.measure import median, rate_of, report_of, run, script, vidinfer
from benchmarks.weights import trained_like

SSDLITE = "ssdlite320_mobilenet_v3_large"


def compare(model: str, weights: Path | None, clip: Path, runs: int, folder: Path) -> dict[str, object]:
    """Median frames per second of both, and the median of the ratios pair by pair.

    Both are given the time from the first frame asked for to the last label written: neither start-up nor
    loading the weights counts, which are the same for both.
    """
    ours, theirs = [], []
    for i in range(runs + 1):
        command = script("plain_loop", clip, model, weights or "-", "0.5", folder / "plain.jsonl")
        rate = rate_of(run(command))
        chosen = ["--weights", weights] if weights else []
        run(vidinfer(clip, "--model", model, *chosen, "--backend", "eager", "--precision", "fp32",
                     "--out", folder / "ours", "--overwrite", "-q"))  # fmt: skip
        report = report_of(folder / "ours", clip.stem)
        timings = report["timings"]
        assert isinstance(timings, dict)
        if i:  # the first pair warms the caches
            theirs.append(rate)
            ours.append(timings["frames_per_second"])
    return {
        "model": model,
        "plain_loop": round(median(theirs), 2),
        "vidinfer": round(median(ours), 2),
        "ratio": round(median([a / b for a, b in zip(ours, theirs, strict=True)]), 2),
        "bar": 1.5,
    }


def measure(runs: int = 5, frames: int = 120) -> list[dict[str, object]]:
    """Both models on a 1080p clip."""
    clip = scaled(1920, 1080, frames)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [
            compare(SSDLITE, trained_like(SSDLITE, quiet=True), clip, runs, folder),
            compare("demo", None, clip, runs, folder),
        ]
