"""Batches of a live stream, and readers of the files that they become."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from tests.media import draw_number, read_number
from vidinfer.arrival import Arrival, TimeSource
from vidinfer.detections import Results
from vidinfer.frame import FrameStamp, Gap, SourceInfo
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.stages import ModelInfo
from vidinfer.testing import ArrayPicture

ROOT = Path(__file__).parents[2]
BASE = Fraction(1, 90000)
MODEL = ModelInfo("fake", "detection", ("background", "car"))
NOTHING = Results(0, MODEL.categories)
CAM = SourceInfo("cam", 64, 48, BASE, Fraction(25))
QUARTER_PAST_TEN = 1795601700.0
"""2026-11-25 10:15:00 UTC."""


def arrival(
    seconds: float = 0.0, *, wall: float = QUARTER_PAST_TEN, epoch: int = 1, received: float = 1000.0
) -> Arrival:
    """Of a frame that came ``seconds`` after the first, and was never given to the model."""
    return Arrival(epoch, received + seconds, wall + seconds, None, TimeSource.RECEIVED)


def labelled(index: int, at: Arrival | None) -> LabelledBatch:
    """A frame in which nothing was found."""
    return LabelledBatch([Entry(Outcome.LABELLED, FrameStamp(index, None, BASE), arrival=at)], NOTHING)


def pictured(
    number: int,
    at: Arrival | None,
    *,
    pts: int | None = None,
    size: tuple[int, int] = (64, 48),
) -> LabelledBatch:
    """A frame that shows its ``number``."""
    picture = ArrayPicture(draw_number(number, *size))
    stamp = FrameStamp(number, pts, BASE)
    return LabelledBatch([Entry(Outcome.LABELLED, stamp, picture=picture, arrival=at)], NOTHING)


def steady(
    frames: Sequence[int] | range, *, wall: float = QUARTER_PAST_TEN, **options: Any
) -> list[LabelledBatch]:
    """Pictures at 25 frames a second; frame ``i`` came ``i / 25`` seconds after ``wall``."""
    return [pictured(i, arrival(i / 25, wall=wall), pts=i * 3600, **options) for i in frames]


def gap(at: Arrival | None) -> LabelledBatch:
    lost = Gap(10, 20, BASE, 3, "lost packets")
    return LabelledBatch([Entry(Outcome.GAP, lost, reason="lost packets", arrival=at)], NOTHING)


def records(path: Path) -> list[dict[str, Any]]:
    """The lines of a file, each whole."""
    text = path.read_text("utf-8")
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def frames_of(folder: Path) -> dict[str, list[int]]:
    """Which frames stand in which file."""
    return {p.name: [r["frame"] for r in records(p)] for p in sorted(folder.iterdir())}


def shown(path: Path) -> list[tuple[int, float]]:
    """The numbers in a video's pictures, and when each is shown, in seconds."""
    with av.open(str(path)) as container:
        return [
            (read_number(frame.to_ndarray(format="rgb24")), float(frame.pts * frame.time_base))
            for frame in container.decode(video=0)
            if frame.pts is not None and frame.time_base is not None
        ]


def in_a_child(code: str, folder: Path) -> subprocess.Popen[str]:
    """A Python process in ``folder`` that has these cases."""
    prelude = "import os, sys; from tests.sink_live.cases import *; os.chdir(sys.argv[1])\n"
    return subprocess.Popen(
        [sys.executable, "-c", prelude + code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
