"""What drawing costs: the overlaid video against a bare transcode by the same encoder, without any model.

Three ways over one 1080p clip, one after the other in the same process: the decoder's frames straight into x264; ten
labelled boxes drawn on each, converting what they touch; the same, converting every picture to RGB and back. Boxes and
letters are sharp and move, so x264 works longer on pictures that have them, whoever drew them: told apart by encoding
drawn and plain pictures from memory.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType, VideoFrame
from numpy.typing import NDArray

from benchmarks.clips import scaled
from benchmarks.measure import median
from vidinfer.annotate import DrawingAnnotator
from vidinfer.detections import Objects, Results
from vidinfer.frame import Frame, SourceInfo
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.sink.codec import X264
from vidinfer.sink.overlay import Overlay
from vidinfer.sink.video import VideoSink
from vidinfer.source.open import open_source
from vidinfer.source.picture import DecodedPicture
from vidinfer.stages import Annotator, ModelInfo

MODEL = ModelInfo("scripted", "detection", ("__background__", "pedestrian", "car", "truck", "bicycle"))
CRF = 23.0
RATE = Fraction(30)
BOXES = 10
IN_MEMORY = 60
"""Pictures that are encoded from memory."""


class WholePicture:
    """The drawing annotator, without saying what it will touch."""

    def __init__(self) -> None:
        self._drawing = DrawingAnnotator()

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        self._drawing.open(source, model)

    def draw(self, rgb: NDArray[np.uint8], entry: Entry, results: Results) -> None:
        self._drawing.draw(rgb, entry, results)


@dataclass
class Times:
    """Seconds of the runs of one way."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, run: Callable[[], object]) -> None:
        started, worked = time.perf_counter(), time.process_time()
        run()
        self.wall.append(time.perf_counter() - started)
        self.cpu.append(time.process_time() - worked)


def scripted(index: int, width: int, height: int) -> Results:
    """Upright boxes of 3 to 10 % of the picture's width, as of people in a street, who move by up to 3 pixels."""
    generator = np.random.default_rng(7)
    size = generator.uniform(0.03, 0.1, (BOXES, 1)) * [width, 1.6 * width]
    start = generator.uniform(0, 1, (BOXES, 2)) * ([width, height] - size)
    corner = start + index * generator.uniform(-3, 3, (BOXES, 2)) * [1, 0.2]
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    scores = generator.uniform(0.5, 1, BOXES).astype(np.float32)
    labels = generator.integers(1, len(MODEL.categories), BOXES)
    return Results(1, MODEL.categories, objects=Objects(np.array([0, BOXES]), boxes, scores, labels))


def decoded(clip: Path) -> Iterator[tuple[SourceInfo, Frame, DecodedPicture]]:
    """The frames of ``clip``, decoded on one thread."""
    with closing(open_source(clip, name=clip.name, threads=1)) as source:
        for item in source:
            assert isinstance(item, Frame)
            assert isinstance(item.picture, DecodedPicture)
            yield source.info, item, item.picture


def encode(frames: Iterable[VideoFrame], size: tuple[int, int], out: Path, threads: int) -> None:
    """Into x264 as they are."""
    options = {**X264, "crf": str(CRF), "threads": str(threads), "g": str(2 * RATE)}
    with av.open(str(out), "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number, frame in enumerate(frames):
            frame.pict_type = PictureType.NONE  # else the source's own choice is imposed on the encoder
            frame.pts, frame.time_base = number, 1 / RATE
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def overlay(clip: Path, out: Path, threads: int, annotator: Annotator) -> None:
    """Boxes drawn and encoded by the sink."""
    sink = VideoSink(out, annotator, crf=CRF, threads=threads, overwrite=True)
    for info, frame, picture in decoded(clip):
        if frame.stamp.index == 0:
            sink.open(info, MODEL)
        entry = Entry(Outcome.LABELLED, frame.stamp, row=0, picture=picture)
        sink.write(LabelledBatch([entry], scripted(frame.stamp.index, info.width, info.height)))
    sink.close()


def drawn(clip: Path, annotator: Annotator, times: list[float]) -> Iterator[VideoFrame]:
    """The pictures that the sink would encode; the processor's seconds for each are appended to ``times``."""
    drawing: Overlay | None = None
    for info, frame, picture in decoded(clip):
        if drawing is None:
            annotator.open(info, MODEL)
            drawing = Overlay(annotator, info.width, info.height)
        results = scripted(frame.stamp.index, info.width, info.height)
        started = time.thread_time()
        made = drawing.draw(picture, Entry(Outcome.LABELLED, frame.stamp, row=0, picture=picture), results)
        times.append(time.thread_time() - started)
        yield made


def compare(clip: Path, frames: int, threads: int, runs: int) -> dict[str, object]:
    """Milliseconds a frame of each way, wall and processor time, and the medians of the ratios run by run."""
    size = (1920, 1080)
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out.mp4"
        ways: dict[str, Callable[[], object]] = {
            "transcode": lambda: encode((p.frame for _, _, p in decoded(clip)), size, out, threads),
            "overlay": lambda: overlay(clip, out, threads, DrawingAnnotator()),
            "through_rgb": lambda: overlay(clip, out, threads, WholePicture()),
        }
        times = {way: Times() for way in ways}
        for _ in range(runs):
            for way, run in ways.items():
                times[way].add(run)
    found: dict[str, object] = {"encoder_threads": threads}
    for way, taken in times.items():
        found[f"{way}_wall_ms"] = _milliseconds(taken.wall, frames)
        found[f"{way}_cpu_ms"] = _milliseconds(taken.cpu, frames)
        if way != "transcode":
            ratios = [a / b for a, b in zip(taken.wall, times["transcode"].wall, strict=True)]
            found[f"{way}_ratio"] = round(median(ratios), 3)
    return found | {"bar": 1.15}


def measure_parts(clip: Path, runs: int) -> dict[str, object]:
    """Milliseconds of processor time a frame: drawing in both ways, and x264 on plain and on drawn pictures."""
    partly: list[float] = []
    whole: list[float] = []
    for _ in range(runs):
        ways: list[tuple[Annotator, list[float]]] = [(DrawingAnnotator(), partly), (WholePicture(), whole)]
        for annotator, times in ways:
            deque(
                islice(drawn(clip, annotator, times), IN_MEMORY), maxlen=0
            )  # keeping them would cost new memory
    boxed = list(islice(drawn(clip, DrawingAnnotator(), []), IN_MEMORY))
    plain = [picture.frame for _, _, picture in islice(decoded(clip), IN_MEMORY)]
    encoding = {"plain": Times(), "drawn": Times()}
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out.mp4"
        for _ in range(runs):
            encoding["plain"].add(lambda: encode(plain, (1920, 1080), out, 1))
            encoding["drawn"].add(lambda: encode(boxed, (1920, 1080), out, 1))
    return {
        "draw_ms": _milliseconds(partly, 1),
        "draw_through_rgb_ms": _milliseconds(whole, 1),
        "encode_plain_ms": _milliseconds(encoding["plain"].cpu, IN_MEMORY),
        "encode_drawn_ms": _milliseconds(encoding["drawn"].cpu, IN_MEMORY),
    }


def _milliseconds(seconds: list[float], frames: int) -> float:
    return round(1000 * median(seconds) / frames, 2)


def measure(runs: int = 7, frames: int = 120) -> list[dict[str, object]]:
    """The parts; then whole runs with one and with two threads of the encoder."""
    clip = scaled(1920, 1080, frames)
    return [measure_parts(clip, runs), *(compare(clip, frames, threads, runs) for threads in (1, 2))]
