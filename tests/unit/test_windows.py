"""Clips and pairs: what a model sees together, on true time, and which frame closes it."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from vidinfer.frame import FrameStamp
from vidinfer.record import Span
from vidinfer.stages import Window
from vidinfer.windows import Closed, Windows

MS = Fraction(1, 1000)
CLIP = Window(frames=4, rate=Fraction(10), stride=Fraction(4, 10))
PAIR = Window(frames=2)


def run(window: Window, pts: list[int | None]) -> list[Closed[int] | None]:
    """What each frame closes; the pictures are their numbers."""
    windows: Windows[int] = Windows(window)
    answers = [windows.next(FrameStamp(i, p, MS), i) for i, p in enumerate(pts)]
    return [*answers[1:], windows.end()] if pts else []


def clips(window: Window, pts: list[int | None]) -> dict[int, tuple[int, ...]]:
    """Pictures by the frame that closes them."""
    return {i: closed.pictures for i, closed in enumerate(run(window, pts)) if closed is not None}


def test_a_source_of_the_rate_of_the_model() -> None:
    assert clips(CLIP, list(range(0, 1200, 100))) == {3: (0, 1, 2, 3), 7: (4, 5, 6, 7), 11: (8, 9, 10, 11)}


def test_a_faster_source_is_thinned_and_a_slower_one_repeated() -> None:
    assert clips(CLIP, list(range(0, 800, 25))) == {12: (0, 4, 8, 12), 28: (16, 20, 24, 28)}
    assert clips(CLIP, [0, 200, 400, 600, 800]) == {1: (0, 0, 1, 1), 3: (2, 2, 3, 3), 4: (4, 4, 4, 4)}


def test_variable_rate_shows_what_is_on_the_screen() -> None:
    assert clips(CLIP, [0, 90, 110, 390, 400]) == {2: (0, 1, 2, 2), 4: (4, 4, 4, 4)}


def test_overlapping_windows() -> None:
    window = Window(frames=4, rate=Fraction(10), stride=Fraction(2, 10))
    found = clips(window, list(range(0, 800, 100)))
    assert found == {3: (0, 1, 2, 3), 5: (2, 3, 4, 5), 7: (4, 5, 6, 7)}


def test_gaps_between_windows() -> None:
    window = Window(frames=2, rate=Fraction(10), stride=Fraction(1))
    assert clips(window, list(range(0, 2500, 100))) == {1: (0, 1), 11: (10, 11), 21: (20, 21)}


def test_the_last_window_is_padded_and_says_so() -> None:
    *_, last = run(CLIP, [0, 100, 200, 300, 400, 500])
    assert last is not None
    assert last.pictures == (4, 5, 5, 5)
    assert last.span == Span(400, 500, frames=2, seconds=0.1, padded=True)
    (only,) = run(CLIP, [70])
    assert only is not None
    assert only.pictures == (0, 0, 0, 0)
    assert only.span == Span(70, 70, frames=1, seconds=0.0, padded=True)


def test_a_full_window_at_the_end_is_not_padded() -> None:
    *_, last = run(CLIP, [0, 100, 200, 300])
    assert last is not None
    assert last.span == Span(0, 300, frames=4, seconds=0.3, padded=False)


def test_a_clock_that_starts_anew_closes_the_window() -> None:
    assert clips(CLIP, [5000, 5100, 0, 100, 200, 300]) == {1: (0, 1, 1, 1), 5: (2, 3, 4, 5)}


def test_frames_without_time_count_as_one_period() -> None:
    assert clips(CLIP, [None] * 8) == {3: (0, 1, 2, 3), 7: (4, 5, 6, 7)}


def test_pairs_are_neighbours() -> None:
    first, second, third = run(PAIR, [0, 40, 100])
    assert first is None
    assert second == Closed((0, 1), Span(0, 40, 2, 0.04))
    assert third == Closed((1, 2), Span(40, 100, 2, 0.06))
    assert run(PAIR, [None, 40]) == [None, Closed((0, 1), Span(None, 40, 2, None))]


@given(
    st.lists(st.integers(1, 400), max_size=60),
    st.integers(1, 6),
    st.integers(1, 30),
    st.integers(1, 3000),
)
def test_every_clip_is_what_was_on_the_screen(gaps: list[int], frames: int, rate: int, stride: int) -> None:
    window = Window(frames, Fraction(rate), Fraction(stride, 1000))
    pts = [sum(gaps[:i]) for i in range(len(gaps))]
    step = Fraction(1000, rate)
    ends, starts = [], []
    for i, closed in enumerate(run(window, list(pts))):
        if closed is None:
            continue
        first = pts.index(closed.span.first_pts)
        shown = [max(k for k, p in enumerate(pts) if p <= pts[first] + n * step) for n in range(frames)]
        assert list(closed.pictures) == shown
        assert closed.span.last_pts == pts[shown[-1]]
        assert i == shown[-1]
        assert closed.span.frames == len(set(shown))
        ends.append(i)
        starts.append(pts[first])
    assert ends == sorted(set(ends))
    if pts and stride <= frames * step:
        assert ends, "a source of any length gives at least one clip"
        assert pts[-1] < starts[-1] + 2 * frames * step, "no stretch at the end is left out"
