"""What a model found in a batch, worked out once for every label format: rounded columns, masks as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidinfer.detections import (
    BACKGROUND,
    NOT_REPORTED,
    PIXEL_DECIMALS,
    SCORE_DECIMALS,
    Classes,
    Flow,
    Objects,
    Segments,
    rounded,
)
from vidinfer.errors import SinkError
from vidinfer.frame import SourceInfo
from vidinfer.record import Entry, LabelledBatch
from vidinfer.sink.paste import mask_counts
from vidinfer.sink.segments import segments_of
from vidinfer.stages import ModelInfo

__all__ = ["BOX", "FLOW", "NUMBERS", "Findings", "Kind", "Layout", "find", "layout_of"]

Kind = Literal["objects", "classes", "segments", "clip", "flow"]
"""The key under which a task's findings stand."""

BOX = ("x1", "y1", "x2", "y2")
"""Columns of a box: pixels of the displayed picture, origin top left."""
FLOW = ("flow_mean", "flow_max", "flow_direction", "flow_moving", "flow_seconds")
"""Columns of optical flow: pixels per second, degrees, share of the picture, seconds."""

AREA_DECIMALS = 5
SPEED_DECIMALS = 3
DEGREE_DECIMALS = 1
MOVING_DECIMALS = 4

_KINDS: dict[str, Kind] = {
    "detection": "objects",
    "classification": "classes",
    "segmentation": "segments",
    "video": "clip",
    "optical_flow": "flow",
}

NUMBERS: dict[Kind, tuple[str, ...]] = {
    "objects": ("score", *BOX),
    "classes": ("score",),
    "segments": ("area",),
    "clip": ("score",),
    "flow": FLOW,
}
"""The numbers of a finding, in the order of every format."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the records of one source hold, known before its first frame."""

    kind: Kind
    width: int
    height: int
    """Of the displayed picture, in pixels."""
    masks: bool
    """Flat formats have a column of masks."""
    keypoints: int
    """Keypoints of an object; 0 where the model gives none."""
    by: bool = False
    """Flat formats say whose the results of a frame are: the model's, or those of a frame that it looks like."""


def layout_of(source: SourceInfo, model: ModelInfo, *, by: bool = False) -> Layout:
    """What the records of ``model`` over ``source`` hold; ``by``: some frames are not shown to it.

    Raises:
        SinkError: this version has no record for the model's task.
    """
    if model.task not in _KINDS:
        raise SinkError(
            f"labels of a {model.task} model cannot be written; expected one of {', '.join(_KINDS)}; "
            f"choose another model"
        )
    kind = _KINDS[model.task]
    masks = kind == "segments" or (kind == "objects" and model.details.get("masks") is True)
    return Layout(
        kind, source.width, source.height, masks, len(model.keypoints) if kind == "objects" else 0, by
    )


@dataclass(frozen=True, slots=True)
class Findings:
    """The ``m`` findings of a batch of ``n`` places in columns, rounded; not-a-number where the model gave none."""

    offsets: NDArray[np.int64]
    """``(n+1,)``: those of result row ``i`` are ``offsets[i]:offsets[i+1]``."""
    labels: NDArray[np.int64]
    """``(m,)``: indices into the categories; ``(0,)`` for optical flow, which has none."""
    numbers: Mapping[str, NDArray[np.float64]]
    """``(m,)`` each, by name: ``NUMBERS`` of the kind."""
    masks: Sequence[str | None] | None = None
    """``m`` of COCO's compressed ``counts``; ``None`` for a mask without a place."""
    keypoints: NDArray[np.float64] | None = None
    """``(m, k, 3)``: x, y in pixels, score."""
    not_finite: int = 0
    """Numbers of the model that are none; they are written as missing."""

    def __len__(self) -> int:
        """Findings in all places together."""
        return int(self.offsets[-1])


def find(batch: LabelledBatch, layout: Layout) -> Findings:
    """The findings of a batch. Empty where the model saw none of its frames.

    Raises:
        SinkError: the results hold nothing of this kind, or labels beyond their categories.
    """
    results, kind = batch.results, layout.kind
    if kind == "objects" and results.objects is not None:
        found = _objects(results.objects, layout)
    elif kind == "classes" and results.classes is not None:
        found = _classes(results.classes)
    elif kind == "segments" and results.segments is not None:
        found = _segments(results.segments, results.categories, layout)
    elif kind == "clip" and results.clips is not None:
        found = _classes(results.clips)
    elif kind == "flow" and results.flow is not None:
        found = _flow(results.flow, batch.entries)
    elif results.frames:
        raise SinkError(f"the model gave no {kind} for its frames, which its task promises")
    else:
        nothing = {name: np.zeros(0) for name in NUMBERS[kind]}
        found = Findings(np.zeros(1, np.int64), np.zeros(0, np.int64), nothing)
    if len(found.labels) and not 0 <= found.labels.min() <= found.labels.max() < len(results.categories):
        raise SinkError(
            f"the model gave labels {found.labels.min()} to {found.labels.max()}, "
            f"expected 0 to {len(results.categories) - 1}: its categories do not fit"
        )
    return found


def _objects(found: Objects, layout: Layout) -> Findings:
    boxes = rounded(found.boxes, PIXEL_DECIMALS)
    numbers = {"score": rounded(found.scores, SCORE_DECIMALS)}
    numbers |= {name: boxes[:, i] for i, name in enumerate(BOX)}
    not_finite = _not_finite(found.scores, found.boxes)
    masks = points = None
    if found.masks is not None:
        masks = mask_counts(found.masks, found.boxes, layout.width, layout.height)
    if found.keypoints is not None:
        points = rounded(found.keypoints, PIXEL_DECIMALS)
        points[..., 2] = rounded(found.keypoints[..., 2], SCORE_DECIMALS)
        not_finite += _not_finite(found.keypoints)
    return Findings(found.offsets, found.labels, numbers, masks, points, not_finite)


def _classes(found: Classes) -> Findings:
    n, k = found.labels.shape
    scores = rounded(found.scores.reshape(-1), SCORE_DECIMALS)
    not_finite = _not_finite(found.scores)
    return Findings(np.arange(n + 1) * k, found.labels.reshape(-1), {"score": scores}, not_finite=not_finite)


def _segments(found: Segments, categories: tuple[str, ...], layout: Layout) -> Findings:
    left_out = {NOT_REPORTED} | {i for i, name in enumerate(categories) if name == BACKGROUND}
    labels: list[int] = []
    areas: list[float] = []
    masks: list[str | None] = []
    offsets = [0]
    for class_map in found.class_maps:
        parts = segments_of(class_map, layout.width, layout.height, left_out)
        labels += parts[0]
        areas += parts[1]
        masks += parts[2]
        offsets.append(len(labels))
    area = rounded(np.array(areas, np.float64), AREA_DECIMALS)
    return Findings(np.array(offsets, np.int64), np.array(labels, np.int64), {"area": area}, masks)


def _flow(found: Flow, entries: Sequence[Entry]) -> Findings:
    """One finding per pair; speeds are missing where the time between its frames is not known."""
    seconds = np.full(len(found.mean), np.nan)
    for entry in entries:
        if entry.row >= 0 and entry.span is not None and entry.span.seconds is not None:
            seconds[entry.row] = entry.span.seconds
    per = np.where(seconds > 0, seconds, np.nan)
    numbers = (
        rounded(found.mean / per, SPEED_DECIMALS),
        rounded(found.maximum / per, SPEED_DECIMALS),
        np.mod(rounded(found.direction, DEGREE_DECIMALS), 360),
        rounded(found.moving, MOVING_DECIMALS),
        seconds,
    )
    return Findings(
        np.arange(len(found.mean) + 1),
        np.zeros(0, np.int64),
        dict(zip(FLOW, numbers, strict=True)),
        not_finite=_not_finite(found.mean, found.maximum, found.moving),
    )


def _not_finite(*columns: NDArray[Any]) -> int:
    return sum(int(np.count_nonzero(~np.isfinite(column))) for column in columns)
