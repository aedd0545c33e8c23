"""What x264's settings cost in time, and in size at the same quality: those of the overlaid video against its presets.

``python -m benchmarks.encoding [VIDEO...]`` (the traffic clip with nothing drawn, where none is given).
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType, VideoFrame

from benchmarks.clips import scaled
from vidinfer.plan import thread_plan
from vidinfer.sink.codec import X264

WAYS: Mapping[str, Mapping[str, str]] = {
    "veryfast": {"preset": "veryfast"},
    "superfast": {"preset": "superfast"},
    "ours": X264,
}
FRAMES, ROUNDS = 150, 5
RATE = Fraction(25)


def main() -> None:
    """Print a JSON line for each video."""
    for clip in [Path(one) for one in sys.argv[1:]] or [scaled(1920, 1080, 300)]:
        print(json.dumps({"clip": clip.name} | measure(clip)), flush=True)


def measure(clip: Path) -> dict[str, object]:
    """Milliseconds of a core per frame (medians), Mbit/s, and the signal to noise of luma in dB."""
    frames = _frames(clip)
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    made: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.mp4")
        for turn in range(ROUNDS + 1):
            for name, options in WAYS.items():
                seconds = _encode(frames, options, out)
                if turn:  # the first ones find cold caches
                    taken[name].append(seconds)
                else:
                    made[name] = (out.stat().st_size * 8 * RATE / len(frames) / 1e6, _noise(frames, out))
    return {
        name: {
            "ms": round(1000 * statistics.median(seconds) / len(frames), 2),
            "mbit_s": round(float(made[name][0]), 3),
            "db": round(made[name][1], 2),
        }
        for name, seconds in taken.items()
    }


def _frames(clip: Path) -> list[VideoFrame]:
    with av.open(str(clip)) as source:
        frames = [frame.reformat(format="yuv420p") for frame in islice(source.decode(video=0), FRAMES)]
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number, 1 / RATE
        frame.pict_type = PictureType.NONE  # else the source's own choice is imposed on the encoder
    return frames


def _encode(frames: list[VideoFrame], options: Mapping[str, str], out: Path) -> float:
    """Seconds of all its threads together."""
    with av.open(str(out), "w", format="mp4") as output:
        rest = {"crf": "23", "threads": str(thread_plan().encoder), "g": str(2 * RATE)}
        stream = output.add_stream("libx264", rate=RATE, options={**options, **rest})
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        began = time.process_time()
        for frame in frames:
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        return time.process_time() - began


def _noise(frames: list[VideoFrame], out: Path) -> float:
    apart = []
    with av.open(str(out)) as made:
        for frame, other in zip(frames, made.decode(video=0), strict=True):
            a, b = (one.to_ndarray()[: one.height].astype(np.float32) for one in (frame, other))
            apart.append(float(np.square(a - b).mean()))
    return 10 * math.log10(255**2 / statistics.mean(apart))


if __name__ == "__main__":
    main()
