"""One labelled frame as Python sees it: the rows of the columns that are its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidinfer.arrival import Arrival, TimeSource
from vidinfer.detections import Classes, Results, Segments
from vidinfer.frame import Gap, Picture
from vidinfer.record import Entry, LabelledBatch, Outcome, Span

__all__ = ["FrameBatch", "FrameClasses", "FrameObjects", "FrameSegments", "LabelledFrame", "labelled_frame"]


@dataclass(frozen=True, slots=True)
class FrameObjects:
    """The objects of one frame, best first; arrays are views into the batch."""

    boxes: NDArray[np.float32]
    """``(n, 4)``: x1, y1, x2, y2 in pixels of the displayed picture."""
    scores: NDArray[np.float32]
    """``(n,)`` in [0, 1]."""
    label_ids: NDArray[np.int64]
    """``(n,)``: indices into the model's categories."""
    labels: tuple[str, ...]
    """``n`` names."""
    masks: NDArray[np.float32] | None = None
    """``(n, h, w)`` in [0, 1] over each box, from models that have them."""
    keypoints: NDArray[np.float32] | None = None
    """``(n, k, 3)``: x, y, score, from models that have them."""

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class FrameClasses:
    """The best classes of one frame, best first."""

    scores: NDArray[np.float32]
    """``(k,)`` probabilities."""
    label_ids: NDArray[np.int64]
    """``(k,)``: indices into the model's categories."""
    labels: tuple[str, ...]
    """``k`` names."""

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class FrameSegments:
    """What each pixel of one frame belongs to."""

    class_map: NDArray[np.uint8]
    """``(h, w)`` at the model's resolution, stretched over the picture; 255: not among the classes asked for."""
    categories: tuple[str, ...]
    """Names by label."""


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """The batch in which a live frame was labelled."""

    size: int
    """Frames."""
    closed_by: str
    """Why it was not kept open any longer."""


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """One frame with what the model found: one of ``objects`` to ``flow`` is set, by the model's task.

    ``epoch`` to ``batch`` are of live streams, and ``None`` with files.
    """

    index: int
    """Displayed frames, counted from 0."""
    pts: int | None
    """The container's own timestamp, in units of ``time_base``."""
    time_base: Fraction
    """Seconds per unit."""
    time: float | None
    """``pts`` in seconds."""
    outcome: Outcome
    """``labelled``; or ``corrupt``, ``failed``, or of a live stream ``dropped``, and then nothing was found."""
    reason: str | None
    objects: FrameObjects | None
    classes: FrameClasses | None
    picture: Picture | None
    """``None`` of a live frame that was dropped or is damaged."""
    segments: FrameSegments | None = None
    clip: FrameClasses | None = None
    """Of video classifiers, on the frame that closes a clip: the best classes of the frames in ``span``."""
    flow: NDArray[np.float32] | None = None
    """``(h, w, 2)`` at the model's resolution: x and y, in pixels of the displayed picture, from the frame before."""
    span: Span | None = None
    """With ``clip`` and ``flow``: which frames were looked at together."""
    source: str = ""
    """As in the records: the file's name, or the name of the stream."""
    epoch: int | None = None
    """Connections of the stream, counted from 1: across two of them ``pts`` have no common time line."""
    received: float | None = None
    """When the frame arrived: Unix seconds, right after its packet was read."""
    captured: float | None = None
    """When the camera took it: Unix seconds on the camera's clock; ``None`` where it does not say."""
    time_source: TimeSource | None = None
    """Where ``captured`` comes from."""
    latency_ms: Mapping[str, float] | None = None
    """Milliseconds by stage, as far as the frame came: ``decode``, ``queue``, ``batch_wait``, ``inference``;
    ``hand_over``: from its results to the moment it was handed to you; ``total``: from its arrival to that moment."""
    batch: FrameBatch | None = None
    by: Literal["model", "propagated"] | None = None
    """With ``skip_static``: whose results these are."""
    from_index: int | None = None
    """Of results that are propagated: the frame that they come from."""
    from_pts: int | None = None

    def image(self) -> NDArray[np.uint8]:
        """``(height, width, 3)`` uint8 RGB as displayed; converted on each call.

        Raises:
            ValueError: there is no picture any more, see ``picture``.
        """
        if self.picture is None:
            raise ValueError(
                f"frame {self.index} of {self.source} is {self.outcome.value} and has no picture any more; "
                "look at frame.outcome or frame.picture first"
            )
        return self.picture.rgb()


def labelled_frame(
    batch: LabelledBatch, entry: Entry, source: str, now: float | None = None
) -> LabelledFrame:
    """One entry of ``batch`` of ``source``, and no gap; ``now``: on the clock of its arrival, if it has one."""
    at, arrival = entry.at, entry.arrival
    assert not isinstance(at, Gap)
    found = batch.results.rows(entry.row, entry.row + 1) if entry.row >= 0 else None
    return LabelledFrame(
        at.index,
        at.pts,
        at.time_base,
        at.time,
        entry.outcome,
        entry.reason,
        None if found is None else _objects(found),
        None if found is None else _top(found.classes, found.categories),
        entry.picture,
        None if found is None or found.segments is None else _segments(found.segments, found.categories),
        None if found is None else _top(found.clips, found.categories),
        None if found is None or found.flow is None else found.flow.fields[0],
        entry.span,
        source,
        *(() if arrival is None or now is None else _live(arrival, now)),
        **(_whose(entry) if entry.outcome is Outcome.LABELLED else {}),
    )


def _whose(entry: Entry) -> dict[str, Any]:
    at = entry.alike
    return {"by": entry.by, "from_index": at and at.index, "from_pts": at and at.pts}


def _live(at: Arrival, now: float) -> tuple[Any, ...]:
    """``epoch`` to ``batch``."""
    seconds = at.seconds()
    if at.labelled is not None:
        seconds |= {"hand_over": now - at.labelled, "total": now - at.received}
    latency = {stage: 1000 * value for stage, value in seconds.items()}
    batch = FrameBatch(at.batch_size, at.closed_by) if at.batch_size else None
    return at.epoch, at.wall, at.captured, at.time_source, latency, batch


def _objects(found: Results) -> FrameObjects | None:
    if (objects := found.objects) is None:
        return None
    names = tuple(found.categories[i] for i in objects.labels.tolist())
    return FrameObjects(
        objects.boxes, objects.scores, objects.labels, names, objects.masks, objects.keypoints
    )


def _top(classes: Classes | None, categories: tuple[str, ...]) -> FrameClasses | None:
    if classes is None:
        return None
    labels = classes.labels[0]
    return FrameClasses(classes.scores[0], labels, tuple(categories[i] for i in labels.tolist()))


def _segments(segments: Segments, categories: tuple[str, ...]) -> FrameSegments:
    return FrameSegments(segments.class_maps[0], categories)
