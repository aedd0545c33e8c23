"""The comparison of two ways of running one model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vidinfer.detections import Classes, Flow, Objects, Results, Segments
from vidinfer.parity import BOUNDS, compare

NAMES = ("__background__", "car", "bus")
Box = tuple[float, float, float, float, float, int]


def objects(frames: Sequence[Sequence[Box]]) -> Results:
    """Frames of ``(x1, y1, x2, y2, score, label)``."""
    rows = [box for frame in frames for box in frame]
    columns = np.array(rows, np.float32).reshape(-1, 6)
    offsets = np.concatenate([[0], np.cumsum([len(frame) for frame in frames])]).astype(np.int64)
    found = Objects(offsets, columns[:, :4], columns[:, 4], columns[:, 5].astype(np.int64))
    return Results(len(frames), NAMES, objects=found)


CAR: Box = (100, 100, 300, 200, 0.9, 1)


def moved(box: Box, pixels: float = 0.0, score: float = 0.0, label: int | None = None) -> Box:
    x1, y1, x2, y2, old, kind = box
    return (x1 + pixels, y1, x2 + pixels, y2, old + score, kind if label is None else label)


def test_equal_results_agree_entirely() -> None:
    found = compare(objects([[CAR], []]), objects([[CAR], []]), threshold=0.5)
    assert (found.frames, found.compared, found.unmatched) == (2, 1, 0)
    assert (found.iou, found.score, found.top_class) == (1.0, 0.0, 1.0)
    assert found.holds()


@pytest.mark.parametrize(
    ("other", "holds"),
    [
        (moved(CAR, pixels=0.9), True),  # 200 px wide: IoU 0.991
        (moved(CAR, pixels=1.1), False),
        (moved(CAR, score=0.019), True),
        (moved(CAR, score=0.021), False),
        (moved(CAR, label=2), False),
    ],
)
def test_each_bound_decides(other: Box, holds: bool) -> None:
    assert compare(objects([[CAR]]), objects([[other]]), threshold=0.5).holds() == holds


def test_only_a_box_near_the_threshold_may_lack_its_partner() -> None:
    near, sure = moved(CAR, score=-0.385), moved(CAR, score=-0.37)  # 0.515 and 0.53
    best: Box = (500, 500, 600, 600, 0.95, 1)
    for missing, holds in ((near, True), (sure, False)):
        for one, other in (([best, missing], [best]), ([best], [best, missing])):
            found = compare(objects([one]), objects([other]), threshold=0.5)
            assert found.holds() == holds
            assert found.unmatched == (not holds)


def test_a_box_that_only_just_did_not_fit_may_be_missing() -> None:
    others: list[Box] = [(i * 300.0, 0, i * 300.0 + 100, 100, 0.9 - i / 10, 1) for i in range(3)]
    last: Box = (1500, 0, 1600, 100, 0.71, 1)  # the worst of the others scores 0.7
    one, other = objects([others]), objects([[*others[:2], last]])
    assert not compare(one, other, threshold=0.5).holds()
    assert compare(one, other, threshold=0.5, limit=3).holds()
    assert not compare(one, objects([[*others[:2], moved(last, score=0.02)]]), threshold=0.5, limit=3).holds()


def test_boxes_are_matched_one_to_one() -> None:
    twin = moved(CAR, pixels=0.5)
    found = compare(objects([[CAR, twin]]), objects([[CAR]]), threshold=0.5)
    assert (found.compared, found.unmatched) == (1, 1)


def test_top_class_is_a_share_of_frames() -> None:
    labels = np.zeros((400, 2), np.int64)
    scores = np.full((400, 2), 0.5, np.float32)
    for wrong, holds in ((2, True), (3, False)):
        other = labels.copy()
        other[:wrong, 0] = 1
        found = compare(
            Results(400, NAMES, classes=Classes(labels, scores)),
            Results(400, NAMES, classes=Classes(other, scores)),
        )
        assert found.top_class == pytest.approx(1 - wrong / 400)
        assert found.holds() == holds


def test_class_maps_are_compared_by_pixels() -> None:
    one = np.zeros((1, 10, 10), np.uint8)
    other = one.copy()
    other[0, 0, :2] = 1
    found = compare(Results(1, NAMES, segments=Segments(one)), Results(1, NAMES, segments=Segments(other)))
    assert found.iou == pytest.approx(0.98)
    assert not found.holds()


def test_flow_is_compared_by_vectors() -> None:
    def flow(x: float) -> Results:
        fields = np.full((1, 4, 4, 2), (x, 0.0), np.float32)
        row = np.zeros(1, np.float32)
        return Results(1, (), flow=Flow(row, row, row, row, fields))

    assert compare(flow(1.0), flow(1.0 + BOUNDS.flow / 2)).holds()
    assert not compare(flow(1.0), flow(1.0 + BOUNDS.flow * 2)).holds()


def test_results_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="1 and 2 frames"):
        compare(objects([[]]), objects([[], []]))
    with pytest.raises(ValueError, match="different tasks"):
        compare(objects([[]]), Results(1, NAMES))
