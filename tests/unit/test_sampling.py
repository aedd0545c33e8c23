from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from vidinfer.frame import FrameStamp
from vidinfer.sampling import Sampler, Sampling

MS = Fraction(1, 1000)


def run(sampling: Sampling, pts: list[int | None], keyframes: int = 12) -> tuple[list[int], list[str]]:
    """Indices kept, and the reasons of the others that were judged."""
    sampler, kept, reasons = Sampler(sampling), [], []
    for i, p in enumerate(pts):
        stamp = FrameStamp(i, p, MS, keyframe=i % keyframes == 0)
        if sampler.finished(stamp):
            break
        reason = sampler.skip_reason(stamp)
        if reason is None:
            kept.append(i)
        else:
            reasons.append(reason)
    return kept, reasons


def test_everything_by_default() -> None:
    assert run(Sampling(), [0, 40, None, 120]) == ([0, 1, 2, 3], [])


def test_every_nth_and_keyframes() -> None:
    assert run(Sampling(every=3), list(range(0, 400, 40)))[0] == [0, 3, 6, 9]
    assert run(Sampling(keyframes=True), list(range(0, 1000, 40)))[0] == [0, 12, 24]


def test_fps_follows_true_time_where_the_rate_varies() -> None:
    pts: list[int | None] = [0, 10, 20, 30, 500, 990, 1000, 1010, 1900, 3500, 3600]
    assert run(Sampling(fps=Fraction(1)), pts)[0] == [0, 6, 9]
    assert run(Sampling(fps=Fraction(2)), pts)[0] == [0, 4, 6, 8, 9]


def test_fps_starts_anew_with_the_clock() -> None:
    pts: list[int | None] = [0, 400, 800, 1200, 5000, 5600, 100, 500, 900, 1300]
    assert run(Sampling(fps=Fraction(1)), pts)[0] == [0, 3, 4, 6, 9]
    backwards: list[int | None] = [0, 1000, 960, 2000, 1900, 3000]  # disorder among neighbours is none
    assert run(Sampling(fps=Fraction(1)), backwards)[0] == [0, 1, 3, 5]


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60), st.integers(1, 30))
def test_fps_keeps_at_most_one_frame_per_tick_and_misses_no_tick_that_has_one(
    gaps: list[int], fps: int
) -> None:
    pts = [sum(gaps[:i]) for i in range(len(gaps))]
    kept = run(Sampling(fps=Fraction(fps)), list(pts))[0]
    ticks = [(pts[i] - pts[0]) * fps // 1000 for i in range(len(pts))]
    first_of_tick = [i for i in range(len(pts)) if i == 0 or ticks[i] != ticks[i - 1]]
    assert kept == first_of_tick


def test_a_range_is_half_open_and_ends_the_run() -> None:
    kept, reasons = run(Sampling(start=Fraction("0.08"), end=Fraction("0.2")), list(range(0, 4000, 40)))
    assert kept == [2, 3, 4]
    assert reasons == ["range", "range"]


def test_duration_counts_from_the_start_or_the_first_frame() -> None:
    pts: list[int | None] = list(range(500, 4500, 40))
    assert run(Sampling(duration=Fraction("0.1")), pts)[0] == [0, 1, 2]
    assert run(Sampling(start=Fraction(1), duration=Fraction("0.1")), pts)[0] == [13, 14]


def test_max_frames_counts_labelled_frames() -> None:
    assert run(Sampling(every=2, max_frames=3), list(range(0, 4000, 40))) == ([0, 2, 4], ["sampling"] * 2)


@given(
    steps=st.lists(st.integers(1, 900), min_size=2, max_size=60),
    cut=st.integers(0, 59),
    begins=st.integers(-500, 500),
    sampling=st.builds(
        Sampling,
        every=st.integers(1, 9),
        fps=st.none() | st.fractions("1/5", "60", max_denominator=1001),
        keyframes=st.booleans(),
        start=st.none() | st.fractions(-1, 20, max_denominator=50),
        end=st.none() | st.fractions(0, 30, max_denominator=50),
        max_frames=st.none() | st.integers(1, 20),
        duration=st.none() | st.fractions(0, 20, max_denominator=50),
    ),
)
def test_a_stretch_is_judged_as_if_all_before_it_had_been_seen(
    steps: list[int], cut: int, begins: int, sampling: Sampling
) -> None:
    times = list(accumulate(steps, initial=begins))
    stamps = [FrameStamp(i, t, Fraction(1, 1000), keyframe=i % 7 == 0) for i, t in enumerate(times)]
    whole, early = Sampler(sampling), Sampler(sampling)
    judged = [(whole.finished(stamp), whole.skip_reason(stamp)) for stamp in stamps]
    for stamp in stamps[:cut]:
        early.finished(stamp)
        early.skip_reason(stamp)
    late = Sampler(sampling, early.remembered)
    assert [(late.finished(stamp), late.skip_reason(stamp)) for stamp in stamps[cut:]] == judged[cut:]
