from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vidinfer.plan import BATCH_SIZE, MEMORY_BYTES, PICTURE_BATCHES, SLOTS, batch_size_for, thread_plan

UHD = 3 * 3840 * 2160


@given(st.integers(1, 4 * UHD), st.integers(0, 4 * UHD))
def test_an_automatic_batch_fits_the_memory_or_is_one_frame(frame: int, picture: int) -> None:
    size = batch_size_for(None, frame, picture)
    assert 1 <= size <= BATCH_SIZE
    assert size == 1 or size * (SLOTS * frame + PICTURE_BATCHES * picture) <= MEMORY_BYTES


def test_what_is_asked_for_is_given() -> None:
    assert batch_size_for(32, UHD, UHD) == 32


def test_small_frames_fill_whole_batches() -> None:
    assert batch_size_for(None, 320 * 320 * 3 * 4, 3 * 1920 * 1080) == BATCH_SIZE
    assert batch_size_for(None, UHD, UHD) == 1


def test_no_stage_gets_more_threads_than_there_are_cores() -> None:
    plan = thread_plan()
    assert 1 <= plan.decoder <= plan.cores
    assert 1 <= plan.encoder <= min(plan.cores + 2, 8)  # they wait for each other
    assert plan.model == plan.cores
