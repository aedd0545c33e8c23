"""A made-up live run: a status that tests change as they like, pictures of one colour, and a server over both."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidinfer.annotate import DrawingAnnotator
from vidinfer.clock import MonotonicClock
from vidinfer.detections import Objects, Results
from vidinfer.frame import FrameStamp, SourceInfo
from vidinfer.latency import Percentiles
from vidinfer.preview import PictureFeed, Preview
from vidinfer.record import Entry, Outcome
from vidinfer.stages import ModelInfo
from vidinfer.stats import LedgerSnapshot
from vidinfer.status import LiveStatus, OutletStatus, StreamState, StreamStatus, Warned
from vidinfer.testing import ArrayPicture

RED = (200, 20, 20)

MODEL = ModelInfo(
    "ssdlite320_mobilenet_v3_large", "detection", ("__background__", "person", "car"), "DEFAULT"
)
SIZE = (640, 360)
SECRET = "s3cret"
STAGES = ("total", "decode", "queue", "batch_wait", "inference", "write")


def percentiles(p50: float = 20.0, count: int = 900) -> Percentiles:
    return Percentiles(count, p50, 2 * p50, 3 * p50 if count >= 662 else None, 4 * p50)


def ledger(labelled: int = 1000, dropped: Mapping[str, int] | None = None, **more: int) -> LedgerSnapshot:
    drops = dict(dropped or {})
    counts = {"corrupt": 0, "failed": 0, "gaps": 0, "packets_lost": 0} | more
    decoded = labelled + sum(drops.values()) + counts["corrupt"] + counts["failed"]
    return LedgerSnapshot(decoded, labelled, {}, drops, **counts)


def stream(name: str = "gate", state: StreamState = StreamState.LIVE, **changes: Any) -> StreamStatus:
    made = StreamStatus(
        name=name,
        address="rtsp://camera/stream",
        state=state,
        seconds_in_state=12.0,
        epoch=1,
        ledger=ledger(),
        latency={stage: percentiles() for stage in STAGES},
        size=(1920, 1080),
        codec="h264",
        frames_per_second=25.0,
        labels_per_second=24.5,
        outlets=(OutletStatus("labels", 1000, 0, 0),),
    )
    return replace(made, **changes)


class Run:
    """Gives the status that it holds; an exception is raised."""

    def __init__(self, *streams: StreamStatus) -> None:
        self.failure: Exception | None = None
        self.status = LiveStatus(
            uptime=100.0,
            model=MODEL,
            streams=streams or (stream(),),
            latency={stage: percentiles() for stage in STAGES},
            latency_slo=0.1,
            over_slo=3,
            batch_sizes={1: 10, 4: 5},
            closed_by={"idle": 12, "deadline": 3},
            service=(3.5, 8.25),
            memory_bytes=512_000_000,
            warnings=("too slow",),
            warned=(Warned(1.8e9, "too slow"),),
            warned_total=1,
        )

    def __call__(self) -> LiveStatus:
        if self.failure is not None:
            raise self.failure
        return self.status

    def change(self, index: int, **changes: Any) -> None:
        streams = list(self.status.streams)
        streams[index] = replace(streams[index], **changes)
        self.status = replace(self.status, streams=tuple(streams))

    def passes(self, seconds: float, **changes: Any) -> None:
        self.status = replace(self.status, uptime=self.status.uptime + seconds, **changes)


def source(size: tuple[int, int] = SIZE, name: str = "gate") -> SourceInfo:
    return SourceInfo(name, size[0], size[1], Fraction(1, 90000))


def boxes(*rows: tuple[float, float, float, float]) -> Results:
    """One frame with these boxes."""
    m = len(rows)
    found = Objects(
        np.array([0, m]),
        np.array(rows, np.float32).reshape(m, 4),
        np.full(m, 0.9, np.float32),
        np.ones(m, np.int64),
    )
    return Results(1, MODEL.categories, objects=found)


def entry(index: int = 0, row: int = 0) -> Entry:
    return Entry(Outcome.LABELLED, FrameStamp(index, index * 3600, Fraction(1, 90000)), row=row)


def picture(colour: tuple[int, int, int], size: tuple[int, int] = SIZE) -> ArrayPicture:
    pixels: NDArray[np.uint8] = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[:] = colour
    return ArrayPicture(pixels)


def feed(streams: int = 1, size: tuple[int, int] = SIZE, **options: Any) -> PictureFeed:
    made = PictureFeed(streams, DrawingAnnotator, MonotonicClock(), **options)
    for index in range(streams):
        made.connected(index, source(size), MODEL)
    return made


def eventually(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until ``holds()``, for what tells nobody that it happened."""
    clock, never = MonotonicClock(), threading.Event()
    end = clock.now() + seconds
    while not holds():
        assert clock.now() < end, f"not within {seconds} s"
        never.wait(0.01)


@contextmanager
def served(run: Run, pictures: PictureFeed | None = None, **options: Any) -> Iterator[Preview]:
    with Preview(run, pictures or feed(len(run.status.streams)), port=0, **options) as preview:
        yield preview


def get(
    preview: Preview, path: str, method: str = "GET", **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", preview.port, timeout=20)
    try:
        connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def show_all(pictures: Any, number: int, size: tuple[int, int] = (640, 360)) -> None:
    for index in range(len(pictures)):
        pictures.show(index, picture(RED, size), entry(number), boxes((10, 10, 100, 100)))
