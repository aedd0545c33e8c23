"""An archive that is only told of: files without content, whose parts and frames are made up from a seed.

What a worker would commit is real: a Parquet unit with its receipt, by the writer that workers use, of a few rows.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vidinfer.archive.facts import model_facts
from vidinfer.archive.look import Look
from vidinfer.archive.planning import KnownFile
from vidinfer.archive.unit import WHOLE, Unit, state_of
from vidinfer.detections import Objects, Results
from vidinfer.errors import SourceError
from vidinfer.frame import FrameStamp, SourceInfo
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.sink import unit_sink
from vidinfer.source import Part, SourceFile
from vidinfer.stages import ModelInfo
from vidinfer.stats import LedgerSnapshot

MODEL = ModelInfo("simulated", "detection", ("__background__", "thing"), weights_sha256="0" * 64)
BASE, TICKS = Fraction(1, 15360), 512
"""30 frames a second."""
SIZE = (1920, 1080)
PARTS = (4, 36)
"""Of a file that can be split."""
WHOLE_SHARE = 0.03
"""Files that cannot be split, with up to"""
WHOLE_PARTS = 5
"""times the frames of a part."""
FOLDER = 250
"""Files in each folder."""


@dataclass(frozen=True, slots=True)
class MadeUp:
    """What there is to know of one file."""

    parts: tuple[Part, ...]
    frames: int


def make_up(units: int, frames: int, random_: random.Random) -> list[MadeUp]:
    """Files of ``units`` parts in all, ``frames`` in each but the last of a file, which is what is left."""
    found: list[MadeUp] = []
    left = units
    while left:
        if random_.random() < WHOLE_SHARE:
            found.append(MadeUp((WHOLE,), round(frames * random_.uniform(0.5, WHOLE_PARTS))))
            left -= 1
            continue
        count = min(left, random_.randint(*PARTS))
        total = (count - 1) * frames + random_.randint(frames // 2, frames)
        found.append(MadeUp(_parts(count, frames, total), total))
        left -= count
    return found


def _parts(count: int, frames: int, total: int) -> tuple[Part, ...]:
    if count == 1:
        return (WHOLE,)
    first = [i * frames for i in range(count)]
    return tuple(
        Part(
            at * TICKS if i else None,
            (at + frames) * TICKS if i < count - 1 else None,
            at,
            min(frames, total - at),
            at * TICKS,
        )
        for i, at in enumerate(first)
    )


def make_folder(root: Path, count: int) -> Path:
    """Empty files in folders."""
    for number in range(count):
        path = root / f"{number // FOLDER:04d}" / f"{number:06d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def looked_up(archive: Sequence[MadeUp]) -> Look:
    """Knows the files already, by the numbers in their names."""

    def look(files: Sequence[SourceFile], *_: object) -> Generator[KnownFile | SourceError]:
        for file in files:
            assert isinstance(file.path, Path)
            one = archive[int(file.path.stem)]
            content, seconds = f"made up {file.path.stem}", one.frames / 30
            yield KnownFile(
                *(str(file.name), file.path, state_of(file.path), content, one.parts, one.frames, seconds),
                codec="h264",
                size=SIZE,
            )

    return look


def commit(unit: Unit, target: Path, rows: int, seconds: float) -> dict[str, Any]:
    """Write a unit as a worker does, but of ``rows`` frames only. Returns its receipt."""
    receipt = _receipt(unit, seconds)
    sink = unit_sink(target, lambda: receipt)
    sink.open(SourceInfo(unit.path.name, *SIZE, BASE), MODEL)
    try:
        sink.write(_labelled(unit.part.first, rows))
        sink.close()
    finally:
        sink.abort()  # changes nothing after a close
    return receipt


def _labelled(first: int, rows: int) -> LabelledBatch:
    """One thing in each frame."""
    stamps = [FrameStamp(i, i * TICKS, BASE, TICKS, keyframe=i == first) for i in range(first, first + rows)]
    entries = [Entry(Outcome.LABELLED, stamp, row) for row, stamp in enumerate(stamps)]
    boxes = np.tile(np.array([10, 20, 300, 400], np.float32), (rows, 1))
    objects = Objects(np.arange(rows + 1), boxes, np.full(rows, 0.9, np.float32), np.ones(rows, np.int64))
    return LabelledBatch(entries, Results(rows, MODEL.categories, objects=objects))


def _receipt(unit: Unit, seconds: float) -> dict[str, Any]:
    ledger = LedgerSnapshot(unit.frames, unit.frames, {}, {}, 0, 0, 0, 0)
    source = {
        "width": SIZE[0],
        "height": SIZE[1],
        "time_base": str(BASE),
        "rate_claimed": "30",
        "frames_claimed": unit.frames,
        "duration_claimed": unit.weight,
        "codec": "h264",
        "found": {"first_pts": unit.part.start or 0, "frames": unit.frames},
    }
    return {
        "unit": unit.id,
        "start": unit.part.start,
        "end": unit.part.end,
        "frames": ledger.as_dict(),
        "source": source,
        "model": model_facts(MODEL),
        "by": False,
        "warnings": [],
        "timings": {
            "seconds": round(seconds, 3),
            "stages": {"decode": round(seconds * 0.6, 3), "infer": round(seconds * 0.95, 3)},
        },
    }
