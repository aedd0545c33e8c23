"""Results in columns: one set of arrays for a whole batch, never one object per box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BACKGROUND",
    "MOVING_PIXELS",
    "NOT_REPORTED",
    "PIXEL_DECIMALS",
    "SCORE_DECIMALS",
    "Classes",
    "Flow",
    "Objects",
    "Results",
    "Segments",
    "rounded",
]

T = TypeVar("T")
FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

BACKGROUND = "__background__"
"""torchvision's name for label 0 of detectors and segmentation models: nothing was found."""
NOT_REPORTED = 255
"""In class maps: a class that nobody asked for."""
PIXEL_DECIMALS = 2
"""Of coordinates in records, and so on overlaid pictures: finer than any detector is right."""
SCORE_DECIMALS = 5
"""Of scores, likewise."""
MOVING_PIXELS = 0.5
"""Less than this from frame to frame is the noise of the estimate, not movement."""


@dataclass(frozen=True, slots=True)
class Objects:
    """Detected objects of ``n`` frames, ``m`` in all, those of a frame side by side, best first."""

    offsets: IntArray
    """``(n+1,)``: the objects of frame ``i`` are rows ``offsets[i]:offsets[i+1]``."""
    boxes: FloatArray
    """``(m, 4)``: x1, y1, x2, y2 in pixels of the displayed picture, origin top left."""
    scores: FloatArray
    """``(m,)`` in [0, 1]."""
    labels: IntArray
    """``(m,)``: indices into ``Results.categories``."""
    masks: FloatArray | None = None
    """``(m, h, w)`` in [0, 1], stretched over the box (28x28 for the R-CNN family)."""
    keypoints: FloatArray | None = None
    """``(m, k, 3)``: x, y in pixels, score."""

    def __post_init__(self) -> None:
        m = len(self.scores)
        if self.boxes.shape != (m, 4) or self.labels.shape != (m,):
            raise ValueError(
                f"columns of different length: {self.boxes.shape = }, {self.scores.shape = }, "
                f"{self.labels.shape = }; expected (m, 4), (m,), (m,)"
            )
        if len(self.offsets) < 1 or self.offsets[0] != 0 or self.offsets[-1] != m:
            raise ValueError(f"offsets must run from 0 to {m}, got {self.offsets!r}")

    def __len__(self) -> int:
        """Objects in all frames together."""
        return len(self.scores)

    @classmethod
    def joined(cls, parts: Sequence[Objects]) -> Objects:
        """The frames of all ``parts``, one part after the other."""
        starts = np.cumsum([0, *(len(part) for part in parts)])
        offsets = [part.offsets[:-1] + start for part, start in zip(parts, starts[:-1], strict=True)]
        masks = [part.masks for part in parts if part.masks is not None]
        keypoints = [part.keypoints for part in parts if part.keypoints is not None]
        return cls(
            np.concatenate([*offsets, starts[-1:]]).astype(np.int64),
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate(masks) if len(masks) == len(parts) else None,
            np.concatenate(keypoints) if len(keypoints) == len(parts) else None,
        )

    def rows(self, first: int, last: int) -> Objects:
        """The frames ``[first, last)`` of the batch, as views."""
        a, b = int(self.offsets[first]), int(self.offsets[last])
        return Objects(
            self.offsets[first : last + 1] - a,
            self.boxes[a:b],
            self.scores[a:b],
            self.labels[a:b],
            None if self.masks is None else self.masks[a:b],
            None if self.keypoints is None else self.keypoints[a:b],
        )

    def select(self, keep: NDArray[np.bool_]) -> Objects:
        """The objects where ``keep`` ``(m,)`` is true, offsets rewritten."""
        counts = np.concatenate([[0], np.cumsum(keep)])
        return Objects(
            counts[self.offsets].astype(np.int64),
            self.boxes[keep],
            self.scores[keep],
            self.labels[keep],
            None if self.masks is None else self.masks[keep],
            None if self.keypoints is None else self.keypoints[keep],
        )


@dataclass(frozen=True, slots=True)
class Classes:
    """The best ``k`` classes of each of ``n`` frames, best first."""

    labels: IntArray
    """``(n, k)``: indices into ``Results.categories``."""
    scores: FloatArray
    """``(n, k)`` probabilities."""

    def rows(self, first: int, last: int) -> Classes:
        """The frames ``[first, last)`` of the batch, as views."""
        return Classes(self.labels[first:last], self.scores[first:last])


@dataclass(frozen=True, slots=True)
class Segments:
    """Semantic segmentation of ``n`` frames."""

    class_maps: NDArray[np.uint8]
    """``(n, h, w)``: the class of each pixel, at the model's own resolution; stretched over the picture."""

    def rows(self, first: int, last: int) -> Segments:
        """The frames ``[first, last)`` of the batch, as views."""
        return Segments(self.class_maps[first:last])


@dataclass(frozen=True, slots=True)
class Flow:
    """Optical flow of ``n`` pairs of neighbouring frames; vectors in pixels of the displayed picture per pair."""

    mean: FloatArray
    """``(n,)``: mean length of the vectors."""
    maximum: FloatArray
    """``(n,)``: length of the longest."""
    direction: FloatArray
    """``(n,)``: where the mean vector points, in degrees [0, 360): 0 right, 90 down; not a number if it is zero."""
    moving: FloatArray
    """``(n,)``: share of the pixels that move by at least ``MOVING_PIXELS`` from frame to frame."""
    fields: FloatArray
    """``(n, h, w, 2)``: x and y of each vector, at the model's own resolution; stretched over the picture."""

    def rows(self, first: int, last: int) -> Flow:
        """The pairs ``[first, last)`` of the batch, as views."""
        part = slice(first, last)
        return Flow(
            self.mean[part], self.maximum[part], self.direction[part], self.moving[part], self.fields[part]
        )


@dataclass(frozen=True, slots=True)
class Results:
    """What a model found in ``frames`` places of a batch: frames, or windows of them. A task fills its columns."""

    frames: int
    """``n``, the places of the batch."""
    categories: tuple[str, ...]
    """Names by label."""
    objects: Objects | None = None
    classes: Classes | None = None
    segments: Segments | None = None
    clips: Classes | None = None
    """Classes of windows of frames; which frames, each record's :class:`~vidinfer.record.Span` says."""
    flow: Flow | None = None

    def rows(self, first: int, last: int) -> Results:
        """The frames ``[first, last)`` of the batch, as views."""
        return replace(
            self,
            frames=last - first,
            objects=None if self.objects is None else self.objects.rows(first, last),
            classes=None if self.classes is None else self.classes.rows(first, last),
            segments=None if self.segments is None else self.segments.rows(first, last),
            clips=None if self.clips is None else self.clips.rows(first, last),
            flow=None if self.flow is None else self.flow.rows(first, last),
        )

    @classmethod
    def joined(cls, parts: Sequence[Results]) -> Results:
        """The frames of all ``parts``, at least one, of one model, one part after the other."""
        return cls(
            sum(part.frames for part in parts),
            parts[0].categories,
            _joined([part.objects for part in parts], Objects.joined),
            _joined([part.classes for part in parts], _stacked),
            _joined([part.segments for part in parts], _stacked),
            _joined([part.clips for part in parts], _stacked),
            _joined([part.flow for part in parts], _stacked),
        )


def rounded(values: NDArray[Any], decimals: int) -> NDArray[np.float64]:
    """Rounded in double precision, so that its shortest text has that many decimals; never -0.0."""
    wide = values.astype(np.float64)
    np.round(wide, decimals, out=wide)
    wide += 0.0
    return wide


def _joined(columns: Sequence[T | None], join: Callable[[Sequence[T]], T]) -> T | None:
    there = [column for column in columns if column is not None]
    return join(there) if len(there) == len(columns) else None


def _stacked(parts: Sequence[Any]) -> Any:
    """Columns of one row per frame, one below the other."""
    kind = type(parts[0])
    return kind(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(kind)))
