"""Label files with everything in them that a record can hold, each with the ``run.json`` that belongs to it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.sink.cases import SOURCE, stamp, write
from vidinfer.describe import describe_model
from vidinfer.detections import Objects, Results
from vidinfer.export.job import Exported, export_labels
from vidinfer.frame import FrameStamp, Gap, SourceInfo
from vidinfer.record import LABELS_FORMAT, Entry, LabelledBatch, Outcome
from vidinfer.sink import write_report
from vidinfer.stages import ModelInfo

CATEGORIES = ("__background__", "person", "N/A", "car")
DETECTOR = ModelInfo("demo", "detection", CATEGORIES)
BOXES = np.array([[10, 20.5, 110, 220.25], [300, 100, 660, 400.75], [-5, -5, 30, 40]], np.float32)
"""Of a picture of 640 x 360; the second and third reach beyond it."""


def detections() -> list[LabelledBatch]:
    """Frame 0 with two objects, 1 without any, 2 corrupt, a gap, 3 with one object, 4 failed."""
    found = Objects(
        np.array([0, 2, 2, 3]),
        BOXES,
        np.array([0.9, 0.8, 0.75], np.float32),
        np.array([3, 1, 1]),
    )
    gap = Gap(1300, 1400, SOURCE.time_base, 3, "lost packets")
    entries = [
        Entry(Outcome.LABELLED, stamp(0, 0), row=0),
        Entry(Outcome.LABELLED, stamp(1, 512), row=1),
        Entry(Outcome.CORRUPT, stamp(2, 1024), reason="damaged data"),
        Entry(Outcome.GAP, gap, reason=gap.reason),
        Entry(Outcome.LABELLED, stamp(3, 1536), row=2),
        Entry(Outcome.FAILED, stamp(4, 2048), reason="RuntimeError: no -- really"),
    ]
    return [LabelledBatch(entries, Results(3, CATEGORIES, objects=found))]


def in_order(batches: Sequence[LabelledBatch]) -> list[LabelledBatch]:
    """The same with frames numbered, and times rising, in the order of the records, as in every run over a file."""
    count = 0
    ordered = []
    for batch in batches:
        entries = []
        for entry in batch.entries:
            if isinstance(entry.at, Gap):
                at: FrameStamp | Gap = replace(entry.at, first_pts=512 * count - 200)
            else:
                at = replace(entry.at, index=count, pts=None if entry.at.pts is None else 512 * count)
                count += 1
            entries.append(replace(entry, at=at))
        ordered.append(LabelledBatch(entries, batch.results))
    return ordered


def many(frames: int) -> list[LabelledBatch]:
    """``detections`` over and over, at least so many frames."""
    return in_order(detections() * (frames // 5 + 1))


def report(path: Path, model: ModelInfo, source: SourceInfo = SOURCE, **changes: Any) -> None:
    """``run.json`` as the run beside it writes it, with ``changes``."""
    info = replace(source, rate=source.rate or 1 / (512 * source.time_base), duration=1.0)
    document: dict[str, Any] = {
        "labels_format": LABELS_FORMAT,
        "model": describe_model(model),
        "source": {
            "name": info.name,
            "path": info.path,
            "width": info.width,
            "height": info.height,
            "time_base": str(info.time_base),
            "rate_claimed": str(info.rate),
            "duration_claimed": info.duration,
        },
        "frames": {"decoded": 5},
        "sinks": [],
    }
    write_report(path, document | changes, overwrite=True)


def labels(
    folder: Path,
    base: str = "clip",
    *,
    form: str = "jsonl",
    batches: Sequence[LabelledBatch] | None = None,
    model: ModelInfo = DETECTOR,
) -> Path:
    """A label file with its ``run.json``."""
    path = write(form, folder / f"{base}.labels.{form}", list(batches or detections()), model)
    report(folder / f"{base}.run.json", model)
    return path


def exported(to: str, out: Path, *specs: Path, overwrite: bool = False) -> list[Exported]:
    """Export, and fail if anything does."""
    done: list[Exported] = []

    def failed(error: Exception) -> None:
        raise error

    export_labels([str(s) for s in specs], to, out, overwrite=overwrite, done=done.append, failed=failed)
    return done


@contextmanager
def foreign() -> Iterator[None]:
    """Other people's libraries warn of what is theirs to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
