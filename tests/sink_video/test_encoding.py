"""The encoder's thread: order, failures that come back, and no way to hang."""

from __future__ import annotations

import threading

import pytest

from vidinfer.errors import SinkError
from vidinfer.sink.encoding import AHEAD, Encoding


def test_everything_is_encoded_in_order_before_finish_returns() -> None:
    seen: list[int] = []
    encoding = Encoding(seen.append)
    for i in range(100):
        encoding.put(i)
    encoding.finish()
    encoding.finish()
    assert seen == list(range(100))


def test_few_pictures_wait_for_a_slow_encoder() -> None:
    go, started, handed = threading.Event(), threading.Event(), 0

    def encode(_: int) -> None:
        started.set()
        assert go.wait(10)

    encoding = Encoding(encode)
    encoding.put(0)
    assert started.wait(10)
    for i in range(AHEAD):
        encoding.put(i)

    def one_more() -> None:
        nonlocal handed
        encoding.put(99)
        handed = 1

    writer = threading.Thread(target=one_more)
    writer.start()
    assert handed == 0
    go.set()
    writer.join()
    encoding.finish()
    assert handed == 1


def test_a_failure_comes_back_from_the_next_put_and_from_finish() -> None:
    def fail(_: int) -> None:
        raise SinkError("disk full")

    encoding = Encoding(fail)
    with pytest.raises(SinkError, match="disk full"):
        for i in range(AHEAD + 2):
            encoding.put(i)
    encoding.abort()
    late = Encoding(fail)
    late.put(0)
    with pytest.raises(SinkError, match="disk full"):
        late.finish()


def test_abort_waits_for_the_picture_under_way_and_can_be_repeated() -> None:
    go, started, seen = threading.Event(), threading.Event(), []

    def encode(item: int) -> None:
        started.set()
        assert go.wait(10)
        seen.append(item)

    encoding = Encoding(encode)
    encoding.put(0)
    assert started.wait(10)
    ended = threading.Thread(target=encoding.abort)
    ended.start()
    assert not seen
    go.set()
    ended.join()
    assert seen == [0]
    encoding.abort()
