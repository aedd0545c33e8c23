"""What sampling saves of decoding: the same file read whole, and without what the sampling leaves out, in pairs."""

from __future__ import annotations

import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av

from benchmarks import clips, measure
from vidinfer.frame import Frame, Gap
from vidinfer.plan import thread_plan
from vidinfer.sampling import Sampler, Sampling
from vidinfer.source import open_source

__all__ = ["measure_decoding"]

SAMPLINGS = {
    "--keyframes": Sampling(keyframes=True),
    "--fps 1": Sampling(fps=Fraction(1)),
    "--every 100": Sampling(every=100),
    "--every 10": Sampling(every=10),
    "--every 4": Sampling(every=4),
}
SIZES = ((1280, 720), (1920, 1080))
FRAMES, GOP, PAIRS = 1000, 250, 3


def measure_decoding() -> dict[str, object]:
    """By size and sampling: how many times as fast, and the frames decoded, wanted, and in all."""
    return {f"{height}p": _of(clips.scaled(width, height, FRAMES, gop=GOP)) for width, height in SIZES}


def _of(path: Path) -> dict[str, object]:
    found: dict[str, object] = {"keyframe_every": _longest_group(path), "frames": FRAMES}
    for name, sampling in SAMPLINGS.items():
        pairs = [
            (_read(path, sampling, chosen=False), _read(path, sampling, chosen=True)) for _ in range(PAIRS)
        ]
        (whole, wanted, _), (chosen, same, decoded) = pairs[0]
        if wanted != same:
            raise RuntimeError(f"{name}: {wanted} frames of all, {same} of those decoded")
        ratios = sorted(all_of_them[0] / some[0] for all_of_them, some in pairs)
        found[name] = {
            "times_as_fast": round(measure.median(ratios), 1),
            "from_to": [round(ratios[0], 1), round(ratios[-1], 1)],
            "seconds": [round(whole, 3), round(chosen, 3)],
            "wanted": wanted,
            "decoded": decoded,
        }
    return found


def _read(path: Path, sampling: Sampling, *, chosen: bool) -> tuple[float, int, int]:
    """Seconds, frames wanted and frames decoded."""
    began = time.perf_counter()
    source = open_source(
        path, name=path.name, threads=thread_plan().decoder, sampling=sampling if chosen else None
    )
    sampler, wanted, decoded = Sampler(sampling), 0, 0
    for item in source:
        if isinstance(item, Gap):
            raise RuntimeError(f"{path}: {item.reason}")
        decoded += isinstance(item, Frame)
        wanted += sampler.skip_reason(item.stamp) is None
    seconds = time.perf_counter() - began
    source.close()
    return seconds, wanted, decoded


def _longest_group(path: Path) -> int:
    with av.open(str(path)) as container:
        keys = [i for i, p in enumerate(container.demux(video=0)) if p.size and p.is_keyframe]
    return max((b - a for a, b in pairwise(keys)), default=FRAMES)
