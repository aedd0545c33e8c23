"""Are these the same labels? Results of two ways of running one model, compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidinfer.detections import Objects, Results

__all__ = ["BOUNDS", "Agreement", "Bounds", "compare", "matches"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What still counts as the same."""

    iou: float = 0.99
    """Least intersection over union of matched boxes; the share of equal pixels of class maps."""
    score: float = 0.02
    """Most that scores may differ."""
    top_class: float = 0.995
    """Least share of frames whose best class is the same."""
    flow: float = 0.05
    """Most that flow vectors may differ on average, in pixels."""


BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a candidate is from the reference, at worst, on the frames that were compared."""

    frames: int
    compared: int
    """Boxes, classes, or pixels that both gave."""
    unmatched: int = 0
    """Boxes of one that the other lacks, and whose score is not near the threshold."""
    iou: float = 1.0
    """Worst intersection over union of matched boxes; the worst share of equal pixels of class maps."""
    score: float = 0.0
    """Largest difference of a score."""
    top_class: float = 1.0
    """Share of frames whose best class is the same."""
    flow: float = 0.0
    """Largest mean difference of the flow vectors of a frame, in pixels."""
    threshold: float | None = None
    """Of the boxes that were compared: lower than the user's where that left too few."""

    def holds(self, bounds: Bounds = BOUNDS) -> bool:
        """Within the bounds, every one."""
        return (
            self.unmatched == 0
            and self.iou >= bounds.iou
            and self.score <= bounds.score
            and self.top_class >= bounds.top_class
            and self.flow <= bounds.flow
        )

    def as_dict(self) -> dict[str, object]:
        """For ``run.json``."""
        return {
            "frames": self.frames,
            "compared": self.compared,
            "unmatched": self.unmatched,
            "worst_iou": round(self.iou, 5),
            "largest_score_difference": round(self.score, 6),
            "same_top_class": round(self.top_class, 5),
            **({"mean_flow_difference": round(self.flow, 4)} if self.flow else {}),
            **({} if self.threshold is None else {"threshold": self.threshold}),
            "holds": self.holds(),
        }

    def __str__(self) -> str:
        parts = [f"{self.compared} compared in {self.frames} frames"]
        if self.unmatched:
            parts.append(f"{self.unmatched} found by one only")
        parts += [f"worst IoU {self.iou:.4f}", f"scores within {self.score:.4f}"]
        parts.append(f"same top class in {100 * self.top_class:.1f} %")
        if self.flow:
            parts.append(f"flow within {self.flow:.3f} px")
        return ", ".join(parts)


def compare(
    reference: Results,
    candidate: Results,
    *,
    threshold: float = 0.0,
    limit: int | None = None,
    bounds: Bounds = BOUNDS,
) -> Agreement:
    """Compare results of the same frames.

    Args:
        threshold: scores below were not reported; a box within ``bounds.score`` of it may lack its partner.
        limit: most boxes of a frame; so may one near the worst of as many.

    Raises:
        ValueError: not results of the same frames.
    """
    if reference.frames != candidate.frames:
        raise ValueError(f"results of {reference.frames} and {candidate.frames} frames")
    n = reference.frames
    if reference.objects is not None and candidate.objects is not None:
        return _objects(reference.objects, candidate.objects, n, threshold, limit, bounds.score)
    for ours, theirs in ((reference.classes, candidate.classes), (reference.clips, candidate.clips)):
        if ours is not None and theirs is not None:
            return _classes((ours.labels, ours.scores), (theirs.labels, theirs.scores))
    if reference.segments is not None and candidate.segments is not None:
        return _maps(reference.segments.class_maps, candidate.segments.class_maps)
    if reference.flow is not None and candidate.flow is not None:
        apart = np.linalg.norm(reference.flow.fields - candidate.flow.fields, axis=-1)
        worst = float(apart.mean(axis=(1, 2)).max(initial=0.0))
        return Agreement(n, apart.size, flow=worst)
    raise ValueError("results of different tasks")


def _objects(
    reference: Objects, candidate: Objects, frames: int, threshold: float, limit: int | None, margin: float
) -> Agreement:
    """Boxes of one class are matched greedily, the most alike first."""
    matched, unmatched, worst, apart, same = 0, 0, 1.0, 0.0, 0
    for i in range(frames):
        ours, theirs = reference.rows(i, i + 1), candidate.rows(i, i + 1)
        pairs, overlap = matches(ours, theirs)
        matched += len(pairs)
        for a, b in pairs:
            worst = min(worst, float(overlap[a, b]))
            apart = max(apart, abs(float(ours.scores[a]) - float(theirs.scores[b])))
        unmatched += _alone(ours, {a for a, _ in pairs}, _sure(theirs, threshold, limit) + margin)
        unmatched += _alone(theirs, {b for _, b in pairs}, _sure(ours, threshold, limit) + margin)
        same += _same_best(ours, theirs, threshold + margin)
    share = same / frames if frames else 1.0
    return Agreement(frames, matched, unmatched, worst, apart, share, threshold=threshold)


def _sure(found: Objects, threshold: float, limit: int | None) -> float:
    """The score from which everything was reported."""
    full = limit is not None and len(found) >= limit
    return max(threshold, float(found.scores.min())) if full else threshold


def _alone(found: Objects, taken: set[int], sure: float) -> int:
    """Boxes without a partner that should have one."""
    return sum(score >= sure and j not in taken for j, score in enumerate(found.scores.tolist()))


def matches(
    ours: Objects, theirs: Objects, *, least: float = 0.5
) -> tuple[list[tuple[int, int]], NDArray[np.float64]]:
    """Pairs of boxes of one class and an IoU of ``least`` or more, greedily, the most alike first; and all IoUs."""
    overlap = _iou(ours.boxes.astype(np.float64), theirs.boxes.astype(np.float64))
    overlap[ours.labels[:, None] != theirs.labels[None, :]] = 0.0
    pairs, free = [], overlap.copy()
    while free.size and free.max() >= least:
        a, b = np.unravel_index(int(free.argmax()), free.shape)
        pairs.append((int(a), int(b)))
        free[a], free[:, b] = 0.0, 0.0
    return pairs, overlap


def _same_best(ours: Objects, theirs: Objects, sure: float) -> bool:
    """The best box has the same class; one that may be missing on the other side is no witness."""
    if not len(ours.scores) or not len(theirs.scores):
        best = max(ours.scores.max(initial=0.0), theirs.scores.max(initial=0.0))
        return bool(best < sure)
    return bool(ours.labels[ours.scores.argmax()] == theirs.labels[theirs.scores.argmax()])


def _iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(len(a), len(b))``."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    areas = [(x[:, 2:] - x[:, :2]).prod(axis=1) for x in (a, b)]
    joint = areas[0][:, None] + areas[1][None, :] - shared
    overlap: NDArray[np.float64] = np.divide(shared, joint, out=np.zeros_like(shared), where=joint > 0)
    return overlap


def _classes(reference: Sequence[NDArray[np.generic]], candidate: Sequence[NDArray[np.generic]]) -> Agreement:
    """Scores are compared rank by rank: a near tie that changes places is no difference of scores."""
    (labels, scores), (other, others) = reference, candidate
    frames = len(labels)
    apart = np.abs(scores.astype(np.float64) - others.astype(np.float64)).max(initial=0.0)
    same = float((labels[:, 0] == other[:, 0]).mean()) if frames and labels.shape[1] else 1.0
    return Agreement(frames, labels.size, score=float(apart), top_class=same)


def _maps(reference: NDArray[np.uint8], candidate: NDArray[np.uint8]) -> Agreement:
    """The most frequent class of a frame is its best class."""
    frames = len(reference)
    equal = (reference == candidate).reshape(frames, -1).mean(axis=1)
    same = [
        np.bincount(a.ravel(), minlength=256).argmax() == np.bincount(b.ravel(), minlength=256).argmax()
        for a, b in zip(reference, candidate, strict=True)
    ]
    share = float(np.mean(same)) if frames else 1.0
    return Agreement(frames, reference.size, iou=float(equal.min(initial=1.0)), top_class=share)
