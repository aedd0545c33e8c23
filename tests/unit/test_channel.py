from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.channel import Channel
from vidinfer.errors import RingAborted


@given(items=st.lists(st.integers(), max_size=50), capacity=st.integers(1, 4))
def test_items_arrive_once_in_order(items: list[int], capacity: int) -> None:
    channel: Channel[int] = Channel(capacity)

    def write() -> None:
        for item in items:
            channel.put(item)
        channel.close()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        assert list(channel) == items
        writer.result()


def test_a_full_channel_blocks_and_abort_wakes_it() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(1)
    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(channel.put, 2)
        channel.abort()
        channel.abort()
        with pytest.raises(RingAborted):
            blocked.result()


def test_an_empty_channel_blocks_and_abort_wakes_it() -> None:
    channel: Channel[int] = Channel(1)
    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(next, iter(channel))
        channel.abort()
        with pytest.raises(RingAborted):
            blocked.result()


def test_misuse_is_told() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Channel(0)
    channel: Channel[int] = Channel(1)
    channel.close()
    with pytest.raises(ValueError, match="after close"):
        channel.put(1)
    assert list(channel) == []
