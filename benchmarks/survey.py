"""``vidinfer plan --no-sample`` over thousands of small real files: ``python -m benchmarks.survey [FILES]``.

Each file has a content of its own and a codec or container of seven; many have the same size, so that they are also
read to be told apart. All of them have just been written, so they come from the system's cache, not from a disk.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av

from benchmarks.clips import SAMPLE
from benchmarks.measure import run, vidinfer

CLIPS = (
    *(("h264.mp4", "libx264"), ("hevc.mov", "libx265"), ("av1.mp4", "libsvtav1"), ("vp9.webm", "libvpx-vp9")),
    *(("h264.mkv", "libx264"), ("mpeg4.avi", "mpeg4"), ("h264.ts", "libx264")),
)
FRAMES, SIZE = 60, (480, 270)


def measure(files: int = 10_000) -> dict[str, object]:
    """Seconds and peak memory of the process, its start included; that of the children is not in it."""
    with tempfile.TemporaryDirectory(prefix="vidinfer-survey-") as folder:
        _fill(Path(folder), files)
        done = run(vidinfer("plan", folder, "--no-sample", "--json"))
        told = json.loads(done.output)
    return {
        "files": sum(one["files"] for one in told["kinds"].values()),
        "videos": told["kinds"]["video"]["files"],
        "formats": len(told["formats"]),
        "seconds": round(done.seconds, 1),
        "peak_mib": round(done.peak_mib, 1),
        "bar_seconds": 60 * files / 10_000,
        "cores": len(os.sched_getaffinity(0)),
    }


def _fill(folder: Path, files: int) -> None:
    with ThreadPoolExecutor(
        1
    ) as own:  # SVT-AV1, run by root, makes a real-time thread of the one that calls it
        clips = [own.submit(_encode, folder / name, codec).result() for name, codec in CLIPS]
    data = [clip.read_bytes() for clip in clips]
    for clip in clips:
        clip.unlink()
    for number in range(files):
        clip, content = clips[number % len(clips)], data[number % len(clips)]
        path = folder / f"{number // 1000:03}" / f"{number:06}-{clip.name}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content + _padding(clip.suffix, number))


def _padding(suffix: str, number: int) -> bytes:
    """What the container allows behind the media and players skip, different for each file."""
    mark = number.to_bytes(8)
    if suffix in (".mp4", ".mov"):
        return b"\0\0\0\x10free" + mark
    if suffix in (".mkv", ".webm"):
        return b"\xec\x88" + mark
    if suffix == ".ts":
        return (b"\x47\x1f\xff\x10" + mark).ljust(188, b"\xff")
    return b"JUNK\x08\0\0\0" + mark


def _encode(path: Path, codec: str) -> Path:
    with av.open(str(path), "w") as out, av.open(str(SAMPLE)) as source:
        stream = out.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 30)
        for i, frame in enumerate(itertools.islice(source.decode(video=0), FRAMES)):
            picture = frame.reformat(*SIZE, "yuv420p")
            picture.pts, picture.time_base = i, Fraction(1, 30)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:2]))))
