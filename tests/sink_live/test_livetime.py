"""When frames of a live stream are shown."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tests.sink_live.cases import BASE
from vidinfer.frame import FrameStamp
from vidinfer.sink.livetime import LiveTimeline


def place(frames: list[tuple[float | None, float | None]], base: Fraction = BASE) -> list[float]:
    """Frames by their own time and their arrival, in seconds; when each is shown, to the millisecond."""
    timeline = LiveTimeline(base, Fraction(25))
    return [
        round(
            float(
                timeline.place(FrameStamp(i, None if own is None else round(own / base), base), at).pts
                * timeline.time_base
            ),
            3,
        )
        for i, (own, at) in enumerate(frames)
    ]


def test_frames_are_as_far_apart_as_their_own_times_say() -> None:
    assert place([(7.0, 100.0), (7.04, 100.3), (7.08, 100.31), (7.5, 100.5)]) == [0, 0.04, 0.08, 0.5]


def test_frames_that_the_network_held_up_are_not_moved() -> None:
    held = [(0.04 * i, 100 + max(0.04 * i, 3.0)) for i in range(1, 100)]
    assert place([(0.0, 100.0), *held]) == [round(0.04 * i, 3) for i in range(100)]


def test_without_a_time_of_its_own_a_frame_has_that_of_its_arrival() -> None:
    assert place([(None, 100.0), (7.0, 100.1), (7.04, 100.2), (None, 100.3), (7.2, 100.5)]) == [
        0,
        0.1,
        0.14,
        0.24,
        0.44,
    ]


def test_a_jump_is_no_time() -> None:
    for jump in (3600.0, -3600.0, 2.0, -0.04):
        own = [0.0, 0.04, 0.08 + jump, 0.12 + jump]
        at = [100.0, 100.05, 100.1, 100.15]
        assert place(list(zip(own, at, strict=True))) == [0, 0.04, 0.09, 0.13], jump


def test_a_camera_that_claims_25_and_sends_21_is_shown_as_it_came_in_the_end() -> None:
    frames: list[tuple[float | None, float | None]] = [(i / 25, 100 + i / 21) for i in range(60 * 21)]
    shown = place(frames)
    assert shown[21] == round(21 / 25, 3)
    assert 50 < shown[-1] < 60
    late = [b - a for a, b in zip(shown[-10:], shown[-9:], strict=False)]
    assert all(0.039 < step < 0.049 for step in late)


def test_a_clock_that_runs_ahead_is_not_believed_for_long() -> None:
    shown = place([(i / 25, 100 + i / 50) for i in range(500)])
    assert shown[-1] < 10 + 1.1


def test_a_pause_stays_a_pause_and_its_picture_is_not_shown_for_all_of_it() -> None:
    timeline = LiveTimeline(BASE, Fraction(25))
    stamps = [FrameStamp(i, pts, BASE) for i, pts in enumerate((0, 3600, 903600))]
    shown = [timeline.place(stamp, 100 + stamp.pts / 90000) for stamp in stamps if stamp.pts is not None]
    assert [one.pts for one in shown] == [0, 3600, 903600]
    assert [one.duration for one in shown] == [3600, 3600, 90000]


times = st.one_of(st.none(), st.floats(-1e4, 1e4))


@given(
    frames=st.lists(st.tuples(times, times), max_size=50),
    base=st.sampled_from([BASE, Fraction(1, 25), Fraction(1, 10**9)]),
)
def test_times_increase_whatever_comes(
    frames: list[tuple[float | None, float | None]], base: Fraction
) -> None:
    timeline = LiveTimeline(base, Fraction(25))
    last = -1
    for i, (own, at) in enumerate(frames):
        shown = timeline.place(FrameStamp(i, None if own is None else round(own / base), base), at)
        assert shown.pts > last
        assert 1 <= shown.duration * timeline.time_base / timeline.time_base <= 1 / timeline.time_base
        last = shown.pts
