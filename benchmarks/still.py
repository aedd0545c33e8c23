"""What ``--skip-static`` gains on a quiet scene before a camera that stands still, and how often it is wrong there.

The scene is the sample clip, held for most of the time, with the noise of a sensor on every frame. Both runs label it
with the bundled model; the one that labels every frame is the truth that the other's own estimate is held against.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from benchmarks import clips, measure
from vidinfer.detections import Objects
from vidinfer.parity import matches

__all__ = ["measure_still"]

SIZE = (1280, 720)
RATE, SECONDS, NOISE = 25, 60, 3.0
MOVES = ((12, 14), (33, 34), (50, 52))
"""Seconds from and to which the scene moves: a twelfth of the time."""
PAIRS = 3


def measure_still() -> dict[str, object]:
    """Ratio of frames a second, shares, and the miss rate: estimated by the run, and counted over all frames."""
    path = _quiet_scene()
    ratios, told, wrong = [], {}, 0.0
    for _ in range(PAIRS):
        with tempfile.TemporaryDirectory() as folder:
            whole, _ = _label(path, Path(folder, "whole"))
            some, told = _label(path, Path(folder, "some"), "--skip-static")
            ratios.append(whole / some)
            wrong = _wrong(*(Path(folder, name, f"{path.stem}.labels.jsonl") for name in ("whole", "some")))
    return {
        "times_as_fast": round(measure.median(ratios), 2),
        "from_to": [round(min(ratios), 2), round(max(ratios), 2)],
        "frames": RATE * SECONDS,
        "propagated": told["propagated"],
        "audited": told["audited"],
        "miss_rate_estimated": told["miss_rate"],
        "interval_95": told["interval_95"],
        "miss_rate_of_all_propagated": round(wrong, 5),
    }


def _label(path: Path, out: Path, *options: str) -> tuple[float, dict[str, object]]:
    """Seconds, without loading the model, and what the run says of still frames."""
    measure.run(measure.vidinfer(path, "--model", "demo", "--backend", "eager", "--out", out, "-q", *options))
    report = measure.report_of(out, path.stem)
    timings, still = report["timings"], report.get("skip_static")
    assert isinstance(timings, dict)
    return float(timings["seconds"]), dict(still) if isinstance(still, dict) else {}


def _wrong(whole: Path, some: Path) -> float:
    """Share of the propagated frames whose labels are not those of the model."""
    pairs = [
        (_objects(truth), _objects(found))
        for truth, found in zip(_records(whole), _records(some), strict=True)
        if found["by"] == "propagated"
    ]
    return sum(
        len(truth) != len(found) or len(matches(truth, found)[0]) < len(truth) for truth, found in pairs
    ) / len(pairs)


def _records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _objects(record: dict[str, object]) -> Objects:
    found = record["objects"]
    assert isinstance(found, list)
    return Objects(
        np.array([0, len(found)]),
        np.array([one["box"] for one in found], np.float32).reshape(-1, 4),
        np.array([one["score"] for one in found], np.float32),
        np.array([one["label_id"] for one in found], np.int64),
    )


def _quiet_scene() -> Path:
    width, height = SIZE
    path = clips.FOLDER / f"quiet-{width}x{height}-{RATE * SECONDS}.mp4"
    if path.exists():
        return path
    clips.FOLDER.mkdir(parents=True, exist_ok=True)
    partial, random = path.with_suffix(".partial"), np.random.default_rng(0)
    with av.open(str(partial), "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "fast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        noise = random.normal(0, NOISE, (height + 64, width + 64, 1)).astype(np.float32)
        for i, picture in enumerate(_pictures()):
            y, x = random.integers(0, 64, 2)
            noisy = (picture + noise[y : y + height, x : x + width]).clip(0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(noisy, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base, frame.pict_type = i, Fraction(1, RATE), PictureType.NONE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return partial.rename(path)


def _pictures() -> Iterator[NDArray[np.float32]]:
    """The sample, which goes on only while the scene moves."""
    moving = clips.pictures(*SIZE)
    picture = next(moving)
    for i in range(RATE * SECONDS):
        if any(begin * RATE <= i < end * RATE for begin, end in MOVES):
            picture = next(moving)
        yield picture.astype(np.float32)
