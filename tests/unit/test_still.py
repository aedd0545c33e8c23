from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.audit import wilson
from vidinfer.detections import Classes, Objects, Results, Segments
from vidinfer.frame import FrameStamp
from vidinfer.propagation import Propagation, differ
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.still import Still, StillDetector, StillSettings

MS = Fraction(1, 1000)
GREY = np.full((90, 160), 100, np.uint8)
NEVER = StillSettings(audited=0.0)


def stamp(index: int, pts: int | None = None) -> FrameStamp:
    return FrameStamp(index, index * 40 if pts is None else pts, MS)


def test_one_square_is_news_however_large_the_picture() -> None:
    detector, spot = StillDetector(NEVER), GREY.copy()
    spot[40, 70] += 13
    assert detector.judge(stamp(0), GREY) is None
    assert detector.judge(stamp(1), GREY + 12) == Still(stamp(0), audit=False)
    assert detector.judge(stamp(2), spot) is None
    assert detector.judge(stamp(3), GREY) is None, "compared with the last that was news"
    assert detector.judge(stamp(4), np.full((45, 80), 100, np.uint8)) is None, "another size"


def test_what_creeps_in_is_compared_with_what_was_labelled() -> None:
    detector = StillDetector(NEVER)
    found = [detector.judge(stamp(i), GREY + i) is None for i in range(40)]
    assert [i for i, news in enumerate(found) if news] == [0, 13, 26, 39]


def test_after_some_seconds_a_frame_is_labelled_anew() -> None:
    detector = StillDetector(StillSettings(seconds=1.0, audited=0.0))
    news = [i for i in range(100) if detector.judge(stamp(i), GREY) is None]
    assert news == [0, 25, 50, 75]


def test_without_times_or_with_a_clock_that_starts_anew_nothing_is_still() -> None:
    detector = StillDetector(NEVER)
    nowhere = FrameStamp(0, None, MS)
    assert detector.judge(nowhere, GREY) is None
    assert detector.judge(nowhere, GREY) is None
    assert detector.judge(stamp(2, 9000), GREY) is None
    assert detector.judge(stamp(3, 500), GREY) is None


def test_the_sample_depends_on_times_alone_and_has_the_share_asked_for() -> None:
    settings = StillSettings(seconds=1e9, audited=0.02)

    def sampled(first: int, last: int) -> set[int]:
        detector = StillDetector(settings)
        judged = [(i, detector.judge(stamp(i), GREY)) for i in range(first, last)]
        return {i for i, still in judged if still is not None and still.audit}

    whole = sampled(0, 20_000)
    assert 0.017 < len(whole) / 20_000 < 0.023
    assert sampled(7000, 9000) == {i for i in whole if 7000 < i < 9000}


@given(st.integers(0, 400), st.integers(1, 400))
def test_the_interval_holds_the_share(hits: int, more: int) -> None:
    trials = hits + more
    low, high = wilson(hits, trials)
    assert 0 <= low <= hits / trials <= high <= 1
    assert wilson(hits * 4, trials * 4)[1] - wilson(hits * 4, trials * 4)[0] < high - low


def test_the_interval_is_wilsons() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 50) == (0.0, pytest.approx(0.0714, abs=1e-4))
    assert wilson(5, 50) == (pytest.approx(0.0435, abs=1e-4), pytest.approx(0.2136, abs=1e-4))


def boxes(*rows: tuple[float, int]) -> Results:
    """Boxes of 10 x 10 pixels by their left edge and their label, in one frame."""
    found = np.array([[x, 0, x + 10, 10] for x, _ in rows], np.float32).reshape(-1, 4)
    labels = np.array([label for _, label in rows], np.int64)
    return Results(
        1, ("a", "b"), Objects(np.array([0, len(rows)]), found, np.full(len(rows), 0.9, np.float32), labels)
    )


def test_what_counts_as_wrong() -> None:
    assert not differ(boxes((0, 0), (50, 1)), boxes((52, 1), (1, 0)))
    assert differ(boxes((0, 0)), boxes((5, 0))), "moved by half of its width: IoU 1/3"
    assert differ(boxes((0, 0)), boxes((0, 1))), "another class"
    assert differ(boxes((0, 0)), boxes())
    assert differ(boxes(), boxes((0, 0)))
    assert not differ(boxes(), boxes())
    best = [
        Results(1, (), classes=Classes(np.array([order]), np.ones((1, 2))))
        for order in ([3, 4], [3, 5], [4, 3])
    ]
    assert not differ(best[0], best[1])
    assert differ(best[0], best[2])
    maps = [Results(1, (), segments=Segments(np.full((1, 10, 10), i, np.uint8))) for i in range(2)]
    assert differ(maps[0], maps[1])
    assert not differ(maps[0], maps[0])


def entry(index: int, row: int = -1, like: int | None = None, **more: object) -> Entry:
    by = "model" if like is None or row >= 0 else "propagated"
    alike = None if like is None else stamp(like)
    audited = row >= 0 and like is not None
    return Entry(Outcome.LABELLED, stamp(index), row, by=by, alike=alike, audited=audited)


def joined(*frames: Results) -> Results:
    return Results.joined(frames)


def labels(batch: LabelledBatch) -> list[list[float]]:
    """Left edges of the boxes of each entry."""
    found = batch.results.objects
    assert found is not None
    return [found.rows(e.row, e.row + 1).boxes[:, 0].tolist() for e in batch.entries]


def test_results_go_to_still_frames_of_this_batch_and_the_next() -> None:
    done = Propagation(StillSettings())
    first = done.complete(
        LabelledBatch(
            [entry(0, 0), entry(1, like=0), entry(2, 1), entry(3, like=2)],
            joined(boxes((5, 0)), boxes((7, 0))),
        )
    )
    assert labels(first) == [[5], [5], [7], [7]]
    second = done.complete(LabelledBatch([entry(4, like=2)], Results(0, ())))
    assert labels(second) == [[7]]
    third = done.complete(LabelledBatch([entry(5, like=2), entry(6, 0), entry(7, like=6)], boxes((9, 1))))
    assert labels(third) == [[7], [9], [9]]
    assert done.propagated == 5
    assert third.entries[0].alike == stamp(2)


def test_checked_frames_keep_what_the_model_found() -> None:
    done = Propagation(StillSettings())
    checked = [entry(0, 0), entry(1, 1, like=0), entry(2, 2, like=0), entry(3, like=0)]
    batch = done.complete(LabelledBatch(checked, joined(boxes((5, 0)), boxes((6, 0)), boxes((30, 0)))))
    assert labels(batch) == [[5], [6], [30], [5]]
    assert [(e.by, e.alike and e.alike.index) for e in batch.entries] == [
        ("model", None),
        ("model", None),
        ("model", None),
        ("propagated", 0),
    ]
    assert (done.audit.audited, done.audit.missed) == (2, 1)
    after = done.complete(LabelledBatch([entry(4, like=0)], Results(0, ())))
    assert labels(after) == [[5]], "a check does not change what later frames get"


def test_nothing_is_propagated_from_a_frame_on_which_the_model_failed() -> None:
    done = Propagation(StillSettings())
    failed = Entry(Outcome.FAILED, stamp(0), by="model", reason="no memory")
    first = done.complete(LabelledBatch([failed, entry(1, like=0)], Results(0, ())))
    second = done.complete(LabelledBatch([entry(2, like=0), entry(3, 0)], boxes((5, 0))))
    assert [e.outcome.value for e in first.entries] == ["failed", "failed"]
    assert [e.outcome.value for e in second.entries] == ["failed", "labelled"]
    assert "would have come from" in (second.entries[0].reason or "")
    assert done.propagated == 0
