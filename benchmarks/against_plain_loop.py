"""vidinfer against the plain loop: same file, same network, same weights, same backend, fp32, in pairs.

The weights of ssdlite are seeded noise, because real ones need a download; the background's bias is raised so that
next to nothing passes torchvision's own threshold, which is the plain loop's best case: its post-processing is a
Python loop over 90 classes that costs more the more boxes there are.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import torch
import torchvision
from safetensors.torch import save_file

from benchmarks.clips import scaled
from benchmarks.measure import median, report_of, run, vidinfer

SSDLITE = "ssdlite320_mobilenet_v3_large"


def quiet_ssdlite(path: Path) -> Path:
    """Seeded weights of ssdlite with a head that says "background"."""
    torch.manual_seed(0)
    model = torchvision.models.get_model(SSDLITE, weights=None, weights_backbone=None)
    classes = 91
    for block in model.head.classification_head.module_list:
        bias = block[-1].bias
        with torch.no_grad():
            bias.view(-1, classes)[:, 0] += 8.0
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)
    return path


def compare(model: str, weights: Path | None, clip: Path, runs: int, folder: Path) -> dict[str, object]:
    """Median frames per second of both, and the median of the ratios pair by pair.

    Both are given the time from the first frame asked for to the last label written: neither start-up nor
    loading the weights counts, which are the same for both.
    """
    ours, theirs = [], []
    for i in range(runs + 1):
        plain = run(
            [
                sys.executable,
                "-m",
                "benchmarks.plain_loop",
                clip,
                model,
                weights or "-",
                "0.5",
                folder / "plain.jsonl",
            ]
        )
        said = json.loads(plain.output.splitlines()[-1])
        chosen = ["--weights", weights] if weights else []
        run(vidinfer(clip, "--model", model, *chosen, "--backend", "eager", "--precision", "fp32",
                     "--out", folder / "ours", "--overwrite", "-q"))  # fmt: skip
        report = report_of(folder / "ours", clip.stem)
        timings = report["timings"]
        assert isinstance(timings, dict)
        if i:  # the first pair warms the caches
            theirs.append(said["frames"] / said["seconds"])
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
        weights = quiet_ssdlite(folder / "ssdlite.safetensors")
        return [
            compare(SSDLITE, weights, clip, runs, folder),
            compare("demo", None, clip, runs, folder),
        ]
