"""Clips to measure with, made from the sample clip, kept by their parameters."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_media" / "traffic.mp4"
FOLDER = Path(tempfile.gettempdir()) / "vidinfer-benchmarks"


def scaled(width: int, height: int, frames: int, *, gop: int | None = None) -> Path:
    """The sample clip scaled, looped or cut to ``frames`` frames at 30 a second, H.264 ``fast`` ``crf 23``.

    ``gop``: a keyframe every so many frames; ``None``: where the sample has them.
    """
    path = FOLDER / f"traffic-{width}x{height}-{frames}{f'-gop{gop}' if gop else ''}.mp4"
    if path.exists():
        return path
    FOLDER.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    options = {"preset": "fast", "crf": "23"} | ({"g": str(gop), "sc_threshold": "0"} if gop else {})
    with av.open(str(partial), "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 30)
        for i, frame in enumerate(itertools.islice(_loop(), frames)):
            picture = frame.reformat(width, height, "yuv420p", interpolation="BICUBIC")
            picture.pts, picture.time_base = i, Fraction(1, 30)
            if gop:
                picture.pict_type = PictureType.NONE
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return partial.rename(path)


def repeated(path: Path, times: int) -> Path:
    """The packets of ``path`` again and again without re-encoding: a long file that costs nothing to make."""
    long = path.with_name(f"{path.stem}-x{times}.mp4")
    if long.exists():
        return long
    partial = long.with_suffix(".partial")
    with av.open(str(partial), "w", format="mp4") as out, av.open(str(path)) as first:
        template = first.streams.video[0]
        stream = out.add_stream_from_template(template)
        length = template.duration
        assert length is not None
        for i in range(times):
            with av.open(str(path)) as source:
                for packet in source.demux(source.streams.video[0]):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts += i * length
                    packet.dts += i * length
                    packet.stream = stream
                    out.mux(packet)
    return partial.rename(long)


def pictures(width: int, height: int) -> Iterator[NDArray[np.uint8]]:
    """The sample clip scaled, again and again: ``(height, width, 3)`` RGB."""
    for frame in _loop():
        scaled = frame.reformat(width, height, "rgb24", interpolation="BICUBIC")
        yield np.asarray(scaled.to_ndarray(), np.uint8)


def _loop() -> Iterator[av.VideoFrame]:
    while True:
        with av.open(str(SAMPLE)) as source:
            yield from source.decode(video=0)
