"""Sources with sound whose moment is known, a way to run the sink over any file, and readers of what it wrote."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

from tests.media import draw_number
from vidinfer.detections import Objects, Results
from vidinfer.frame import Frame, FrameStamp, SourceInfo
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.sink.video import VideoSink
from vidinfer.source.open import open_source
from vidinfer.stages import ModelInfo
from vidinfer.testing import ArrayPicture

MODEL = ModelInfo("fake", "detection", ("background", "car"))
BASE = Fraction(1, 25)
NOTHING = Results(0, MODEL.categories)
CLICK_SECONDS = 1.0
"""When the sound and the picture of ``make_clip`` flash."""


@dataclass
class Blank:
    """An annotator that draws nothing and remembers what it was asked to."""

    seen: list[tuple[Entry, int]] = field(default_factory=list)

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        self.seen.clear()

    def draw(self, rgb: NDArray[np.uint8], entry: Entry, results: Results) -> None:
        self.seen.append((entry, results.frames))


def entries(frames: Iterable[Frame]) -> Iterable[Entry]:
    for frame in frames:
        yield Entry(Outcome.LABELLED, frame.stamp, row=0, picture=frame.picture)


def one_box(box: Sequence[float]) -> Results:
    return Results(
        1,
        MODEL.categories,
        objects=Objects(
            np.array([0, 1]), np.array([box], np.float32), np.array([0.9], np.float32), np.array([1])
        ),
    )


def render(
    path: Path,
    out: Path,
    *,
    frames: slice = slice(None),
    results: Results = NOTHING,
    annotator: Any = None,
    x264: Mapping[str, str] = {"preset": "ultrafast"},
) -> VideoSink:
    """Decode ``path`` and write it again through the sink; the sink, closed."""
    source = open_source(path, name=path.name, threads=1)
    sink = VideoSink(out, annotator or Blank(), x264=x264, crf=18, threads=1)
    try:
        sink.open(source.info, MODEL)
        chosen = [item for item in source if isinstance(item, Frame)][frames]
        for frame in chosen:
            row = 0 if results.frames else -1
            entry = Entry(Outcome.LABELLED, frame.stamp, row=row, picture=frame.picture)
            sink.write(LabelledBatch([entry], results))
        sink.close()
    finally:
        sink.abort()
        source.close()
    return sink


def write_stamps(
    out: Path,
    stamps: Sequence[FrameStamp],
    *,
    size: tuple[int, int] = (64, 48),
    rate: Fraction | None = None,
    **sink_options: Any,
) -> VideoSink:
    """Numbered pictures at these stamps, without any file behind them."""
    sink = VideoSink(out, Blank(), x264={"preset": "ultrafast"}, threads=1, **sink_options)
    sink.open(SourceInfo("made", *size, stamps[0].time_base, rate), MODEL)
    try:
        for number, stamp in enumerate(stamps):
            picture = ArrayPicture(draw_number(number, *size))
            sink.write(LabelledBatch([Entry(Outcome.LABELLED, stamp, picture=picture)], NOTHING))
        sink.close()
    finally:
        sink.abort()
    return sink


def noise(frames: int, size: tuple[int, int] = (320, 240)) -> Iterator[LabelledBatch]:
    """Batches of one frame that compresses badly."""
    generator = np.random.default_rng(0)
    for i in range(frames):
        picture = ArrayPicture(generator.integers(0, 255, (size[1], size[0], 3), np.uint8))
        yield LabelledBatch([Entry(Outcome.LABELLED, FrameStamp(i, i, BASE), picture=picture)], NOTHING)


def make_clip(
    path: Path,
    *,
    audio: str | Sequence[str] = "aac",
    seconds: float = 2.0,
    audio_seconds: float | None = None,
    audio_rate: int = 48000,
    layout: str = "mono",
    rate: int = 25,
    video: str = "libx264",
    b_frames: int = 0,
    start: float = 0.0,
    audio_start: float | None = None,
    format: str | None = None,
) -> Path:
    """A clip whose picture turns white, and whose sound bursts, at ``CLICK_SECONDS`` after ``start``.

    ``audio_start`` moves the beginning of the sound alone, not the burst.
    """
    codecs = [audio] if isinstance(audio, str) else list(audio)
    begin = start if audio_start is None else audio_start
    with av.open(str(path), "w", format=format) as out:
        stream = out.add_stream(
            video, rate=rate, options={"preset": "ultrafast"} if video == "libx264" else {}
        )
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.max_b_frames = b_frames
        tracks = [
            out.add_stream(codec, rate=audio_rate, layout=layout, options={"strict": "experimental"})
            for codec in codecs
        ]
        flash = round(CLICK_SECONDS * rate)
        first = round(start * rate)
        for i in range(round(seconds * rate)):
            grey = np.full((64, 96, 3), 235 if flash <= i < flash + 3 else 16, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, "rgb24")
            frame.pts, frame.time_base = first + i, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        length = (audio_seconds or seconds) - (begin - start)
        for track in tracks:
            _add_burst(out, track, begin, start + CLICK_SECONDS, length, audio_rate)
    return path


def _add_burst(
    out: OutputContainer, track: Any, begin: float, burst: float, length: float, rate: int
) -> None:
    at = begin + np.arange(int(length * rate)) / rate
    loud = (at >= burst) & (at < burst + 0.12)
    wave = np.where(loud, 0.8 * np.sin(2 * np.pi * 1000 * (at - burst)), 0).astype(np.float32)
    channels = len(track.codec_context.layout.channels)
    size = track.codec_context.frame_size or 1024
    for i in range(0, len(wave), size):
        samples = np.repeat(wave[None, i : i + size], channels, axis=0)
        frame = av.AudioFrame.from_ndarray(samples, "fltp", track.codec_context.layout.name)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(begin * rate) + i
        out.mux(track.encode(frame))
    out.mux(track.encode(None))


def payloads(path: Path, stream: int = 0) -> list[bytes]:
    """The packets of the ``stream``-th audio stream."""
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(container.streams.audio[stream]) if p.size]


def burst_time(path: Path, stream: int = 0) -> float:
    """When the sound becomes loud, in seconds."""
    with av.open(str(path)) as container:
        audio = container.streams.audio[stream]
        for frame in container.decode(audio):
            wave = frame.to_ndarray().astype(np.float64)
            if frame.format.name.startswith("s16"):
                wave /= 32768
            if not frame.format.is_planar:
                wave = wave.reshape(-1, len(frame.layout.channels)).T
            loud = np.flatnonzero(np.abs(wave).max(axis=0) > 0.3)
            if len(loud):
                assert frame.time is not None
                return frame.time + int(loud[0]) / frame.sample_rate
    raise AssertionError(f"no burst in {path}")


def flash_time(path: Path) -> float:
    """When the picture becomes bright, in seconds."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.to_ndarray(format="gray").mean() > 128:
                assert frame.time is not None
                return frame.time
    raise AssertionError(f"no flash in {path}")


def times(path: Path) -> list[Fraction]:
    """When each frame is shown, in seconds, exactly."""
    with av.open(str(path)) as container:
        return [f.pts * f.time_base for f in container.decode(video=0) if f.pts is not None and f.time_base]


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    """All frames as RGB."""
    with av.open(str(path)) as container:
        return [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]


def ffprobe(path: Path) -> dict[str, Any]:
    """What Debian's ffprobe, an older FFmpeg than ours, says of ``path``."""
    command = [
        "ffprobe",
        "-v",
        "error",
        "-count_frames",
        "-show_streams",
        "-show_format",
        "-of",
        "json",
        str(path),
    ]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise AssertionError("ffprobe is missing; `make test` installs it (Debian package ffmpeg)") from None
    assert run.stderr == "", run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found
