"""From lasting overload to what the decoder leaves out, and back, without flapping."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vidinfer.arrival import Shed
from vidinfer.scheduling import Limits, Shedding

LIMITS = Limits()


def watch(shedding: Shedding, begin: int, seconds: int, dropped: float) -> list[Shed]:
    return [shedding.observe(float(begin + i), dropped) for i in range(seconds)]


def changes(levels: list[Shed]) -> int:
    return sum(a != b for a, b in pairwise(levels))


def test_a_short_overload_changes_nothing() -> None:
    shedding = Shedding()
    for begin in range(0, 100, 10):
        assert set(watch(shedding, begin, 5, 0.8)) == {Shed.NOTHING}
        assert set(watch(shedding, begin + 5, 5, 0.1)) == {Shed.NOTHING}


def test_lasting_overload_raises_a_level_at_a_time() -> None:
    levels = watch(Shedding(), 0, 12, 0.95)
    assert levels == [Shed.NOTHING] * 5 + [Shed.NON_REFERENCE] * 6 + [Shed.NON_KEY]


def test_keyframes_alone_only_where_hardly_a_frame_gets_through() -> None:
    assert set(watch(Shedding(), 0, 500, 0.85)[10:]) == {Shed.NON_REFERENCE}


def test_what_is_neither_much_nor_little_changes_nothing() -> None:
    shedding = Shedding()
    watch(shedding, 0, 10, 0.5)
    assert set(watch(shedding, 10, 1000, 0.2)) == {Shed.NON_REFERENCE}


def test_when_it_is_over_everything_is_decoded_again() -> None:
    shedding = Shedding()
    watch(shedding, 0, 20, 0.95)
    levels = watch(shedding, 20, 60, 0.0)
    assert levels[0] is Shed.NON_KEY
    assert levels[-1] is Shed.NOTHING
    assert changes(levels) == 2


def test_a_lasting_overload_does_not_flap() -> None:
    """Frames are dropped at level 0 and none at level 1: whether it is over can only be tried, ever more seldom."""
    shedding, levels = Shedding(), []
    for second in range(3600):
        levels.append(shedding.observe(float(second), 0.6 if shedding.level is Shed.NOTHING else 0.0))
    attempts = levels.count(Shed.NOTHING) / (LIMITS.raise_after + 1)
    assert attempts <= math.log2(LIMITS.longest / LIMITS.lower_after) + 3600 / LIMITS.longest + 2
    assert levels.count(Shed.NOTHING) < 0.03 * 3600


def test_an_attempt_that_held_makes_the_next_one_early_again() -> None:
    shedding = Shedding()
    for second in range(400):
        shedding.observe(float(second), 0.6 if shedding.level is Shed.NOTHING else 0.0)
    watch(shedding, 400, 2000, 0.0)
    assert shedding.level is Shed.NOTHING
    watch(shedding, 2400, 10, 0.6)
    levels = watch(shedding, 2410, 30, 0.0)
    assert levels[-1] is Shed.NOTHING


@given(st.lists(st.floats(0, 1), max_size=300))
def test_levels_change_one_step_at_a_time_and_are_held(shares: list[float]) -> None:
    shedding = Shedding()
    before, changed = Shed.NOTHING, -math.inf
    for second, share in enumerate(shares):
        level = shedding.observe(float(second), share)
        if level is not before:
            assert abs(level - before) == 1
            assert second - changed >= (LIMITS.raise_after if level > before else LIMITS.lower_after)
            before, changed = level, float(second)
