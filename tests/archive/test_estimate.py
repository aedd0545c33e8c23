"""Scaling up: unbiased, with an interval that holds what it says."""

from __future__ import annotations

import random

import pytest

from vidinfer.archive.estimate import CONFIDENCE, Estimate, Piece, expect


def piece(
    frames: int = 50, per_frame: float = 0.01, opening: float = 0.0, per_frame_bytes: int = 100
) -> Piece:
    return Piece("x", frames, frames * per_frame, opening, frames * per_frame_bytes)


def test_equal_pieces_scale_up_exactly() -> None:
    found = expect([piece(opening=0.5)] * 4, files=10, frames=1000)
    assert found is not None
    assert found.seconds.value == pytest.approx(1000 * 0.01 + 10 * 0.5)
    assert found.written.value == pytest.approx(100_000)
    assert found.seconds.low == pytest.approx(found.seconds.value)
    assert (found.pieces, found.frames) == (4, 200)


def test_none_and_one() -> None:
    assert expect([], 1, 1) is None
    found = expect([piece()], 1, 100)
    assert found is not None
    assert found.seconds == Estimate(pytest.approx(1.0), None, None)  # type: ignore[arg-type]
    assert found.seconds.times(2) == Estimate(pytest.approx(2.0), None, None)  # type: ignore[arg-type]


def test_the_same_draw_gives_the_same_interval() -> None:
    pieces = [piece(per_frame=0.01 * i) for i in range(1, 9)]
    assert expect(pieces, 1, 100, seed=3) == expect(pieces, 1, 100, seed=3)
    assert expect(pieces, 1, 100, seed=3) != expect(pieces, 1, 100, seed=4)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    chance = random.Random(7)
    archive = [(chance.randrange(50, 500), chance.choice([0.005, 0.01, 0.03])) for _ in range(300)]
    frames = sum(count for count, _ in archive)
    truth = sum(count * cost for count, cost in archive)
    held, total, tries = 0, 0.0, 300
    for _ in range(tries):
        drawn = chance.choices(archive, weights=[count for count, _ in archive], k=30)
        found = expect([piece(per_frame=cost) for _, cost in drawn], 0, frames)
        assert found is not None
        assert found.seconds.low is not None
        assert found.seconds.high is not None
        held += found.seconds.low <= truth <= found.seconds.high
        total += found.seconds.value
    assert abs(held / tries - CONFIDENCE) < 0.07
    assert total / tries == pytest.approx(truth, rel=0.03)
