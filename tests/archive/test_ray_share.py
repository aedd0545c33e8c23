"""How a cluster is shared out among workers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.archive.ray_share import NodeRoom, Share, share
from vidinfer.errors import UsageError


@pytest.mark.parametrize(
    ("nodes", "workers", "gpu", "expected"),
    [
        ([(4, 0), (4, 0)], None, False, Share(8, 1)),
        ([(4, 0), (4, 0)], 2, False, Share(2, 4)),
        ([(4, 0), (4, 0)], 3, False, Share(3, 2)),
        ([(4, 0), (2, 0)], 2, False, Share(2, 2)),
        ([(4, 0), (4, 0)], 1, False, Share(1, 4)),
        ([(2, 0)], 5, False, Share(5, 1)),
        ([(16, 2), (8, 0)], None, True, Share(2, 8, 1.0)),
        ([(16, 1), (16, 1)], 4, True, Share(4, 8, 0.5)),
        ([(16, 4)], 1, True, Share(1, 16, 1.0)),
    ],
)
def test_share(nodes: list[tuple[int, int]], workers: int | None, gpu: bool, expected: Share) -> None:
    assert share([NodeRoom(*node) for node in nodes], workers, gpu=gpu) == expected


def test_what_no_worker_can_run_on_is_refused() -> None:
    with pytest.raises(UsageError, match="no GPU"):
        share([NodeRoom(4)], None, gpu=True)
    with pytest.raises(UsageError, match="no CPUs"):
        share([NodeRoom(0)], None, gpu=False)


@given(st.lists(st.integers(1, 64), min_size=1, max_size=6), st.integers(1, 40))
def test_there_is_room_for_all_wherever_there_can_be(cpus: list[int], workers: int) -> None:
    found = share([NodeRoom(n) for n in cpus], workers, gpu=False)
    assert found.workers == workers
    room = sum(n // found.cpus for n in cpus)
    assert room >= min(workers, sum(cpus)), "each has its place"
    assert sum(n // (found.cpus + 1) for n in cpus) < workers, "and no CPU more could be given to each"
